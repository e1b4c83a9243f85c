"""The rule that turns a difference into a verdict."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["better", "worse", "equivalent", "inconclusive"]


def inside_margin(ci90: tuple[float, float], margin: float) -> bool:
    """Whether two one-sided 5 % tests put the difference inside +-margin: the 90 % interval lies within it.

    Source: Schuirmann (1987), A Comparison of the Two One-Sided Tests Procedure and the Power Approach.
    """
    return -margin < ci90[0] and ci90[1] < margin


def decide(ci95: tuple[float, float], ci90: tuple[float, float], *, margin: float, higher_is_better: bool) -> Outcome:
    """The verdict on a difference (contestant minus baseline), given its intervals and the declared margin.

    `better` and `worse`: the 95 % interval excludes 0. `equivalent`: it does not, and the 90 % interval lies
    inside +-margin. `inconclusive`: neither. A `better` may be below the margin; `inside_margin` tells.
    """
    if margin < 0:
        raise ValueError(f"margin is {margin}: a margin is the size of a difference, 0 or more.")
    if ci95[0] > 0 or ci95[1] < 0:
        return "better" if (ci95[0] > 0) == higher_is_better else "worse"
    return "equivalent" if inside_margin(ci90, margin) else "inconclusive"
