"""Modality probes: the same checkpoint on changed inputs, to see whether a contestant uses what it is shown."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from bimodal.types import Example


def deranged(examples: Sequence[Example], *, seed: int) -> tuple[Example, ...]:
    """Give everybody somebody else's picture and sound, in one fixed derangement.

    Sattolo's algorithm (1986) draws a permutation that is a single cycle, so nobody keeps their own. Text and target
    stay where they are; every picture is still used once.

    Args:
        examples: at least two.
        seed: the permutation depends on nothing else.

    Raises:
        ValueError: fewer than two examples.
    """
    if len(examples) < 2:
        raise ValueError(f"A derangement needs at least 2 examples, got {len(examples)}.")
    order = list(range(len(examples)))
    draw = random.Random(seed)
    for last in range(len(order) - 1, 0, -1):
        other = draw.randrange(last)  # never `last` itself: that is what makes it one cycle
        order[last], order[other] = order[other], order[last]
    return tuple(
        replace(example, image=examples[source].image, audio=examples[source].audio)
        for example, source in zip(examples, order, strict=True)
    )
