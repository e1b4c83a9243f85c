"""`compare()`: what the results of a run say together. Pure; imports neither torch nor anything that draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bimodal.errors import DataError
from bimodal.metrics import CORPUS_METRICS
from bimodal.schema import (
    CellResult,
    Comparison,
    CostRatio,
    DataConfig,
    DatasetRecord,
    Difference,
    Manifest,
    Modality,
    Pair,
    PredictionRow,
    ProbeDrop,
    RunConfig,
    TaskComparison,
    TaskRecord,
    Verdict,
)
from bimodal.statistics import RESAMPLES, FloatArray, PairedDifference, paired_difference
from bimodal_reports.caveats import pair_caveats
from bimodal_reports.costs import cost_ratios
from bimodal_reports.samples import samples_of
from bimodal_reports.scored import (
    ScoredCell,
    comparable_metrics,
    predictions_of,
    scored_cell,
)
from bimodal_reports.verdicts import outcome_of, probe_sentence, sentence, subject

BASELINE = "gpt"
_SEED = 0
"""Of all resampling here; the same test sets are drawn for every pair and metric."""


def compare(
    manifest: Manifest,
    results: Sequence[CellResult],
    predictions: Mapping[str, Sequence[PredictionRow]],
    probe_predictions: Mapping[tuple[str, str], Sequence[PredictionRow]],
) -> Comparison:
    """Hold every contestant against the baseline of its task and data set, on the same test examples.

    The baseline is `gpt` where it has a result, else the first contestant that has one. Contestants are paired by
    seed. Cells without a result are listed and everything else is compared.

    Args:
        manifest: what was asked; says which cells there should be.
        results: what the cells found, complete or failed.
        predictions: by cell name, for the complete ones.
        probe_predictions: by cell name and probe name.

    Raises:
        DataError: predictions are missing, or two cells of a pair answered different examples.
    """
    by_cell = {result.config.cell: result for result in results}
    groups: dict[tuple[str, DataConfig], list[RunConfig]] = {}
    for config in manifest.cells:
        groups.setdefault((config.task, config.data.whole), []).append(config)
    return Comparison(
        run_id=manifest.run_id,
        tasks=tuple(
            _compare_task(
                _task_record(manifest, configs[0]),
                _dataset_record(manifest, configs[0]),
                configs,
                by_cell,
                predictions,
                probe_predictions,
            )
            for configs in groups.values()
        ),
    )


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
    task: TaskRecord,
    dataset: DatasetRecord,
    configs: Sequence[RunConfig],
    by_cell: Mapping[str, CellResult],
    predictions: Mapping[str, Sequence[PredictionRow]],
    probe_predictions: Mapping[tuple[str, str], Sequence[PredictionRow]],
) -> TaskComparison:
    complete = [by_cell[c.cell] for c in configs if c.cell in by_cell and by_cell[c.cell].status == "ok"]
    names = _contestants([result.config for result in complete], configs)
    complete.sort(key=lambda result: (result.config.seed, names.index(result.config.contestant)))
    order = predictions_of(complete[0].config.cell, predictions) if complete else ()
    scored = [scored_cell(result, order, predictions, probe_predictions) for result in complete]
    failed = {c.cell: _why(by_cell.get(c.cell)) for c in configs if c.cell not in {r.config.cell for r in complete}}
    drops = {cell.result.config.cell: _probe_drops(cell) for cell in scored}
    by_seed: dict[int, list[ScoredCell]] = {}
    for cell in scored:
        by_seed.setdefault(cell.result.config.seed, []).append(cell)
    pairs = [
        _pair(task, cells[0], other, seeds=len(by_seed), failed=failed, drops=drops[other.result.config.cell])
        for cells in by_seed.values()
        for other in cells[1:]
    ]
    # Probes and samples carry no seed: they show the first one.
    shown = next(iter(by_seed.values()), [])
    return TaskComparison(
        task=task,
        dataset=dataset,
        contestants=names,
        pairs=tuple(pairs),
        probes=tuple(drop for cell in shown for drop in drops[cell.result.config.cell]),
        samples=samples_of(shown),
        failed=failed,
    )


def _contestants(complete: Sequence[RunConfig], configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """Names in the order of the manifest, the baseline first."""
    with_result = [config.contestant for config in complete]
    names = dict.fromkeys(config.contestant for config in configs)
    baseline = BASELINE if BASELINE in with_result else next(iter(with_result), next(iter(names)))
    return (baseline, *(name for name in names if name != baseline))


def _why(result: CellResult | None) -> str:
    if result is None or result.error is None:
        return "No result: the run ended before this cell did. `bench run ... --resume` goes on with it."
    return f"{result.error.kind}: {result.error.message}"


def _difference(metric: str, baseline: FloatArray, contestant: FloatArray) -> PairedDifference:
    return paired_difference(baseline, contestant, CORPUS_METRICS[metric].aggregate, seed=_SEED, resamples=RESAMPLES)


def _pair(
    task: TaskRecord,
    baseline: ScoredCell,
    contestant: ScoredCell,
    *,
    seeds: int,
    failed: Mapping[str, str],
    drops: Sequence[ProbeDrop],
) -> Pair:
    metrics = comparable_metrics(baseline.result, contestant.result)
    if task.primary_metric not in metrics:
        raise DataError(
            f"{baseline.name} and {contestant.name} cannot be compared by {task.primary_metric!r}, the primary metric "
            f"of task {task.name!r}: both must report it, and it must be one of {', '.join(CORPUS_METRICS)}."
        )
    differences = {
        name: _as_record(name, _difference(name, baseline.statistics[name], contestant.statistics[name]))
        for name in metrics
    }
    primary = differences[task.primary_metric]
    costs: tuple[CostRatio, ...] = ()
    if baseline.result.cost is not None and contestant.result.cost is not None:
        costs = cost_ratios(baseline.result.cost, contestant.result.cost)
    seen = modalities_seen(contestant.result)
    extra = [modality for modality in seen if modality not in modalities_seen(baseline.result)]
    # Who scores nothing has nothing to lose: such a drop of 0 says nothing about the input.
    decisive = [drop for drop in drops if drop.metric == task.primary_metric and drop.true_value > 0]
    deranged = next((drop for drop in decisive if drop.probe == "deranged"), None)
    verdict = Verdict(
        outcome=outcome_of(primary, task.margin),
        metric=task.primary_metric,
        margin=task.margin,
        sentence=sentence(
            subject(baseline.name, contestant.name, extra),
            primary,
            task.margin,
            costs,
            probe_sentence(deranged, primary.unit, task.margin, seen) if deranged else None,
        ),
        caveats=pair_caveats(
            baseline.result,
            contestant.result,
            examples=primary.examples,
            seeds=seeds,
            failed=failed,
            probes=decisive,
        ),
    )
    return Pair(
        baseline=baseline.name,
        contestant=contestant.name,
        seed=contestant.result.config.seed,
        verdict=verdict,
        differences=tuple(differences.values()),
        costs=costs,
    )


def _as_record(metric: str, found: PairedDifference) -> Difference:
    return Difference(
        metric=metric,
        unit=CORPUS_METRICS[metric].unit,
        higher_is_better=CORPUS_METRICS[metric].higher_is_better,
        baseline_value=found.baseline_value,
        contestant_value=found.contestant_value,
        value=found.value,
        ci95=found.ci95,
        ci90=found.ci90,
        p_value=found.p_value,
        examples=found.examples,
        resamples=found.resamples,
    )


def modalities_seen(result: CellResult) -> tuple[Modality, ...]:
    """What a contestant was given beyond text."""
    return result.inputs_seen.modalities if result.inputs_seen else ()


def _probe_drops(cell: ScoredCell) -> tuple[ProbeDrop, ...]:
    """How much quality each probe costs, positive for a loss, whichever way the metric points."""
    drops = []
    for probe, statistics in cell.probes.items():
        for metric in comparable_metrics(cell.result):
            if metric not in statistics:
                continue
            found = _difference(metric, statistics[metric], cell.statistics[metric])
            up = CORPUS_METRICS[metric].higher_is_better
            drops.append(
                ProbeDrop(
                    contestant=cell.name,
                    probe=probe,
                    metric=metric,
                    true_value=found.contestant_value,
                    probe_value=found.baseline_value,
                    drop=found.value if up else -found.value,
                    ci95=found.ci95 if up else (-found.ci95[1], -found.ci95[0]),
                )
            )
    return tuple(drops)
