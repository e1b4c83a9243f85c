"""What `bench audit` found, as differences with intervals: what each modality is worth to each contestant. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bimodal.metrics import CORPUS_METRICS
from bimodal.schema import AuditDrop, CellAudit, PredictionRow, TaskAudit
from bimodal.statistics import FloatArray
from bimodal_reports.differences import paired
from bimodal_reports.scored import ScoredCell, comparable_metrics, ordered, statistics_of


@dataclass(frozen=True, slots=True)
class AuditedCell:
    """A cell's audit with its answers."""

    audit: CellAudit
    true: Sequence[PredictionRow]
    probes: Mapping[str, Sequence[PredictionRow]]
    """By name of the probe."""


def compare_audits(
    cells: Sequence[ScoredCell], audits: Mapping[str, AuditedCell], primary: str, order: Sequence[PredictionRow]
) -> TaskAudit | None:
    """The drop of every audited contestant under every probe, over the seeds that were audited; None if none was.

    Drops are of the primary metric and of bits: the one that decides, and the one that moves first.

    Args:
        cells: the complete cells of one task on one data set.
        audits: by cell name.
        primary: the task's primary metric.
        order: the test examples.

    Raises:
        DataError: the audit answered other examples.
    """
    audited = [cell for cell in cells if cell.result.config.cell in audits]
    if not audited:
        return None
    drops: list[AuditDrop] = []
    for name in dict.fromkeys(cell.name for cell in audited):
        seeds = [_scored(cell, audits[cell.result.config.cell], order) for cell in audited if cell.name == name]
        for probe in seeds[0].found.audit.probes:
            having = [seed for seed in seeds if probe in seed.probes]
            drops += _drops(name, probe, having, primary)
    return TaskAudit(
        drops=tuple(drops),
        not_reproduced=tuple(
            cell.result.config.cell for cell in audited if not audits[cell.result.config.cell].audit.reproduced
        ),
    )


@dataclass(frozen=True, slots=True)
class _Scored:
    """One audited training."""

    cell: ScoredCell
    found: AuditedCell
    true: Mapping[str, FloatArray]
    """Sufficient statistics [example, statistic] by metric name."""
    probes: Mapping[str, Mapping[str, FloatArray]]


def _scored(cell: ScoredCell, found: AuditedCell, order: Sequence[PredictionRow]) -> _Scored:
    names = cell.result.metrics
    what = f"the audit of {cell.result.config.cell}"
    probes = {name: statistics_of(ordered(what, rows, order), names) for name, rows in found.probes.items()}
    return _Scored(cell, found, statistics_of(ordered(what, found.true, order), names), probes)


def _drops(contestant: str, probe: str, seeds: Sequence[_Scored], primary: str) -> list[AuditDrop]:
    known = comparable_metrics(*(seed.cell.result for seed in seeds))
    record = seeds[0].found.audit.probes[probe]
    helped, hurt = _flips(seeds[0].found, probe)
    drops = []
    for metric in known:
        if metric != primary and not metric.startswith("bits_per_"):
            continue
        up = CORPUS_METRICS[metric].higher_is_better
        found = paired(metric, [seed.probes[probe][metric] for seed in seeds], [seed.true[metric] for seed in seeds])
        drop = found.value if up else -found.value
        drops.append(
            AuditDrop(
                contestant=contestant,
                probe=probe,
                modality=record.modality,
                kind=record.kind,
                metric=metric,
                unit=CORPUS_METRICS[metric].unit,
                true_value=found.contestant_value,
                probe_value=found.baseline_value,
                drop=drop,
                ci95=found.ci95 if up else (-found.ci95[1], -found.ci95[0]),
                p_value=found.p_value,
                perceptual_score=drop / found.contestant_value if up and found.contestant_value > 0 else None,
                helped=helped,
                hurt=hurt,
                examples=found.examples,
                resamples=found.resamples,
            )
        )
    return drops


def _flips(found: AuditedCell, probe: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Examples that are exactly right with the truth alone, and those that are so with the changed input alone."""
    true = {row.id: _right(row) for row in found.true}
    probed = {row.id: _right(row) for row in found.probes[probe]}
    helped = tuple(name for name in true if true[name] and not probed[name])
    return helped, tuple(name for name in true if probed[name] and not true[name])


def _right(row: PredictionRow) -> bool:
    return row.prediction.strip() == row.target.strip()
