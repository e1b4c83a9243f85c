"""The report's section about the attention kernels: only where somebody has timed them on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from bimodal.schema import KernelBenchmark
from bimodal_reports.wording import ratio


@dataclass(frozen=True, slots=True)
class KernelView:
    """What the template shows."""

    machine: str
    means: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    """Case, pass, our time, torch's, speed-up, rate, share of the matrix product's rate."""
    roofline: str
    """An SVG."""


def kernel_view(benchmark: KernelBenchmark | None) -> KernelView | None:
    """Tables and drawing of a benchmark."""
    if benchmark is None:
        return None
    from bimodal_reports.roofline import roofline

    return KernelView(
        machine=f"{benchmark.backend} on {benchmark.device}, {benchmark.threads} threads, torch {benchmark.torch}",
        means=tuple((kind, ratio(value)) for kind, value in benchmark.geomeans.items()),
        rows=tuple(
            (
                timing.case,
                timing.kind,
                f"{timing.ours_us:,.0f}",
                f"{timing.others_us['torch']:,.0f}",
                ratio(timing.speedup),
                f"{timing.flops / timing.ours_us / 1e3:,.1f}",
                f"{timing.gemm_share:.0%}",
            )
            for timing in benchmark.timings
        ),
        roofline=roofline(benchmark),
    )
