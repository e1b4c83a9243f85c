"""Sums and differences of several contestants' scores at once, all on the same resampled examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from bimodal.statistics.variance import student_interval, variance_parts


@dataclass(frozen=True, slots=True)
class Contrast:
    """A weighted sum of scores, averaged over seeds."""

    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ResampledScores:
    """Corpus scores of several contestants on the test examples and on resamples of them, the same for everybody."""

    scores: Mapping[str, FloatArray]
    """By contestant, [seed]."""
    resampled: Mapping[str, FloatArray]
    """By contestant, [resample, seed]."""

    def contrast(self, weights: Mapping[str, float]) -> Contrast:
        """The sum of the contestants' scores times their weights: `{"new": 1, "old": -1}` is a difference.

        Contrasts whose weights add up to those of another one have values that add up to its value, on every resample.
        With one seed the interval holds percentiles; with several it is Student's, as for `paired_difference`.
        """
        by_seed = np.sum([weight * self.scores[name] for name, weight in weights.items()], axis=0)
        resampled = np.sum([weight * self.resampled[name] for name, weight in weights.items()], axis=0)
        value = float(by_seed.mean())
        if len(by_seed) == 1:
            return Contrast(value, percentile_interval(resampled[:, 0], 0.95))
        return Contrast(value, student_interval(value, variance_parts(by_seed, resampled), 0.95))


def resampled_scores(
    statistics: Mapping[str, Sequence[FloatArray]], aggregate: Aggregate, *, seed: int, resamples: int = RESAMPLES
) -> ResampledScores:
    """Score every contestant on the same resamples of the test examples.

    Args:
        statistics: by contestant, for each of the seeds (the same ones for everybody) [example, statistic].
        aggregate: scores [...] of sums [..., statistic].
        seed: of the resampling.
        resamples: how many test sets are drawn.

    Raises:
        ValueError: contestants of different shapes, or no examples.
    """
    stacked = {name: np.stack(list(of_seeds)) for name, of_seeds in statistics.items()}
    if len({array.shape for array in stacked.values()}) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in stacked.items())
        raise ValueError(f"Contrasts need the same seeds, examples and statistics of everybody, got {shapes}.")
    everybody = np.stack(list(stacked.values()))  # [contestant, seed, example, statistic]
    contestants, seeds, examples, width = everybody.shape
    columns = everybody.transpose(2, 0, 1, 3).reshape(examples, -1)
    check_resampling(columns, resamples)
    sums = resample_sums(columns, seed=seed, resamples=resamples).reshape(resamples, contestants, seeds, width)
    on_resamples = aggregate(sums)  # [resample, contestant, seed]
    return ResampledScores(
        scores={name: aggregate(array.sum(axis=1)) for name, array in stacked.items()},
        resampled={name: on_resamples[:, index] for index, name in enumerate(stacked)},
    )
