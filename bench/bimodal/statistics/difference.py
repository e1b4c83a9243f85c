"""Contestant minus baseline, with intervals and a p-value, from one training seed or from several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bimodal.statistics.bootstrap import (
    RESAMPLES,
    Aggregate,
    FloatArray,
    check_resampling,
    percentile_interval,
    resample_sums,
)
from bimodal.statistics.randomisation import check_paired, randomisation_p_value
from bimodal.statistics.variance import VarianceParts, student_interval, student_p_value, variance_parts


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Contestant minus baseline in one corpus score, on the same examples, averaged over seeds."""

    baseline_by_seed: tuple[float, ...]
    contestant_by_seed: tuple[float, ...]
    baseline_value: float
    """Mean over seeds of the corpus score."""
    contestant_value: float
    value: float
    ci95: tuple[float, float]
    ci90: tuple[float, float]
    p_value: float
    standard_error: float
    parts: VarianceParts | None
    """None with one seed: how much trainings vary is then unknown, and everything speaks of two checkpoints."""
    examples: int
    resamples: int

    @property
    def seeds(self) -> int:
        """How many trainings of each contestant."""
        return len(self.baseline_by_seed)


def paired_difference(
    baseline: FloatArray,
    contestant: FloatArray,
    aggregate: Aggregate,
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: tuple[float, float] = (0.95, 0.90),
) -> PairedDifference:
    """The difference between two contestants trained from the same seeds and tested on the same examples.

    Examples are resampled, the same ones for both contestants and all seeds. With one seed the intervals are
    percentiles of the resampled differences and the p-value comes from approximate randomisation: both speak of
    these two checkpoints. With several, seeds are a second level. Two to ten seeds are too few to be resampled (a
    bootstrap of 5 knows 4/5 of their variance, and covers 85 % where seeds are all that varies), so that level is
    Student's: see `variance_parts`.

    Args:
        baseline: statistics [seed, example, statistic].
        contestant: the same of the other contestant, seeds and examples in the same order.
        aggregate: scores [...] of sums [..., statistic].
        seed: of the resampling.
        resamples: how many test sets are drawn.
        confidence: of `ci95` and `ci90`; higher where the data is looked at repeatedly (see `sequential`).

    Source: Koehn (2004), Statistical Significance Tests for Machine Translation Evaluation.
    """
    check_paired(baseline, contestant)
    if baseline.ndim != 3 or len(baseline) == 0:
        raise ValueError(
            f"Statistics of shape {baseline.shape} are not [seed, example, statistic] of one seed or more."
        )
    seeds, examples, width = baseline.shape
    low, high = aggregate(baseline.sum(axis=1)), aggregate(contestant.sum(axis=1))
    by_seed = high - low
    columns = np.stack([baseline, contestant]).transpose(2, 0, 1, 3).reshape(examples, -1)
    check_resampling(columns, resamples)
    sums = resample_sums(columns, seed=seed, resamples=resamples).reshape(resamples, 2, seeds, width)
    resampled = aggregate(sums[:, 1]) - aggregate(sums[:, 0])  # [resample, seed]
    value = float(by_seed.mean())
    if seeds == 1:
        parts = None
        ci95, ci90 = (percentile_interval(resampled[:, 0], level) for level in confidence)
        p_value = randomisation_p_value(baseline[0], contestant[0], aggregate, seed=seed, trials=resamples)
        standard_error = float(resampled.std())
    else:
        parts = variance_parts(by_seed, resampled)
        ci95, ci90 = (student_interval(value, parts, level) for level in confidence)
        p_value = student_p_value(value, parts)
        standard_error = parts.total**0.5
    return PairedDifference(
        baseline_by_seed=tuple(float(score) for score in low),
        contestant_by_seed=tuple(float(score) for score in high),
        baseline_value=float(low.mean()),
        contestant_value=float(high.mean()),
        value=value,
        ci95=ci95,
        ci90=ci90,
        p_value=p_value,
        standard_error=standard_error,
        parts=parts,
        examples=examples,
        resamples=resamples,
    )
