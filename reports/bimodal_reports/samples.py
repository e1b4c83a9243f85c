"""The test examples with everybody's output, for the sample browser."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.schema import Sample
from bimodal_reports.scored import ScoredCell, sentence_chrf


def samples_of(cells: Sequence[ScoredCell]) -> tuple[Sample, ...]:
    """Every test example with everybody's output, in the data set's order."""
    if not cells:
        return ()
    texts: dict[str, list[str]] = {}
    scores: dict[str, list[float]] = {}
    for cell in cells:
        texts[cell.name] = [row.prediction for row in cell.rows]
        scores[cell.name] = sentence_chrf(cell.statistics)
        for probe, rows in cell.probe_rows.items():
            texts[f"{cell.name}.{probe}"] = [row.prediction for row in rows]
            scores[f"{cell.name}.{probe}"] = sentence_chrf(cell.probes[probe])
    return tuple(
        Sample(
            id=row.id,
            text=row.text,
            target=row.target,
            predictions={key: column[position] for key, column in texts.items()},
            scores={key: round(column[position], 2) for key, column in scores.items()},
        )
        for position, row in enumerate(cells[0].rows)
    )
