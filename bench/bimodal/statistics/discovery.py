"""Many small questions at once, with few false answers among those that are found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for their number, in the order given: take those up to q, and at most a share q is false.

    The k-th smallest of m is multiplied by m / k, and none may be above a larger one.

    Source: Benjamini & Hochberg (1995), Controlling the False Discovery Rate, sec. 3.
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=np.float64)[order] * count / np.arange(1, count + 1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1.0)
    return tuple(float(value) for value in adjusted)
