"""Calls that another backend took over: counted, so that a result can say so, and warned of once per reason."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping

_counts: Counter[str] = Counter()


def record(wanted: str, reason: str, used: str) -> None:
    """Count a call that `wanted` could not serve, for `reason`, and that `used` took over."""
    what = f"{wanted} {reason}; used {used}"
    if what not in _counts:
        warnings.warn(f"bimodal attention: {what}", RuntimeWarning, stacklevel=3)
    _counts[what] += 1


def recorded() -> Mapping[str, int]:
    """What was taken over in this process: reason to number of calls."""
    return dict(_counts)


def forget() -> None:
    """Start counting anew."""
    _counts.clear()
