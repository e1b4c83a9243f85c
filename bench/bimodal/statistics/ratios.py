"""Ratios of two uncertain numbers: what a point of quality costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bimodal.statistics.variance import student_quantile


def fieller_interval(
    numerator: float,
    numerator_se: float,
    denominator: float,
    denominator_se: float,
    *,
    degrees_of_freedom: float = 1e6,
    confidence: float = 0.95,
) -> tuple[float, float] | None:
    """The interval of numerator / denominator, two independent estimates with their standard errors.

    It holds the ratios r for which numerator - r * denominator cannot be told from 0. None where the denominator itself
    cannot be told from 0: any ratio is then possible, and there is no interval.

    Source: Fieller (1954), Some Problems in Interval Estimation, sec. 3.
    """
    t = student_quantile(degrees_of_freedom, 0.5 + confidence / 2.0)
    certain = denominator**2 - (t * denominator_se) ** 2
    if certain <= 0.0:
        return None
    middle = numerator * denominator
    # Not negative where the denominator can be told from 0, but for rounding.
    spread = math.sqrt(max(0.0, middle**2 - certain * (numerator**2 - (t * numerator_se) ** 2)))
    return (middle - spread) / certain, (middle + spread) / certain


def median_standard_error(samples: Sequence[float], *, seed: int, resamples: int = 2000) -> float:
    """Bootstrap standard error of the median of independent samples.

    Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, sec. 6.2.
    """
    if not samples:
        raise ValueError("The median of no samples has no standard error.")
    values = np.asarray(samples, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(values), size=(resamples, len(values)))
    return float(np.median(values[draws], axis=1).std())
