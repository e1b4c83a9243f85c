"""What a comparison could have found, and what it would take to settle one that found nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bimodal.statistics.variance import VarianceParts, student_quantile

POWER = 0.8
"""The chance of finding what is there that planning aims at; 0.8 is the convention (Cohen 1988, sec. 2.4)."""
MOST_SEEDS = 100
"""More trainings than this are no advice."""
_AS_GOOD_AS_NORMAL = 1e5
"""Degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Needed:
    """How many of either, the other left as it is, would settle a comparison; None where no number would."""

    examples: int | None
    seeds: int | None


def detectable_difference(
    standard_error: float, degrees_of_freedom: float | None = None, *, alpha: float = 0.05
) -> float:
    """The smallest true difference that a comparison this precise finds with 80 % power.

    Found: the interval of two-sided level `alpha` excludes 0.

    Without degrees of freedom (one seed) the estimate is taken as normal: 2.80 standard errors. With d of them it is
    the distance at which a noncentral t exceeds t_0.975 in 80 % of cases: 3.76 standard errors with 4, 5.65 with 2.

    Source: Bloom (1995), Minimum Detectable Effects; Cohen (1988), Statistical Power Analysis, sec. 2.2.
    """
    return _distance(1.0 - alpha / 2.0, degrees_of_freedom) * standard_error


def needed_to_settle(
    value: float,
    parts: VarianceParts | None,
    margin: float,
    *,
    standard_error: float,
    examples: int,
    seeds: int,
    alphas: tuple[float, float] = (0.05, 0.10),
) -> Needed:
    """About how many test examples, or seeds, would settle an inconclusive comparison with 80 % power.

    Supposes that the true difference is the one seen. The standard error must become small enough to tell it from 0,
    or to tell it from the margin, whichever is easier. With n examples and S seeds instead of those there are,
    the variance is `examples * n0/n + noise * n0/n * S0/S + seeds * S0/S`. With one seed only examples are planned:
    how much trainings vary is unknown. `alphas` are the two-sided levels of the two intervals of the verdict.
    """
    to_zero, to_margin = (1.0 - alpha / 2.0 for alpha in alphas)
    size, room = abs(value), margin - abs(value)
    if parts is None:
        target = max(size / _distance(to_zero, None), room / _distance(to_margin, None))
        return Needed(_scaled(examples, standard_error**2, target**2) if target > 0 else None, None)

    def settles(variance: float, degrees: float) -> bool:
        error = math.sqrt(variance)
        return size >= _distance(to_zero, degrees) * error or room >= _distance(to_margin, degrees) * error

    degrees = parts.degrees_of_freedom
    target = max(size / _distance(to_zero, degrees), room / _distance(to_margin, degrees))
    more_examples = None
    if target > 0 and target**2 > parts.seeds:
        more_examples = _scaled(examples, parts.examples + parts.noise, target**2 - parts.seeds)
    for planned in range(seeds + 1, MOST_SEEDS + 1):
        by_seeds = (parts.noise + parts.seeds) * seeds / planned
        variance = parts.examples + by_seeds
        if settles(variance, (planned - 1) * (variance / by_seeds) ** 2 if by_seeds > 0 else math.inf):
            return Needed(more_examples, planned)
    return Needed(more_examples, None)


def _scaled(count: int, variance: float, wanted: float) -> int:
    return max(count + 1, math.ceil(count * variance / wanted))


def _distance(level: float, degrees_of_freedom: float | None) -> float:
    """How many standard errors the truth must lie away for a one-sided test of this level to see it with 80 % power."""
    from scipy.special import nctdtrinc, ndtri  # here, as in `variance`

    if degrees_of_freedom is None or degrees_of_freedom > _AS_GOOD_AS_NORMAL:
        return float(ndtri(level) + ndtri(POWER))
    return float(nctdtrinc(degrees_of_freedom, 1.0 - POWER, student_quantile(degrees_of_freedom, level)))
