"""`bench compare A B`: the cells two runs have in common, second minus first, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from bimodal.errors import UsageError
from bimodal.metrics import CORPUS_METRICS
from bimodal.publish import Run, predictions_of
from bimodal.schema import PredictionRow, Record
from bimodal.statistics import paired_difference
from bimodal.types import Example, Prediction

_SEED = 0


class RunDifference(Record):
    """One metric of one cell in two runs."""

    cell: str
    metric: str
    unit: str
    first: float
    second: float
    difference: float
    ci95: tuple[float, float] | None
    """Paired bootstrap over test examples; null where the runs were tested on different ones, or the metric is not one
    that can be resampled."""


def compare_runs(first: Run, second: Run) -> tuple[RunDifference, ...]:
    """Every metric of every cell that is complete in both runs.

    Raises:
        UsageError: the runs have no complete cell in common.
    """
    before, after = predictions_of(first), predictions_of(second)
    common = [cell for cell in before if cell in after]
    if not common:
        raise UsageError(
            f"{first.directory.path} and {second.directory.path} have no complete cell in common: "
            f"{', '.join(before) or 'none'} against {', '.join(after) or 'none'}."
        )
    results = [{result.config.cell: result for result in run.results} for run in (first, second)]
    rows: list[RunDifference] = []
    for cell in common:
        old, new = (result[cell].metrics for result in results)
        paired = [(row.id, row.target) for row in before[cell]] == [(row.id, row.target) for row in after[cell]]
        for name in old.keys() & new.keys():
            resampled = paired and name in CORPUS_METRICS
            interval = _interval(name, before[cell], after[cell]) if resampled else None
            a, b = old[name].value, new[name].value
            rows.append(
                RunDifference(
                    cell=cell,
                    metric=name,
                    unit=old[name].unit,
                    first=a,
                    second=b,
                    difference=b - a,
                    ci95=interval,
                )
            )
    return tuple(sorted(rows, key=lambda row: (row.cell, row.metric)))


def tables(rows: Sequence[RunDifference]) -> Group:
    """The differences for a terminal, one table per cell."""
    cells = dict.fromkeys(row.cell for row in rows)
    return Group(*(_table(cell, [row for row in rows if row.cell == cell]) for cell in cells))


def _table(cell: str, rows: Sequence[RunDifference]) -> Table:
    shown = Table(title=cell, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    shown.add_column("metric", no_wrap=True)
    for heading in ("first", "second", "second - first", "95 % interval"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        digits = 1 if row.unit == "points" else 3
        interval = "unavailable"
        if row.ci95 is not None:
            interval = f"{row.ci95[0]:+.{digits}f} to {row.ci95[1]:+.{digits}f}"
        name = row.metric if row.metric.endswith("per_byte") else f"{row.metric} ({row.unit})"
        numbers = (f"{row.first:.{digits}f}", f"{row.second:.{digits}f}", f"{row.difference:+.{digits}f}")
        shown.add_row(name, *numbers, interval)
    return shown


def _interval(name: str, before: Sequence[PredictionRow], after: Sequence[PredictionRow]) -> tuple[float, float]:
    metric = CORPUS_METRICS[name]
    first, second = (metric.statistics(*_as_examples(rows)) for rows in (before, after))
    return paired_difference(first[None], second[None], metric.aggregate, seed=_SEED).ci95


def _as_examples(rows: Sequence[PredictionRow]) -> tuple[list[Prediction], list[Example]]:
    return (
        [Prediction(row.id, row.prediction, row.target_bits) for row in rows],
        [Example(row.id, row.text, row.target, language=row.language) for row in rows],
    )
