"""Runs planned cells one after the other and publishes what they found. Shared by `bench run` and `bench reproduce`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bimodal import environment, registry, store
from bimodal.datasets import load_dataset
from bimodal.errors import UsageError
from bimodal.isolate import run_isolated
from bimodal.publish import Run, publish
from bimodal.schema import CellResult, Comparison, DatasetRecord, Manifest, RunConfig
from bimodal.types import Progress
from bimodal_kernels import build

_LOCK_PATIENCE_S = 15.0


class Watcher(Protocol):
    """Is told how a run goes; the terminal's progress bars are one."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Work of the current cell (or of preparing the data) went on."""

    def cell_started(self, config: RunConfig, number: int, total: int) -> None:
        """A cell begins."""

    def cell_finished(self, result: CellResult, *, reused: bool) -> None:
        """A cell ended; `reused` if it was complete before."""

    def note(self, message: str) -> None:
        """Something the user should know."""


def launch(
    cells: Sequence[RunConfig],
    out: Path | None,
    *,
    run_id: str,
    command: str,
    resume: bool,
    watcher: Watcher,
) -> tuple[Run, Comparison]:
    """Run every cell in its own process; write manifest, results, comparison and report.

    Data is prepared and verified before anything is trained. A cell that fails does not stop the others. With
    `resume`, complete cells are kept and a cell that was cut off goes on from its last restart point.

    Args:
        cells: what to run; see `config.plan`.
        out: folder of the run; None is `runs/<run_id>`.
        run_id: name of the run.
        command: what the user typed.
        resume: go on with the run in `out`.
        watcher: is told how it goes.

    Raises:
        UserError: bad data, a folder that holds something else, a full disk.
        KeyboardInterrupt: the user's; what was complete is on disk and the manifest says `interrupted`.
    """
    if any(cell.match is not None for cell in cells):
        from bimodal.matching import matched  # needs torch, and so a second

        cells = matched(cells, watcher.progress)
    directory = store.RunDirectory(out or Path("runs") / run_id)
    store.open_run(directory, cells, resume=resume)
    with _lock(directory, watcher) as lock:
        # Again: while we waited for the lock, another process may have filled the folder.
        store.open_run(directory, cells, resume=resume)
        datasets = _prepare(cells, watcher.progress)
        # Here, where it can be told; a cell would compile them too. What cannot be had is in every result.
        build.ahead({config.kernel for config in cells}, watcher.note)
        manifest = Manifest(
            run_id=run_id,
            command=command,
            created_at=_now(),
            tasks=tuple(registry.load_task(name).record for name in dict.fromkeys(c.task for c in cells)),
            datasets=tuple(datasets),
            cells=tuple(cells),
            environment=environment.provenance(),
        )
        if resume:
            manifest = _resumed(manifest, store.read_record(directory.manifest, Manifest), watcher)
        store.write_json(directory.manifest, manifest)
        try:
            results = [
                _run_or_reuse(config, directory, lock, resume, watcher, at=(number, len(cells)))
                for number, config in enumerate(cells, start=1)
            ]
            failed = any(result.status == "failed" for result in results)
            manifest = manifest.model_copy(update={"status": "failed" if failed else "ok", "finished_at": _now()})
            run = Run(directory, manifest, tuple(results))
            comparison = publish(run, watcher.progress)
        except KeyboardInterrupt:
            store.write_json(directory.manifest, manifest.model_copy(update={"status": "interrupted"}))
            watcher.note(f"go on with the same command and --out {directory.path} --resume")
            raise
        store.write_json(directory.manifest, manifest)
    return run, comparison


def _prepare(cells: Sequence[RunConfig], progress: Progress) -> list[DatasetRecord]:
    wanted = dict.fromkeys(config.data.whole for config in cells)
    return [load_dataset(data, progress).record for data in wanted]


def _lock(directory: store.RunDirectory, watcher: Watcher) -> store.FileLock:
    """Claim the folder, waiting a little: a cell whose parent was killed takes a moment to notice and end."""
    give_up_at = time.monotonic() + _LOCK_PATIENCE_S
    told = False
    while True:
        try:
            return directory.lock()
        except UsageError:
            if time.monotonic() > give_up_at:
                raise
        if not told:
            watcher.note(f"waiting for another process to leave {directory.path}")
            told = True
        time.sleep(0.2)


def _run_or_reuse(
    config: RunConfig,
    directory: store.RunDirectory,
    lock: store.FileLock,
    resume: bool,
    watcher: Watcher,
    *,
    at: tuple[int, int],
) -> CellResult:
    files = directory.cell(config)
    watcher.cell_started(config, *at)
    if resume and files.result.exists():
        result = store.read_record(files.result, CellResult)
        if result.status == "ok":
            watcher.cell_finished(result, reused=True)
            return result
    result = run_isolated(config, files, watcher.progress, keep_open=(lock.descriptor,))
    watcher.cell_finished(result, reused=False)
    return result


def _resumed(planned: Manifest, stored: Manifest, watcher: Watcher) -> Manifest:
    """The stored manifest, running again, if the data is still the same; a change of code is told."""
    if planned.datasets != stored.datasets:
        raise UsageError(
            "The data has changed since this run was started, so its cells could not be compared. "
            "Start anew with another --out."
        )
    if planned.environment.get("code") != stored.environment.get("code"):
        watcher.note("The code has changed since this run was started; every cell's result says which it ran.")
    return stored.model_copy(update={"status": "running", "finished_at": None})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
