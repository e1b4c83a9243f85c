"""One fresh process per cell: nothing of one contestant (memory, caches, random state) reaches the next.

The parent starts `python -m bimodal.isolate CONFIG CELL_DIR EVENTS_FD`. The child writes its log to the cell's
cell.log, reports progress as JSON lines on a pipe, and leaves result.json. If the parent dies, the pipe breaks and the
child ends with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bimodal import store
from bimodal.errors import UserError
from bimodal.garbage import nothing_collected
from bimodal.schema import CellError, CellResult, RunConfig
from bimodal.types import Progress

_REPORT_EVERY_S = 0.1
_LOG_TAIL_LINES = 12


def run_isolated(
    config: RunConfig, files: store.CellDirectory, progress: Progress, *, keep_open: tuple[int, ...] = ()
) -> CellResult:
    """Run a cell in a process of its own; a cell that fails comes back as a result that says why.

    The child inherits the file descriptors in `keep_open` (the run's lock, which then lives as long as the child).

    Raises:
        KeyboardInterrupt: the user's; the child is gone when it is raised.
        StorageError: the result of a failed cell could not be written either.
    """
    files.path.mkdir(parents=True, exist_ok=True)
    store.write_json(files.config, config)
    files.result.unlink(missing_ok=True)
    started = time.perf_counter()
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "bimodal.isolate", str(files.config), str(files.path), str(writing)]
    with files.log.open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(writing, *keep_open)
        )
    os.close(writing)
    with _ended(child), os.fdopen(reading, encoding="utf-8") as events:
        for line in events:
            event = json.loads(line)
            progress(event["what"], event["done"], event["total"])
        code = child.wait()
    if files.result.exists():
        return store.read_record(files.result, CellResult)
    result = CellResult(
        status="failed",
        config=config,
        error=CellError(kind="Killed", message=_cause_of_death(code, files.log), log_path=files.log.name),
        wall_s=time.perf_counter() - started,
    )
    store.write_json(files.result, result)
    return result


@contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """However the block is left, the child is gone afterwards."""
    try:
        yield
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _cause_of_death(code: int, log: Path) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = " The system may have run out of memory; try a smaller --set train.batch_size." if -code == 9 else ""
        return f"The cell's process was ended by {name}.{hint}"
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return f"The cell's process ended with exit code {code}. Its last words:\n" + "\n".join(tail)


def _reporter(events: int) -> Progress:
    """Progress as JSON lines, at most ten a second; the process ends when nobody listens any more."""
    last_what, last_at = "", 0.0

    def report(what: str, done: int, total: int) -> None:
        nonlocal last_what, last_at
        now = time.monotonic()
        if what == last_what and done < total and now - last_at < _REPORT_EVERY_S:
            return
        last_what, last_at = what, now
        line = json.dumps({"what": what, "done": done, "total": total}) + "\n"
        try:
            os.write(events, line.encode())
        except BrokenPipeError:
            os._exit(1)  # the parent is gone: stop at once, whatever is complete is on disk

    return report


def _child(config_path: Path, cell_path: Path, events: int) -> None:
    # Ctrl-C reaches the whole process group; the parent decides what becomes of the child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with nothing_collected():
        from bimodal.run import run_cell

    config = store.read_record(config_path, RunConfig)
    files = store.CellDirectory(cell_path)
    started = time.perf_counter()
    try:
        result = run_cell(config, files, _reporter(events))
    except Exception as error:  # a cell must not take the others along; the error goes into its result
        traceback.print_exc()
        kind = type(error).__name__
        message = str(error) if isinstance(error, UserError) else f"{kind}: {error}"
        result = CellResult(
            status="failed",
            config=config,
            error=CellError(kind=kind, message=message, log_path=files.log.name),
            wall_s=time.perf_counter() - started,
        )
    store.write_json(files.result, result)
    if result.status == "ok":
        files.training_state.unlink(missing_ok=True)  # three times the weights, and nothing left to resume


if __name__ == "__main__":
    _child(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is on disk; tearing torch and the data set down takes up to 0.8 s
