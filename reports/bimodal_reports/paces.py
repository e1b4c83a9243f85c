"""Who is faster and why, from the raw times of requests that took turns. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bimodal.schema import PHASES, Overhead, PaceVerdict, Timings
from bimodal.statistics import by_process, middle_half, pace

Times = NDArray[np.float64]
Quantity = Literal["end_to_end_ms", "prefill_ms", "decode_ms_per_token", "batch_ms"]
Measured = Sequence[tuple[Timings, Timings]]
"""(baseline, contestant) that took turns, one pair per seed."""


def paces_of(pairs: Measured) -> tuple[PaceVerdict, ...]:
    """A verdict on each time that both contestants have in all rounds, whole requests first."""
    verdicts = []
    for quantity, times in _QUANTITIES.items():
        blocks = [_common(times(low), times(high)) for low, high in pairs]
        if not blocks or any(first.shape[1] == 0 for first, _ in blocks):
            continue
        found = pace(blocks)
        known = math.isfinite(found.noise)
        verdicts.append(
            PaceVerdict(
                quantity=quantity,
                ratio=found.ratio,
                ci95=found.ci95 if known else None,
                noise=found.noise if known else None,
                outcome=found.outcome,
                rounds=found.rounds,
                processes=min(len(times) for block in blocks for times in block),
            )
        )
    return tuple(verdicts)


def overhead_of(pairs: Measured) -> Overhead | None:
    """Where a contestant with encoders spends what it takes longer than a baseline without; None without requests.

    The decoder of both is the same, so what its phases take longer is cross-attention, but for tokens that the one
    writes and the other does not: with n further tokens at t ms each, n' t' - n t is split into (t' - t) (n + n') / 2
    and (n' - n) (t + t') / 2.
    """
    rounds = [parts for low, high in pairs for parts in _overheads(low, high)]
    if not rounds:
        return None
    kept = middle_half([parts["total_ms"] for parts in rounds])
    means = {name: fmean(rounds[index][name] for index in kept) for name in rounds[0]}
    return Overhead(**means, rounds=len(rounds))


def _overheads(low: Timings, high: Timings) -> list[dict[str, float]]:
    """The parts of the overhead in each round."""
    names = (*PHASES, "generated_tokens")
    a, b = ({name: _table(one, getattr(one, name)).mean(0) for name in names} for one in (low, high))
    apart = b["image_encode_ms"] + b["audio_encode_ms"]
    encoders = np.where(apart > 0, apart, b["encode_ms"])  # of a model whose encoders cannot be timed: all of it
    further = [np.maximum(0.0, side["generated_tokens"] - 1) for side in (a, b)]
    per_token = [_quotient(side["decode_ms"], count) for side, count in zip((a, b), further, strict=True)]
    both = (further[0] > 0) & (further[1] > 0)
    decode = b["decode_ms"] - a["decode_ms"]
    dearer = np.where(both, (per_token[1] - per_token[0]) * (further[0] + further[1]) / 2, 0.0)
    parts = {
        "encoders_ms": encoders,
        "cross_attention_ms": b["encode_ms"] - encoders - a["encode_ms"] + b["prefill_ms"] - a["prefill_ms"] + dearer,
        "answer_length_ms": decode - dearer,
        "rest_ms": b["load_ms"] + b["detokenise_ms"] - a["load_ms"] - a["detokenise_ms"],
        "total_ms": b["end_to_end_ms"] - a["end_to_end_ms"],
    }
    return [{name: float(values[index]) for name, values in parts.items()} for index in range(len(decode))]


def _quotient(total: Times, count: Times) -> Times:
    """Total by count, 0 where there is nothing to count."""
    return np.divide(total, count, out=np.zeros_like(count), where=count > 0)


def _table(timings: Timings, values: Sequence[float]) -> Times:
    """Values of requests as [process, round]."""
    return by_process(timings.process, timings.round, values)


def _per_token(timings: Timings) -> Times:
    further = _table(timings, timings.generated_tokens) - 1
    decode = _table(timings, timings.decode_ms)
    return np.divide(decode, further, out=np.full_like(decode, np.nan), where=(further > 0) & (decode > 0))


def _batches(timings: Timings) -> Times:
    return by_process(timings.batch_process, timings.batch_round, timings.batch_ms)


_QUANTITIES: Mapping[Quantity, Callable[[Timings], Times]] = {
    "end_to_end_ms": lambda timings: _table(timings, timings.end_to_end_ms),
    "prefill_ms": lambda timings: _table(timings, timings.prefill_ms),
    "decode_ms_per_token": _per_token,
    "batch_ms": _batches,
}


def _common(first: Times, second: Times) -> tuple[Times, Times]:
    """Both, without rounds in which somebody has no such time."""
    there = np.isfinite(first).all(0) & np.isfinite(second).all(0)
    return first[:, there], second[:, there]
