"""Where it pays: slices of the test set that gain more, or less, than the rest. Pure.

Whoever looks at many slices finds one that stands out. So slices are found on one half of the test examples and tried
on the other, and the share of false ones is bounded on both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from bimodal.metrics import CORPUS_METRICS
from bimodal.schema import SliceGain, SliceSearch
from bimodal.statistics import PairedDifference, benjamini_hochberg
from bimodal_reports.differences import paired
from bimodal_reports.scored import ScoredCell

Mask = NDArray[np.bool_]
"""Which test examples, [example]."""
RATE = 0.1
"""False discoveries among what is found, at most."""
_FEWEST = 15
"""Examples that a slice and the rest must have, in each half."""


@dataclass(frozen=True, slots=True)
class _Half:
    """A slice on one half of the test examples."""

    inside: PairedDifference
    elsewhere: PairedDifference

    @property
    def p_value(self) -> float:
        """Two-sided, of the difference between the gains inside and elsewhere, which are of different examples."""
        error = sqrt(self.inside.standard_error**2 + self.elsewhere.standard_error**2)
        apart = abs(self.inside.value - self.elsewhere.value)
        return erfc(apart / error / sqrt(2)) if error > 0 else float(apart == 0)


def search_slices(
    pairs: Sequence[Sequence[tuple[ScoredCell, ScoredCell]]],
    metric: str,
    slices: Mapping[str, Mapping[str, str]],
) -> SliceSearch | None:
    """The slices in which a contestant's gain differs from its gain elsewhere; None where there are none to try.

    Args:
        pairs: for each contestant its (baseline, contestant) cells, one pair per seed.
        metric: the task's primary metric.
        slices: value by key, by example id.
    """
    if not pairs or not slices or metric not in CORPUS_METRICS:
        return None
    ids = [row.id for row in pairs[0][0][0].rows]
    first = np.array([hashlib.sha256(identifier.encode()).digest()[0] % 2 == 0 for identifier in ids])
    tried: list[tuple[int, str, str, _Half]] = []
    members = _members(ids, slices, first)
    for index, of_contestant in enumerate(pairs):
        for (key, value), inside in members.items():
            tried.append((index, key, value, _half(of_contestant, metric, inside, first)))
    if not tried:
        return None
    q_values = benjamini_hochberg([half.p_value for *_, half in tried])
    hits = [(entry, q) for entry, q in zip(tried, q_values, strict=True) if q <= RATE]
    tests = [_half(pairs[index], metric, members[key, value], ~first) for (index, key, value, _), _ in hits]
    confirmed = benjamini_hochberg([half.p_value for half in tests]) if tests else ()
    up = CORPUS_METRICS[metric].higher_is_better
    found = [
        _record(pairs[index][0][1].name, key, value, before, q_found, after, q_confirmed, up)
        for ((index, key, value, before), q_found), after, q_confirmed in zip(hits, tests, confirmed, strict=True)
    ]
    return SliceSearch(
        metric=metric,
        unit=CORPUS_METRICS[metric].unit,
        tried=len(tried),
        false_discovery_rate=RATE,
        found=tuple(sorted(found, key=lambda gain: (not gain.confirmed, -abs(gain.gain - gain.elsewhere)))),
    )


def _members(ids: Sequence[str], slices: Mapping[str, Mapping[str, str]], first: Mask) -> dict[tuple[str, str], Mask]:
    """Which examples are in each slice that is large enough, and leaves enough, in both halves."""
    keys = dict.fromkeys((key, value) for identifier in ids for key, value in slices.get(identifier, {}).items())
    members: dict[tuple[str, str], Mask] = {}
    for key, value in keys:
        inside = np.array([slices.get(identifier, {}).get(key) == value for identifier in ids])
        parts = (inside & first, inside & ~first, ~inside & first, ~inside & ~first)
        # Of a key with two values one is the rest of the other.
        twin = any(other == key and (there == ~inside).all() for (other, _), there in members.items())
        if not twin and all(part.sum() >= _FEWEST for part in parts):
            members[key, value] = inside
    return members


def _half(pairs: Sequence[tuple[ScoredCell, ScoredCell]], metric: str, inside: Mask, half: Mask) -> _Half:
    return _Half(*(_gain(pairs, metric, chosen & half) for chosen in (inside, ~inside)))


def _gain(pairs: Sequence[tuple[ScoredCell, ScoredCell]], metric: str, chosen: Mask) -> PairedDifference:
    return paired(
        metric,
        [low.statistics[metric][chosen] for low, _ in pairs],
        [high.statistics[metric][chosen] for _, high in pairs],
    )


def _record(
    contestant: str, key: str, value: str, before: _Half, q_found: float, after: _Half, q_confirmed: float, up: bool
) -> SliceGain:
    sign = 1.0 if up else -1.0
    low, high = sorted(sign * bound for bound in after.inside.ci95)
    same_side = (before.inside.value > before.elsewhere.value) == (after.inside.value > after.elsewhere.value)
    return SliceGain(
        contestant=contestant,
        key=key,
        value=value,
        examples=after.inside.examples,
        gain=sign * after.inside.value,
        ci95=(low, high),
        elsewhere=sign * after.elsewhere.value,
        q_found=q_found,
        q_confirmed=q_confirmed,
        confirmed=same_side and q_confirmed <= RATE,
    )
