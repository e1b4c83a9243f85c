"""Several tests at once: what is left of a p-value."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for their number, in the order given: reject those of at most 5 %.

    The chance of one false rejection or more among all of them is then at most 5 %, whatever their dependence. The
    smallest of m p-values is multiplied by m, the next one by m - 1, and so on, and none may be below one before it.

    Source: Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)
