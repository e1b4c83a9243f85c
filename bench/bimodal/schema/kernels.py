"""What `bench kernels bench` measured."""

from __future__ import annotations

from typing import Literal

from bimodal.schema.base import SCHEMA_VERSION, PositiveFloat, Record


class KernelTiming(Record):
    """One attention problem, one pass: our time against the others', taken in turns in one process."""

    case: str
    kind: Literal["forward", "forward + backward", "decode"]
    dtype: str
    flops: int
    bytes_moved: int
    """Every tensor read or written once: the least possible."""
    ours_us: PositiveFloat
    others_us: dict[str, PositiveFloat]
    """`torch` is scaled_dot_product_attention as it chooses by itself."""
    speedup: PositiveFloat
    """Median over rounds of torch's time divided by ours."""
    speedup_low: PositiveFloat
    speedup_high: PositiveFloat
    """Quartiles over rounds."""
    gemm_share: PositiveFloat
    """Median over rounds of our rate divided by that of a matrix product timed beside it."""
    rounds: int


class KernelBenchmark(Record):
    """A file of `bench kernels bench --json`; as `kernels.json` in a run's folder it becomes part of the report."""

    schema_version: Literal[1] = SCHEMA_VERSION
    device: str
    backend: str
    torch: str
    threads: int
    gemm_gflops: PositiveFloat
    """Rate of a matrix product: the roof for what is bound by arithmetic."""
    bandwidth_gbs: PositiveFloat
    """Of a copy, bytes read and written: the roof for what is bound by memory."""
    geomeans: dict[str, PositiveFloat]
    """Geometric means of the speed-ups, by pass."""
    timings: tuple[KernelTiming, ...]
