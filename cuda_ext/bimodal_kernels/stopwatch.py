"""How kernels are timed: interleaved, in one process, judged by ratios of neighbours.

Machines change pace within seconds, so that a time means little and the ratio of two times, taken one right after the
other, means much. Every round runs all contenders, in turning order; what is reported of a pair is the median of its
rounds' ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import torch

Call = Callable[[], object]
Clock = Callable[[Call, int], float]
"""`clock(call, repeats)`: seconds for one of `repeats` calls in a row."""

_MIN_ROUND_S = 2e-3
"""A contender is repeated within a round until it takes about so long."""

_MIN_ROUNDS = 7
_FLUSHED_BYTES = 256 * 2**20
"""More than any GPU's second-level cache."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Seconds per call, one number per round; round i of all contenders was taken at about the same time."""

    seconds: Mapping[str, tuple[float, ...]]

    def median_s(self, name: str) -> float:
        """Median time of a contender."""
        return median(self.seconds[name])

    def ratio(self, slower: str, faster: str) -> tuple[float, float, float]:
        """How many times as long `slower` takes: median and quartiles over the rounds."""
        ratios = [a / b for a, b in zip(self.seconds[slower], self.seconds[faster], strict=True)]
        low, middle, high = quantiles(ratios, n=4)
        return middle, low, high


def interleave(contenders: Mapping[str, Call], clock: Clock, *, budget_s: float) -> Samples:
    """Time contenders against each other for about `budget_s` seconds, and at least seven rounds.

    Args:
        contenders: what is called, by name.
        clock: `on_cpu`, or an `OnGpu`.
        budget_s: how long to go on.
    """
    repeats = {}
    for name, call in contenders.items():
        clock(call, 2)  # warm: buffers, clocks, caches of code
        repeats[name] = max(1, round(_MIN_ROUND_S / clock(call, 1)))
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    until = time.perf_counter() + budget_s
    while len(seconds[order[0]]) < _MIN_ROUNDS or time.perf_counter() < until:
        for name in order:
            seconds[name].append(clock(contenders[name], repeats[name]))
        order = order[1:] + order[:1]  # nobody always follows the same neighbour
    return Samples({name: tuple(times) for name, times in seconds.items()})


def on_cpu(call: Call, repeats: int) -> float:
    """Wall time of a call on the CPU, in seconds."""
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


class OnGpu:
    """Device time of a call, in seconds, from CUDA events; the second-level cache is flushed before each call.

    No GPU has run this yet.
    """

    def __init__(self) -> None:
        self._flush = torch.empty(_FLUSHED_BYTES, dtype=torch.int8, device="cuda")

    def __call__(self, call: Call, repeats: int) -> float:
        """Mean over `repeats` calls, each between two events of its own, so that flushing is not counted."""
        events = [(_event(), _event()) for _ in range(repeats)]
        for start, end in events:
            self._flush.zero_()
            start.record()
            call()
            end.record()
        torch.cuda.synchronize()
        milliseconds: float = sum(start.elapsed_time(end) for start, end in events)
        return milliseconds / 1e3 / repeats


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
