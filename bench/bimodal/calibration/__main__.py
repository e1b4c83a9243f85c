"""`python -m bimodal.calibration`: the table, and whether every promise was kept."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bimodal.calibration.studies import Row, Studies, all_rows


def main() -> int:
    """Run all studies, print the table, and say with the exit code whether every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m bimodal.calibration", description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1000, help="simulated comparisons per row (default 1000)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples (default 1000)")
    parser.add_argument("--workers", type=int, default=_cores(), help="processes (default: one per core)")
    parser.add_argument("--json", type=Path, help="write the rows to this file as well")
    asked = parser.parse_args()
    started = time.monotonic()
    rows: list[Row] = []
    # Workers share the cores among themselves: their linear algebra must not do so once more.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    with ProcessPoolExecutor(asked.workers, get_context("spawn")) as pool:
        for row in all_rows(Studies(pool, asked.comparisons, asked.resamples)):
            rows.append(row)
            print(f"{time.monotonic() - started:5.0f} s  {row.study}: {row.event} {row.rate:.1%}", file=sys.stderr)
    Console(width=180).print(table(rows))
    if asked.json:
        asked.json.write_text(json.dumps([{**asdict(row), "kept": row.kept} for row in rows], indent=1) + "\n")
    broken = [row for row in rows if not row.kept]
    print(f"{len(rows)} rows of {asked.comparisons} comparisons; promises broken: {len(broken)}")
    return 1 if broken else 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def table(rows: list[Row]) -> Table:
    """Rates with their Monte-Carlo error beside what was promised."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("study", "metric", "examples", "seeds", "spread", "event"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("rate", "± 2 s.e.", "promised", "kept"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("")
    for row in rows:
        promise = "–" if row.promise is None else f"{row.promise[0]:.0%} to {row.promise[1]:.0%}"
        shown.add_row(
            row.study,
            row.metric,
            str(row.examples),
            row.seeds,
            f"{row.seed_spread:g}",
            row.event,
            f"{row.rate:.1%}",
            f"{2 * row.standard_error:.1%}",
            promise,
            "–" if row.promise is None else "yes" if row.kept else "NO",
            row.note,
        )
    return shown


if __name__ == "__main__":
    raise SystemExit(main())
