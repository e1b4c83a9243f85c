"""What a mean difference owes to the choice of examples, and what to the choice of training seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bimodal.statistics.bootstrap import FloatArray

_MOST_DEGREES = 1e6
"""Of freedom: from here on Student's distribution is the normal one."""


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """The variance of a difference averaged over seeds, as a sum of three parts; in squared units of the score."""

    examples: float
    """Falls with the number of test examples only: what is hard or easy for every training alike."""
    noise: float
    """Falls with examples and with seeds: what a single training does to a single example."""
    seeds: float
    """Falls with the number of seeds only: trainings that are better or worse as a whole."""
    degrees_of_freedom: float

    @property
    def total(self) -> float:
        """The squared standard error of the mean difference."""
        return self.examples + self.noise + self.seeds


def variance_parts(by_seed: FloatArray, resampled: FloatArray) -> VarianceParts:
    """Split the variance of the mean over two or more seeds of a difference.

    With D_s the difference of seed s of S, D the mean and * marking one resample of examples, the same for all seeds:

        from examples and noise:  V_e = Var*(D*)
        from noise:               V_n = sum_s Var*(D*_s - D*) / (S (S - 1))
        from seeds and noise:     V_s = sum_s (D_s - D)^2 / (S (S - 1))
        total:                    V = V_e + max(0, V_s - V_n)

    Seeds count with what they vary beyond noise, so noise is not counted twice, as it is where seeds and examples are
    both resampled. Few seeds know their variance badly; the degrees of freedom, (S - 1) (V / V_s)^2, pay for that:
    as few as S - 1 where seeds dominate, many where examples do. Two seeds can be close by luck, and would raise 9.5 %
    false alarms: theirs are always 1.

    Args:
        by_seed: differences [seed] on the test examples themselves.
        resampled: differences [resample, seed] on resampled examples.

    Source: Obuchowski & Rockette (1995), Hypothesis testing of diagnostic accuracy for multiple readers and multiple
        tests (readers there are training seeds here, cases are examples); Hillis (2007), A comparison of denominator
        degrees of freedom methods for multiple observer ROC analysis, for the degrees of freedom, which are
        Satterthwaite's (1946); Owen (2007), The pigeonhole bootstrap, for the double count.
    """
    count = len(by_seed)
    if count < 2:
        raise ValueError(f"Differences of {count} seed(s) have no variance: at least 2 seeds are needed.")
    pairs = count * (count - 1)
    mean = resampled.mean(axis=1)
    from_examples = float(mean.var())
    noise = min(float((resampled - mean[:, None]).var(axis=0).sum()) / pairs, from_examples)
    between_seeds = float(((by_seed - by_seed.mean()) ** 2).sum()) / pairs
    total = from_examples + max(0.0, between_seeds - noise)
    degrees = (count - 1) * (total / between_seeds) ** 2 if between_seeds > 0 else _MOST_DEGREES
    if count == 2:
        degrees = 1.0
    return VarianceParts(
        examples=from_examples - noise,
        noise=noise,
        seeds=total - from_examples,
        degrees_of_freedom=min(degrees, _MOST_DEGREES),
    )


def student_interval(value: float, parts: VarianceParts, confidence: float) -> tuple[float, float]:
    """`value` plus and minus Student's quantile times the standard error."""
    half = student_quantile(parts.degrees_of_freedom, 0.5 + confidence / 2.0) * math.sqrt(parts.total)
    return value - half, value + half


def student_p_value(value: float, parts: VarianceParts) -> float:
    """Two-sided p-value of `value` against 0: the level at which the interval just excludes 0."""
    if parts.total == 0.0:
        return 1.0 if value == 0.0 else 0.0
    from scipy.special import stdtr  # 0.15 s: not for those who import a task only to train or time

    return float(2.0 * stdtr(parts.degrees_of_freedom, -abs(value) / math.sqrt(parts.total)))


def student_quantile(degrees_of_freedom: float, probability: float) -> float:
    """The value that a Student variable stays below with this probability."""
    from scipy.special import stdtrit

    return float(np.asarray(stdtrit(degrees_of_freedom, probability)))
