"""Looking at a comparison repeatedly, and stopping when it is settled, without fooling oneself.

A test at 5 % that is repeated after every further seed is wrong far more often than in 5 % of cases. Each look is
therefore made at a stricter level, fixed before the run, so that all looks together are wrong in at most 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def nominal_levels(looks: Sequence[int], alpha: float) -> tuple[float, ...]:
    """Two-sided level of each look such that a true null is rejected at any of them with probability at most `alpha`.

    Every seed brings an equal share of `alpha`, to be used up by the look that sees it first: with looks after 5, 6,
    ... 10 seeds, a half for the first and a tenth for each other. The levels add up to `alpha`, so the bound holds
    whatever the looks have in common (Bonferroni). Boundaries that count on what they have in common are less strict,
    but suppose that the variance is known: with 3 to 10 seeds those of Lan & DeMets erred in 7 % instead of 5 %.

    Args:
        looks: number of seeds at each look, rising.
        alpha: error over all looks, two-sided.

    Source: Kim & DeMets (1987), Design and Analysis of Group Sequential Tests Based on the Type I Error Spending Rate
        Function, spending in proportion to information; Jennison & Turnbull (2000), Group Sequential Methods, ch. 7.
    """
    if not looks or any(later <= before for before, later in pairwise((0, *looks))):
        raise ValueError(f"looks at {list(looks)} seeds: each needs more than the one before.")
    return tuple(alpha * (later - before) / looks[-1] for before, later in pairwise((0, *looks)))
