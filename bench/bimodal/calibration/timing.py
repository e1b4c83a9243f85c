"""`python -m bimodal.calibration.timing`: a contestant against itself, and against itself slowed down, under load.

Real processes of a small contestant are timed as a run times them. In half of the comparisons both contestants are the
same; in the others one keeps the processor busy for 5 % longer after every request. Meanwhile other programs come and
go. Ctrl-C ends it early, with the table of what was done.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bimodal.config import Request, plan
from bimodal.console import SilentWatcher
from bimodal.launch import launch
from bimodal.measure.crew import Worker, crew
from bimodal.measure.rounds import Log, Reply, take_requests
from bimodal.measure.schedule import Who, processes_for
from bimodal.schema import MeasureConfig
from bimodal_reports import paces_of

FIRST, SECOND = "first", "second"
_POOL = 12
"""Processes that each comparison draws its own from."""
_RENEW_AFTER = 50
"""Comparisons after which the pool is started anew: what a process is like stays for as long as it lives."""
_CELL = (
    "train.max_steps=4",
    "data.train_limit=64",
    "decode.max_new_tokens=4",
    "measure.requests=1",
    "measure.processes=1",
    "measure.throughput_rounds=1",
)
_COMES_AND_GOES = """
import random, time
while True:
    until = time.perf_counter() + random.uniform(0.1, 2.0)
    while time.perf_counter() < until:
        sum(range(2000))
    time.sleep(random.uniform(0.1, 2.0))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """How often each verdict was given on pairs of one kind."""

    slowdown: float
    """By how much the second is slower, as a fraction."""
    comparisons: int
    faster: float
    slower: float
    same: float
    ambiguous: float
    median_ratio: float
    median_noise: float
    seconds_per_comparison: float

    @property
    def kept(self) -> bool:
        """At most 5 % of the equal ones are called different; the slowed down are never called faster.

        Of these, at least 80 % are found, or the others are called ambiguous (5 % may be called the same).
        """
        if self.slowdown == 0:
            return self.faster + self.slower <= 0.05
        return self.faster == 0 and self.slower + self.ambiguous >= 0.95


def main() -> int:
    """Make the comparisons, print the table, and say with the exit code whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m bimodal.calibration.timing", description=__doc__)
    parser.add_argument("--comparisons", type=int, default=200, help="of each kind (default 200)")
    parser.add_argument("--slowdown", type=float, default=0.05, help="of the slower one, a fraction (default 0.05)")
    parser.add_argument("--requests", type=int, default=100, help="of each contestant (default 100, as preset small)")
    parser.add_argument("--threads", type=int, default=1, help="of each process (default 1)")
    parser.add_argument("--load", type=int, default=2, help="busy programs that come and go (default 2)")
    parser.add_argument("--json", type=Path, help="write the rows to this file as well")
    asked = parser.parse_args()
    config = MeasureConfig(requests=asked.requests, warmup=2)
    found: list[Compared] = []
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        cell = _trained(Path(folder) / "run", asked.threads)
        with busy(asked.load):
            for one in compare(cell, config, asked.comparisons, (0.0, asked.slowdown)):
                found.append(one)
    rows = [row_of(slowdown, found) for slowdown in (0.0, asked.slowdown)]
    Console(width=140).print(table(rows))
    if asked.json:
        settings = {"requests": asked.requests, "threads": asked.threads, "load": asked.load}
        content = {"settings": settings, "rows": [{**asdict(row), "kept": row.kept} for row in rows]}
        asked.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0 if all(row.kept for row in rows) else 1


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison."""

    slowdown: float
    outcome: str
    ratio: float
    noise: float
    seconds: float


def compare(cell: Path, config: MeasureConfig, comparisons: int, slowdowns: Sequence[float]) -> Iterator[Compared]:
    """As many comparisons of each kind, in turns, each of processes drawn from a pool."""
    draw = random.Random(0)
    for begin in range(0, comparisons, _RENEW_AFTER):
        with crew({FIRST: cell}, _POOL) as pool:
            workers = list(pool.values())
            ready = [worker.reply() for worker in workers]
            for number in range(begin, min(comparisons, begin + _RENEW_AFTER)):
                for slowdown in slowdowns:
                    drawn = draw.sample(workers, 2 * processes_for(2))
                    yield _compared(drawn, ready[0], config, slowdown)
                print(f"{number + 1} of {comparisons}", end="\r", file=sys.stderr, flush=True)


def _compared(drawn: Sequence[Worker], ready: Reply, config: MeasureConfig, slowdown: float) -> Compared:
    workers: Mapping[Who, Worker] = {((FIRST, SECOND)[at % 2], at // 2): worker for at, worker in enumerate(drawn)}
    logs = {FIRST: Log(ready), SECOND: Log(ready)}
    started = time.perf_counter()
    take_requests(workers, logs, config, lambda *_: None, {SECOND: slowdown})
    whole = paces_of([(logs[FIRST].timings(), logs[SECOND].timings())])[0]
    seconds = time.perf_counter() - started
    return Compared(slowdown, whole.outcome, whole.ratio, whole.noise or 0.0, seconds)


def row_of(slowdown: float, compared: Sequence[Compared]) -> Row:
    """What came out of the comparisons with that slowdown."""
    mine = [one for one in compared if one.slowdown == slowdown]
    counts = Counter(one.outcome for one in mine)
    share = {outcome: counts[outcome] / len(mine) for outcome in ("FASTER", "SLOWER", "SAME", "AMBIGUOUS")}
    middle = len(mine) // 2
    return Row(
        slowdown=slowdown,
        comparisons=len(mine),
        faster=share["FASTER"],
        slower=share["SLOWER"],
        same=share["SAME"],
        ambiguous=share["AMBIGUOUS"],
        median_ratio=sorted(one.ratio for one in mine)[middle],
        median_noise=sorted(one.noise for one in mine)[middle],
        seconds_per_comparison=sum(one.seconds for one in mine) / len(mine),
    )


def table(rows: Sequence[Row]) -> Table:
    """Shares of verdicts."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    headings = ("slower by", "comparisons", "FASTER", "SLOWER", "SAME", "AMBIGUOUS", "ratio", "noise", "s each", "kept")
    for heading in headings:
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        shares = (f"{share:.1%}" for share in (row.faster, row.slower, row.same, row.ambiguous))
        figures = (f"{row.median_ratio:.3f}", f"±{row.median_noise:.1%}", f"{row.seconds_per_comparison:.1f}")
        shown.add_row(f"{row.slowdown:.0%}", str(row.comparisons), *shares, *figures, "yes" if row.kept else "NO")
    return shown


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """So many programs that compute for a while, rest for a while, and so on."""
    children = [subprocess.Popen([sys.executable, "-c", _COMES_AND_GOES]) for _ in range(programs)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def _trained(folder: Path, threads: int) -> Path:
    """Folder of a cell of the smoke preset, barely trained."""
    settings = (*_CELL, f"threads={threads}")
    cells = plan(Request(task="captioning", model="gpt", preset="smoke", settings=settings))
    run, _ = launch(cells, folder, run_id="timing", command="", resume=False, watcher=SilentWatcher())
    return run.directory.cell(cells[0]).path


if __name__ == "__main__":
    raise SystemExit(main())
