"""`compare()`: what the results of a run say together. Pure; imports neither torch nor anything that draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bimodal.errors import DataError
from bimodal.schema import (
    CellResult,
    Comparison,
    DataConfig,
    DatasetRecord,
    Manifest,
    PredictionRow,
    RunConfig,
    TaskComparison,
    TaskRecord,
    Timings,
)
from bimodal_reports.audits import AuditedCell, compare_audits
from bimodal_reports.dials import dial_curves
from bimodal_reports.differences import probe_drops
from bimodal_reports.ladder import ladder_of
from bimodal_reports.multiplicity import with_holm
from bimodal_reports.pairs import compare_pair, modalities_seen
from bimodal_reports.prices import pareto_of, prices_of
from bimodal_reports.samples import samples_of
from bimodal_reports.scored import predictions_of, scored_cell
from bimodal_reports.slices import search_slices

BASELINE = "gpt"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What may be known of a run's cells beyond their results and predictions."""

    audits: Mapping[str, AuditedCell] = field(default_factory=dict)
    """By cell name, for the audited ones."""
    latencies: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Every timed request in ms, by cell name."""
    timings: Mapping[str, Timings] = field(default_factory=dict)
    """Every raw sample, by cell name."""
    slices: Mapping[tuple[str | None, str], Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    """The slices of each test example: by the data set's task and fingerprint, example id and key."""


def compare(
    manifest: Manifest,
    results: Sequence[CellResult],
    predictions: Mapping[str, Sequence[PredictionRow]],
    probe_predictions: Mapping[tuple[str, str], Sequence[PredictionRow]],
    evidence: Evidence | None = None,
) -> Comparison:
    """Hold every contestant against the baseline of its task and data set, on the same test examples.

    The baseline is `gpt` where it has a result, else the first contestant that has one; that of a variant is what the
    variant was made of. Contestants are held against theirs over all seeds that both have. Cells without a result are
    listed and everything else is compared.

    Args:
        manifest: what was asked; says which cells there should be.
        results: what the cells found, complete or failed.
        predictions: by cell name, for the complete ones.
        probe_predictions: by cell name and probe name.
        evidence: what else is known of the cells.

    Raises:
        DataError: predictions are missing, or two cells of a pair answered different examples.
    """
    by_cell = {result.config.cell: result for result in results}
    groups: dict[tuple[str, DataConfig], list[RunConfig]] = {}
    for config in manifest.cells:
        groups.setdefault((config.task, config.data.whole), []).append(config)
    tasks = [
        _compare_task(manifest, configs, by_cell, predictions, probe_predictions, evidence or Evidence())
        for configs in groups.values()
    ]
    return Comparison(run_id=manifest.run_id, tasks=with_holm(tasks), dials=dial_curves(tasks))


def _task_record(manifest: Manifest, config: RunConfig) -> TaskRecord:
    for record in manifest.tasks:
        if record.name == config.task:
            return record
    raise DataError(f"Run {manifest.run_id} has cells of task {config.task!r} but its manifest does not declare it.")


def _dataset_record(manifest: Manifest, config: RunConfig) -> DatasetRecord:
    for record in manifest.datasets:
        if record.is_of(config.data):
            return record
    raise DataError(
        f"Run {manifest.run_id} has cells on data set {config.data.name!r} but its manifest has no record of it."
    )


def _compare_task(
    manifest: Manifest,
    configs: Sequence[RunConfig],
    by_cell: Mapping[str, CellResult],
    predictions: Mapping[str, Sequence[PredictionRow]],
    probe_predictions: Mapping[tuple[str, str], Sequence[PredictionRow]],
    evidence: Evidence,
) -> TaskComparison:
    task, dataset = _task_record(manifest, configs[0]), _dataset_record(manifest, configs[0])
    seeds = len({config.seed for config in configs})
    complete = [by_cell[c.cell] for c in configs if c.cell in by_cell and by_cell[c.cell].status == "ok"]
    names = _contestants([result.config for result in complete], configs)
    complete.sort(key=lambda result: (result.config.seed, names.index(result.config.contestant)))
    order = predictions_of(complete[0].config.cell, predictions) if complete else ()
    scored = [scored_cell(result, order, predictions, probe_predictions) for result in complete]
    failed = {c.cell: _why(by_cell.get(c.cell)) for c in configs if c.cell not in {r.config.cell for r in complete}}
    cells = {name: {cell.seed: cell for cell in scored if cell.name == name} for name in names}
    drops = tuple(drop for mine in cells.values() if mine for drop in probe_drops([*mine.values()]))
    base = _baselines(names, configs)
    paired = [
        [(cells[base[name]][seed], cell) for seed, cell in cells[name].items() if seed in cells[base[name]]]
        for name in names[1:]
    ]
    # Who perceives something comes first: that is the question. Controls come after.
    common = sorted((mine for mine in paired if mine), key=lambda mine: not modalities_seen(mine[0][1].result))
    pairs = [
        compare_pair(
            task,
            mine,
            failed=failed,
            drops=drops,
            timings=evidence.timings,
            looks=manifest.looks,
            planned_seeds=seeds,
        )
        for mine in common
    ]
    primaries = [next(d for d in pair.differences if d.metric == task.primary_metric) for pair in pairs]
    first_seed = scored[0].seed if scored else None
    return TaskComparison(
        task=task,
        dataset=dataset,
        contestants=names,
        pairs=tuple(pairs),
        probes=drops,
        audit=compare_audits(scored, evidence.audits, task.primary_metric, order),
        ladder=ladder_of(cells, task.primary_metric),
        prices=tuple(
            prices_of(mine, primary, evidence.latencies) for mine, primary in zip(common, primaries, strict=True)
        ),
        pareto=pareto_of(cells, task.primary_metric, primaries[0].higher_is_better) if primaries else None,
        slices=search_slices(common, task.primary_metric, evidence.slices.get((dataset.task, dataset.fingerprint), {})),
        # One training of each is enough to look at.
        samples=samples_of([cell for cell in scored if cell.seed == first_seed]),
        failed=failed,
    )


def _contestants(complete: Sequence[RunConfig], configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """Names in the order of the manifest, the baseline first."""
    with_result = [config.contestant for config in complete]
    names = dict.fromkeys(config.contestant for config in configs)
    baseline = BASELINE if BASELINE in with_result else next(iter(with_result), next(iter(names)))
    return (baseline, *(name for name in names if name != baseline))


def _baselines(names: Sequence[str], configs: Sequence[RunConfig]) -> dict[str, str]:
    """What each contestant is held against: the baseline, or, a variant, what it was made of."""
    made_of = {config.contestant: config.variant.of for config in configs if config.variant is not None}
    return {name: made_of.get(name, names[0]) for name in names}


def _why(result: CellResult | None) -> str:
    if result is None or result.error is None:
        return "No result: the run ended before this cell did. `bench run ... --resume` goes on with it."
    return f"{result.error.kind}: {result.error.message}"
