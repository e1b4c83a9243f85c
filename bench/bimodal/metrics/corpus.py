"""What a score is: sums over examples and a function of those sums.

That is what can be resampled: `bimodal.statistics` draws test sets from the rows without scoring a text twice.
Shape legend: example, statistic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bimodal.schema import Metric
from bimodal.statistics import FloatArray, bootstrap_interval
from bimodal.types import Example, Prediction

Statistics = Callable[[Sequence[Prediction], Sequence[Example]], FloatArray]


@dataclass(frozen=True, slots=True)
class CorpusMetric:
    """A score that is a function of sums over examples."""

    name: str
    unit: str
    """`points` (0 to 100), `percent`, `words`, `bits/byte`, ..."""
    higher_is_better: bool
    signature: Callable[[Sequence[Example]], str]
    """Everything needed to reproduce the score on these examples."""
    statistics: Statistics
    """Sufficient statistics [example, statistic] of predictions and examples in the same order."""
    aggregate: Callable[[FloatArray], FloatArray]
    """Scores [...] of sums [..., statistic]."""

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example], *, seed: int = 0) -> Metric:
        """The score over all examples, with a 95 % percentile bootstrap interval."""
        statistics = self.statistics(predictions, examples)
        return Metric(
            value=float(self.aggregate(statistics.sum(axis=0))),
            unit=self.unit,
            higher_is_better=self.higher_is_better,
            signature=self.signature(examples),
            ci95=bootstrap_interval(statistics, self.aggregate, seed=seed),
        )


def check_aligned(predictions: Sequence[Prediction], examples: Sequence[Example]) -> None:
    """Raise ValueError unless there are predictions, one for each example, in the same order."""
    if not predictions:
        raise ValueError("There is nothing to score: no predictions.")
    if len(predictions) != len(examples):
        raise ValueError(
            f"{len(predictions)} predictions for {len(examples)} examples: each example needs exactly one."
        )
    for position, (prediction, example) in enumerate(zip(predictions, examples, strict=True)):
        if prediction.id != example.id:
            raise ValueError(
                f"Prediction {position} answers example {prediction.id!r}, but example {position} is "
                f"{example.id!r}: both must be in the same order."
            )


def always(signature: str) -> Callable[[Sequence[Example]], str]:
    """A signature that does not depend on the examples."""
    return lambda examples: signature


def mean_over_examples(score: Callable[[str, str], float]) -> Statistics:
    """Statistics (score, 1) of each prediction and target, whose `mean` or `mean_points` is the metric."""

    def statistics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
        pairs = zip(predictions, examples, strict=True)
        return np.array([(score(p.text, e.target), 1.0) for p, e in pairs])

    return statistics


def mean(sums: FloatArray) -> FloatArray:
    """Scores of sums (score, count)."""
    return np.asarray(sums[..., 0] / sums[..., 1])


def mean_points(sums: FloatArray) -> FloatArray:
    """The same of scores from 0 to 1, in points from 0 to 100."""
    return 100.0 * mean(sums)
