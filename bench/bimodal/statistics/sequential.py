"""Looking at a comparison repeatedly, and stopping when it is settled, without fooling oneself.

A test at 5 % that is repeated after every further seed is wrong far more often than in 5 % of cases. Each look is
therefore made at a stricter level, fixed before the run, so that all looks together are wrong in at most 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.special import stdtr

from bimodal.statistics.bootstrap import FloatArray

_PATHS = 400_000
"""Simulated runs. Levels are then known to 3 % of themselves, and the error over all looks to 0.0004."""


def spent(fraction: float, alpha: float) -> float:
    """How much of the error `alpha` may be used up when this fraction (0 to 1) of the seeds has been seen.

    Pocock-type spending, alpha ln(1 + (e - 1) fraction): looks count nearly alike, so that a run whose answer is plain
    can stop at its first look.

    Source: Lan & DeMets (1983), Discrete Sequential Boundaries for Clinical Trials, sec. 3.
    """
    return alpha * math.log1p((math.e - 1.0) * fraction)


def nominal_levels(looks: Sequence[int], alpha: float) -> tuple[float, ...]:
    """Two-sided level of each look such that a true null is rejected at any of them with probability `alpha`.

    Levels hold for Student's t of a growing number of seeds, with the variance estimated anew at every look: boundaries
    for normal variables of known variance are too generous for the first few seeds (7 % instead of 5 % over eight looks
    from 3 to 10 seeds). Paths of t are simulated, always the same ones, and each level is placed so that what is
    rejected there for the first time is what `spent` allows. Seeds as the only thing that varies are the hardest case:
    where test examples limit the estimate, looks have more in common and err together less.

    Args:
        looks: number of seeds at each look, rising, at least 2.
        alpha: error over all looks, two-sided.

    Source: Lan & DeMets (1983); Jennison & Turnbull (1991), Exact Calculations for Sequential t, Chi-Square and F
        Tests; Jennison & Turnbull (2000), Group Sequential Methods, ch. 7 and sec. 11.5.
    """
    if not looks or looks[0] < 2 or any(later <= before for before, later in pairwise(looks)):
        raise ValueError(f"looks at {list(looks)} seeds: the first needs 2, and each more than the one before.")
    levels: list[float] = []
    used = 0.0
    running = np.ones(_PATHS, dtype=bool)
    for seeds, p_values in zip(looks, _p_values(tuple(looks)), strict=True):
        allowed = spent(seeds / looks[-1], alpha) - used
        used += allowed
        if not levels:
            levels.append(allowed)  # exact: a single test rejects at its level
        else:
            levels.append(float(np.partition(p_values[running], round(allowed * _PATHS))[round(allowed * _PATHS)]))
        running &= p_values >= levels[-1]
    return tuple(levels)


@lru_cache(maxsize=1)  # a run asks for the levels of two intervals
def _p_values(looks: tuple[int, ...]) -> list[FloatArray]:
    """Of t tests [path] at each look, on paths of differences that are 0 on average.

    Between looks only the sum and the sum of squares of the differences are drawn.
    """
    rng = np.random.default_rng(0)
    total, squares = np.zeros(_PATHS), np.zeros(_PATHS)
    found = []
    for before, seeds in zip((0, *looks), looks, strict=False):
        added = seeds - before
        mean = rng.normal(scale=added**-0.5, size=_PATHS)
        total += added * mean
        squares += added * mean**2 + (rng.chisquare(added - 1, size=_PATHS) if added > 1 else 0.0)
        variance = (squares - total**2 / seeds) / (seeds - 1)
        found.append(np.asarray(2.0 * stdtr(seeds - 1, -np.abs(total / seeds) / np.sqrt(variance / seeds))))
    return found
