"""Predictions as sufficient statistics: what everything in a comparison is computed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bimodal.errors import DataError
from bimodal.metrics import CHRF2, CORPUS_METRICS
from bimodal.schema import CellResult, PredictionRow
from bimodal.statistics import FloatArray
from bimodal.types import Example, Prediction


@dataclass(frozen=True, slots=True)
class ScoredCell:
    """A complete cell with its predictions."""

    result: CellResult
    rows: tuple[PredictionRow, ...]
    statistics: Mapping[str, FloatArray]
    """Sufficient statistics [example, statistic] by metric name."""
    probes: Mapping[str, Mapping[str, FloatArray]]
    """The same for each probe, by probe name."""
    probe_rows: Mapping[str, tuple[PredictionRow, ...]]

    @property
    def name(self) -> str:
        """The contestant's name."""
        return self.result.config.contestant

    @property
    def seed(self) -> int:
        """The training seed."""
        return self.result.config.seed


def scored_cell(
    result: CellResult,
    order: Sequence[PredictionRow],
    predictions: Mapping[str, Sequence[PredictionRow]],
    probe_predictions: Mapping[tuple[str, str], Sequence[PredictionRow]],
) -> ScoredCell:
    """Score a cell's predictions and probes with their rows in the order of `order`.

    Raises:
        DataError: predictions are missing, or answer other examples than `order`.
    """
    cell = result.config.cell
    rows = ordered(cell, predictions_of(cell, predictions), order)
    probe_rows = {}
    for probe in result.probes:
        if (cell, probe) not in probe_predictions:
            raise DataError(f"Cell {cell} has a probe {probe!r} but no predictions for it. Run the cell again.")
        probe_rows[probe] = ordered(f"{cell} ({probe})", probe_predictions[cell, probe], order)
    return ScoredCell(
        result=result,
        rows=rows,
        statistics=statistics_of(rows, result.metrics),
        probes={name: statistics_of(changed, result.probes[name].metrics) for name, changed in probe_rows.items()},
        probe_rows=probe_rows,
    )


def predictions_of(cell: str, predictions: Mapping[str, Sequence[PredictionRow]]) -> Sequence[PredictionRow]:
    """The predictions of a complete cell.

    Raises:
        DataError: there are none.
    """
    if not predictions.get(cell):
        raise DataError(f"Cell {cell} is complete but has no predictions. Run it again, or remove its folder.")
    return predictions[cell]


def ordered(what: str, rows: Sequence[PredictionRow], order: Sequence[PredictionRow]) -> tuple[PredictionRow, ...]:
    """The rows in the order of `order`; raises DataError where they answer other examples."""
    by_id = {row.id: row for row in rows}
    expected = {row.id: row.target for row in order}
    if {identifier: row.target for identifier, row in by_id.items()} != expected or len(rows) != len(order):
        odd = sorted(by_id.keys() ^ expected.keys())
        example = f"example {odd[0]!r}" if odd else "a target or a repeated example"
        raise DataError(
            f"The predictions of {what} answer other examples than those they are compared with ({example} differs; "
            f"{len(rows)} against {len(order)}). Only cells tested on the same data can be compared."
        )
    return tuple(by_id[row.id] for row in order)


def statistics_of(rows: Sequence[PredictionRow], names: Iterable[str]) -> dict[str, FloatArray]:
    """Sufficient statistics [example, statistic] of those of the named metrics that can be resampled."""
    predictions = [Prediction(row.id, row.prediction, row.target_bits, row.tags) for row in rows]
    examples = [Example(row.id, row.text, row.target, language=row.language, tags=row.target_tags) for row in rows]
    return {
        name: CORPUS_METRICS[name].statistics(predictions, examples)
        # Samples are sorted by chrF, whatever the task is judged by.
        for name in dict.fromkeys((*names, CHRF2.name))
        if name in CORPUS_METRICS
    }


def sentence_chrf(statistics: Mapping[str, FloatArray]) -> list[float]:
    """ChrF of each single example, 0 to 100."""
    return [float(score) for score in CHRF2.aggregate(statistics[CHRF2.name])]


def comparable_metrics(*results: CellResult) -> tuple[str, ...]:
    """Metrics that all these cells report and that can be resampled, in the task's order."""
    first, *others = results
    return tuple(
        name for name in first.metrics if name in CORPUS_METRICS and all(name in other.metrics for other in others)
    )
