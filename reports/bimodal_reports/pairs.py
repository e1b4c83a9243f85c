"""One contestant against the baseline: differences, costs, verdict and caveats, over all seeds that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bimodal.errors import DataError
from bimodal.metrics import CORPUS_METRICS
from bimodal.schema import CellResult, Look, LookTaken, Modality, Pair, ProbeDrop, TaskRecord, Timings, Verdict
from bimodal_reports.caveats import pair_caveats
from bimodal_reports.costs import cost_ratios
from bimodal_reports.differences import difference
from bimodal_reports.paces import overhead_of, paces_of
from bimodal_reports.scored import ScoredCell, comparable_metrics
from bimodal_reports.verdicts import deranged_of, outcome_of, probe_sentence, sentence, subject


def compare_pair(
    task: TaskRecord,
    pairs: Sequence[tuple[ScoredCell, ScoredCell]],
    *,
    failed: Mapping[str, str],
    drops: Sequence[ProbeDrop],
    timings: Mapping[str, Timings] = MappingProxyType({}),
    looks: Sequence[Look] = (),
    planned_seeds: int = 1,
) -> Pair:
    """Judge a contestant by the task's primary metric and margin.

    Args:
        task: declares both.
        pairs: (baseline, contestant) cells, one pair per seed.
        failed: cells without a result, for the caveats.
        drops: what probes cost, of any contestant.
        timings: raw times of their requests, by cell name; those that were taken in turns are compared.
        looks: those planned, of a run with repeated looks.
        planned_seeds: trainings of each contestant there should be by now; says which look this is.

    Raises:
        DataError: a cell does not report the primary metric, or it cannot be resampled.
    """
    baseline, contestant = pairs[0]
    metrics = comparable_metrics(*(cell.result for pair in pairs for cell in pair))
    if task.primary_metric not in metrics:
        raise DataError(
            f"{baseline.name} and {contestant.name} cannot be compared by {task.primary_metric!r}, the primary metric "
            f"of task {task.name!r}: both must report it, and it must be one of {', '.join(CORPUS_METRICS)}."
        )
    look = next((look for look in looks if look.seeds == planned_seeds), None)
    taken = None if look is None else LookTaken(taken=looks.index(look) + 1, planned=len(looks), alpha95=look.alpha95)
    differences = {metric: difference(metric, pairs, look=look) for metric in metrics}
    primary = differences[task.primary_metric]
    costs = cost_ratios(
        [low.result.cost for low, _ in pairs if low.result.cost is not None],
        [high.result.cost for _, high in pairs if high.result.cost is not None],
    )
    measured = [
        (timings[low.result.config.cell], timings[high.result.config.cell])
        for low, high in pairs
        if low.result.config.cell in timings and high.result.config.cell in timings
    ]
    seen = modalities_seen(contestant.result)
    extra = [modality for modality in seen if modality not in modalities_seen(baseline.result)]
    # Who scores nothing has nothing to lose: such a drop of 0 says nothing about the input.
    mine = [drop for drop in drops if drop.contestant == contestant.name and drop.metric == task.primary_metric]
    decisive = [drop for drop in mine if drop.true_value > 0]
    deranged = deranged_of(contestant.name, task.primary_metric, drops)
    outcome = outcome_of(primary, task.margin)
    verdict = Verdict(
        outcome=outcome,
        metric=task.primary_metric,
        margin=task.margin,
        p_holm=primary.p_value,  # `compare` knows the other verdicts
        of_verdicts=1,
        sentence=sentence(
            subject(baseline.name, contestant.name, extra, outcome=outcome, deranged=deranged),
            primary,
            task.margin,
            costs,
            probe_sentence(deranged, primary.unit, task.margin, seen) if deranged else None,
            look=taken,
        ),
        caveats=pair_caveats(
            [(low.result, high.result) for low, high in pairs],
            primary,
            failed=failed,
            probes=decisive,
            look=taken,
        ),
    )
    return Pair(
        baseline=baseline.name,
        contestant=contestant.name,
        seeds=tuple(low.seed for low, _ in pairs),
        verdict=verdict,
        look=taken,
        differences=tuple(differences.values()),
        costs=costs,
        paces=paces_of(measured),
        overhead=overhead_of(measured) if measured and _has_encoders(pairs) else None,
    )


def _has_encoders(pairs: Sequence[tuple[ScoredCell, ScoredCell]]) -> bool:
    """Whether the contestant has encoders and the baseline has none."""
    low, high = (cell.result.cost for cell in pairs[0])
    return low is not None and high is not None and low.encode_ms is None and high.encode_ms is not None


def modalities_seen(result: CellResult) -> tuple[Modality, ...]:
    """What a contestant was given beyond text."""
    return result.inputs_seen.modalities if result.inputs_seen else ()
