"""How many processes each contestant gets, and who answers when. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

Who = tuple[str, int]
"""A contestant, and which of its processes."""

_DEGREES = 4
"""Degrees of freedom of the noise floor: with two of them an interval is half as wide again as with four."""


def processes_for(contestants: int) -> int:
    """How many processes each contestant gets: two or three, enough in all to know what processes differ by."""
    return max(2, min(3, 1 + math.ceil(_DEGREES / contestants)))


def turns(everybody: Sequence[Who], round_number: int) -> tuple[Who, ...]:
    """The order of one round; every two rounds are A B B A.

    A machine that gets slower or faster during two such rounds favours nobody: each process stands once as early as it
    stands late. The first of a pair of rounds begins with another one each time, so that nobody always follows the same
    neighbour.
    """
    begin = round_number // 2 % len(everybody)
    order = (*everybody[begin:], *everybody[:begin])
    return order if round_number % 2 == 0 else order[::-1]
