"""The roofline: how near each kernel comes to what arithmetic and memory allow.

Source: Williams, Waterman and Patterson 2009, Roofline: An Insightful Visual Performance Model.
"""

from __future__ import annotations

import altair as alt

from bimodal.schema import KernelBenchmark, KernelTiming
from bimodal_reports.charts import drawn_as_svg


def roofline(benchmark: KernelBenchmark) -> str:
    """Rate over intensity (operations per byte that must be moved), both logarithmic, below the two roofs."""
    points: list[dict[str, float | str]] = [
        {"intensity": intensity(timing), "rate": timing.flops / timing.ours_us / 1e3, "color": f"var(--c{index})"}
        for index, kind in enumerate(benchmark.geomeans)
        for timing in benchmark.timings
        if timing.kind == kind
    ]
    ridge = benchmark.gemm_gflops / benchmark.bandwidth_gbs
    left = min(ridge, *map(intensity, benchmark.timings)) / 2
    right = max(ridge, *map(intensity, benchmark.timings)) * 2
    roof = [
        {"intensity": left, "rate": left * benchmark.bandwidth_gbs},
        {"intensity": ridge, "rate": benchmark.gemm_gflops},
        {"intensity": right, "rate": benchmark.gemm_gflops},
    ]
    x = alt.X("intensity:Q", title="operations per byte", scale=alt.Scale(type="log"), axis=alt.Axis(format="~g"))
    y = alt.Y("rate:Q", title="GFLOP/s", scale=alt.Scale(type="log"), axis=alt.Axis(format="~g"))
    line = alt.Chart(alt.InlineData(values=roof)).mark_line(strokeWidth=2, color="var(--muted)").encode(x=x, y=y)
    dots = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(size=40, opacity=1, strokeWidth=2)
        .encode(x=x, y=y, stroke=alt.Stroke("color:N", scale=None))
    )
    description = (
        f"Roofline of {len(points)} attention problems: rate over operations per byte, "
        f"below {benchmark.gemm_gflops:.0f} GFLOP/s and {benchmark.bandwidth_gbs:.0f} GB/s."
    )
    return drawn_as_svg(line + dots, description, height=220)


def intensity(timing: KernelTiming) -> float:
    """Operations per byte that must be moved."""
    return timing.flops / timing.bytes_moved
