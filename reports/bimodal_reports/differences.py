"""Differences between scored cells as records: of two contestants, and of a contestant and its own probes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bimodal.metrics import CORPUS_METRICS
from bimodal.schema import Difference, Look, ProbeDrop, SeedDifference, Variance
from bimodal.statistics import FloatArray, PairedDifference, detectable_difference, paired_difference
from bimodal_reports.scored import ScoredCell, comparable_metrics

_FIXED = (0.05, 0.10)
"""Two-sided levels of the intervals where a comparison is looked at once."""
_SEED = 0
"""Of all resampling here; the same test sets are drawn for every pair and metric."""


def difference(metric: str, pairs: Sequence[tuple[ScoredCell, ScoredCell]], *, look: Look | None = None) -> Difference:
    """Contestant minus baseline in one metric, over the (baseline, contestant) cells of one or several seeds.

    A comparison that is looked at repeatedly has intervals of the level of its look, and its p-value is scaled so that
    5 % means 5 % over all looks.
    """
    alpha95, alpha90 = _FIXED if look is None else (look.alpha95, look.alpha90)
    found = paired(
        metric,
        [baseline.statistics[metric] for baseline, _ in pairs],
        [contestant.statistics[metric] for _, contestant in pairs],
        confidence=(1.0 - alpha95, 1.0 - alpha90),
    )
    parts = found.parts
    degrees = None if parts is None else parts.degrees_of_freedom
    by_seed = zip(pairs, found.baseline_by_seed, found.contestant_by_seed, strict=True)
    return Difference(
        metric=metric,
        unit=CORPUS_METRICS[metric].unit,
        higher_is_better=CORPUS_METRICS[metric].higher_is_better,
        baseline_value=found.baseline_value,
        contestant_value=found.contestant_value,
        value=found.value,
        ci95=found.ci95,
        ci90=found.ci90,
        p_value=min(1.0, found.p_value * _FIXED[0] / alpha95),
        standard_error=found.standard_error,
        detectable=detectable_difference(found.standard_error, degrees, alpha=alpha95),
        variance=None
        if parts is None
        else Variance(
            examples=parts.examples,
            noise=parts.noise,
            seeds=parts.seeds,
            degrees_of_freedom=parts.degrees_of_freedom,
        ),
        by_seed=tuple(
            SeedDifference(seed=cells[0].seed, baseline_value=low, contestant_value=high, value=high - low)
            for cells, low, high in by_seed
        ),
        examples=found.examples,
        resamples=found.resamples,
    )


def probe_drops(cells: Sequence[ScoredCell]) -> tuple[ProbeDrop, ...]:
    """How much quality each probe costs a contestant over the seeds that have it.

    Positive for a loss, whichever way the metric points.
    """
    drops = []
    for probe in dict.fromkeys(name for cell in cells for name in cell.probes):
        probed = [cell for cell in cells if probe in cell.probes]
        for metric in comparable_metrics(*(cell.result for cell in probed)):
            if any(metric not in cell.probes[probe] for cell in probed):
                continue
            changed = [cell.probes[probe][metric] for cell in probed]
            found = paired(metric, changed, [cell.statistics[metric] for cell in probed])
            up = CORPUS_METRICS[metric].higher_is_better
            drops.append(
                ProbeDrop(
                    contestant=cells[0].name,
                    probe=probe,
                    metric=metric,
                    true_value=found.contestant_value,
                    probe_value=found.baseline_value,
                    drop=found.value if up else -found.value,
                    ci95=found.ci95 if up else (-found.ci95[1], -found.ci95[0]),
                )
            )
    return tuple(drops)


def paired(
    metric: str,
    baseline: Sequence[FloatArray],
    contestant: Sequence[FloatArray],
    *,
    confidence: tuple[float, float] = (1.0 - _FIXED[0], 1.0 - _FIXED[1]),
) -> PairedDifference:
    """The difference in one metric between statistics [example, statistic] of two contestants, one each per seed."""
    aggregate = CORPUS_METRICS[metric].aggregate
    return paired_difference(np.stack(baseline), np.stack(contestant), aggregate, seed=_SEED, confidence=confidence)
