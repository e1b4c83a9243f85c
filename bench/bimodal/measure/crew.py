"""The workers of a measurement, as their parent sees them: started together, asked one at a time, ended together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bimodal.measure.schedule import Who

_LOG_TAIL_LINES = 6
_END_PATIENCE_S = 10.0

OPENMP = {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
"""How long idle threads spin before they sleep.

By default GNU OpenMP's threads spin for about 16 ms (300,000 turns) after their last work, which is in the time of the
contestant that is asked next: two gpt of preset `small` that took turns needed 13.4 ms a request, one alone 9.4 ms.
With OMP_WAIT_POLICY=passive they never spin, and one alone needs 30 ms, because within a request, too, threads are put
to sleep and woken again at every operation. 10,000 turns, about 0.5 ms, bridge the gaps within a request (9.0 ms alone)
and are over before the next contestant is asked (10.5 ms in turns). KMP_BLOCKTIME is Intel's word for it, in ms.
"""


class WorkerError(Exception):
    """A worker could not be started, or ended before it should; the message says why."""


@dataclass(slots=True)
class Worker:
    """A process of one contestant."""

    name: str
    """For messages."""
    process: subprocess.Popen[bytes]
    replies: Any
    log: Path

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def ask(self, question: str, **details: float) -> dict[str, Any]:
        """Put a question (see `worker.Worker`) and wait for the answer.

        Raises:
            WorkerError: the process failed, or is gone.
        """
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # its last reply, or its log, says why
            self.process.stdin.write((json.dumps({"ask": question, **details}) + "\n").encode())
            self.process.stdin.flush()
        return self.reply()

    def reply(self) -> dict[str, Any]:
        """The next line it says; raises WorkerError."""
        line = self.replies.readline()
        if not line:
            code = self.process.wait()
            tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            raise WorkerError(f"the process of {self.name} ended with exit code {code}. {' '.join(tail)}".strip())
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise WorkerError(f"{self.name}: {found['error']}")
        return found


@contextmanager
def crew(cells: Mapping[str, Path], processes: int, *, keep_open: Sequence[int] = ()) -> Iterator[dict[Who, Worker]]:
    """Start so many processes of each contestant; however the block is left, they are gone afterwards.

    They load while the block begins; the first reply of each says that it has.

    Args:
        cells: folders of complete cells, by contestant.
        processes: of each contestant.
        keep_open: file descriptors that the workers inherit (the run's lock).
    """
    workers: dict[Who, Worker] = {}
    try:
        for number in range(processes):
            for name, cell in cells.items():
                workers[name, number] = _started(name, cell, keep_open)
        yield workers
    finally:
        for worker in workers.values():
            worker.process.terminate()  # it has nothing to tidy up
        for worker in workers.values():
            _end(worker)


def _started(name: str, cell: Path, keep_open: Sequence[int]) -> Worker:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "bimodal.measure", str(cell), str(writing)]
    log = cell / "cell.log"
    with log.open("ab") as written:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
            pass_fds=(writing, *keep_open),
            env={**os.environ, **OPENMP},
        )
    os.close(writing)
    return Worker(name, process, os.fdopen(reading, encoding="utf-8"), log)


def _end(worker: Worker) -> None:
    if worker.process.stdin is not None:
        with suppress(BrokenPipeError):
            worker.process.stdin.close()
    try:
        worker.process.wait(timeout=_END_PATIENCE_S)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
    worker.replies.close()
