"""What a contestant costs relative to the baseline, from the costs that both could measure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bimodal.schema import Cost, CostRatio, Latency

TRAIN_TIME, LATENCY, PARAMETERS = "train_wall_s", "end_to_end_ms", "parameters"

COST_LABELS = {
    TRAIN_TIME: "training time",
    "train_flops": "training compute",
    PARAMETERS: "parameters",
    LATENCY: "latency",
    "decode_ms_per_token": "time per token",
    "rss_generate_bytes": "peak memory",
    "cuda_allocated_bytes": "peak GPU memory",
}


def median_ms(latency: Latency | str | None) -> float | str | None:
    """A latency's median; what is unavailable or does not apply stays what it is."""
    return latency.p50 if isinstance(latency, Latency) else latency


def cost_ratios(baseline: Sequence[Cost], contestant: Sequence[Cost]) -> tuple[CostRatio, ...]:
    """Contestant over baseline for every cost that all have as a number above 0.

    Both are given once per training seed and taken at their medians; latencies are medians over requests, too.
    """
    left, right = _medians(baseline), _medians(contestant)
    # Host memory says little where the model lives on a GPU: show one peak, the one that limits.
    hidden = "rss_generate_bytes" if {"cuda_allocated_bytes"} <= left.keys() & right.keys() else None
    return tuple(
        CostRatio(
            name=name,
            unit=unit,
            baseline_value=value,
            contestant_value=right[name][0],
            ratio=right[name][0] / value,
        )
        for name, (value, unit) in left.items()
        if name in right and name != hidden
    )


def _medians(costs: Sequence[Cost]) -> dict[str, tuple[float, str]]:
    known = [_costs(cost) for cost in costs]
    return {
        name: (median(values[name][0] for values in known), unit)
        for name, (_, unit) in (known[0] if known else {}).items()
        if all(name in values for values in known)
    }


def _costs(cost: Cost) -> dict[str, tuple[float, str]]:
    """Value and unit by name; leaves out what is unavailable or 0 (a ratio to 0 says nothing)."""
    memory = cost.peak_memory
    all_costs: dict[str, tuple[float | str | None, str]] = {
        TRAIN_TIME: (cost.train.wall_s, "s"),
        "train_flops": (cost.train.flops, "FLOP"),
        PARAMETERS: (cost.parameters, ""),
        LATENCY: (median_ms(cost.end_to_end_ms), "ms"),
        "decode_ms_per_token": (median_ms(cost.decode_ms_per_token), "ms"),
        "rss_generate_bytes": (memory.rss_generate_bytes, "B"),
        "cuda_allocated_bytes": (memory.cuda_allocated_bytes, "B"),
    }
    return {
        name: (value, unit)
        for name, (value, unit) in all_costs.items()
        if value is not None and not isinstance(value, str) and value > 0
    }
