"""`bench kernels bench`: the microbenchmark as a record, as a table and as Markdown."""

from __future__ import annotations

from dataclasses import asdict

from rich.table import Table

from bimodal.environment import pin_threads
from bimodal.errors import UserError
from bimodal.schema import KernelBenchmark
from bimodal.types import Progress

_COLUMNS = ("case", "pass", "ours, µs", "torch, µs", "speed-up", "GFLOP/s", "of GEMM")


def measure_kernels(device: str, budget_s: float, names: tuple[str, ...], progress: Progress) -> KernelBenchmark:
    """Time the kernels of a device, with one thread per physical core on a CPU.

    Raises:
        UserError: there is no such device here, the kernels cannot be had, or no case has such a name.
    """
    import torch

    from bimodal_kernels.microbench import run_benchmark

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: torch sees no CUDA device here. Leave it out to time the CPU kernels.")
    pin_threads(None)
    try:
        found = run_benchmark(device=device, budget_s=budget_s, names=names, progress=progress)
    except RuntimeError as error:
        raise UserError(f"The kernels cannot be timed: {error}") from error
    if not found.timings:
        raise UserError(f"No timed case has {' or '.join(map(repr, names))} in its name.")
    kinds = dict.fromkeys(timing.kind for timing in found.timings)
    geomeans = {kind: found.geomean(kind) for kind in kinds}
    return KernelBenchmark.model_validate(asdict(found) | {"geomeans": geomeans})


def table(benchmark: KernelBenchmark) -> Table:
    """For the terminal."""
    shown = Table(box=None, pad_edge=False)
    for index, title in enumerate(_COLUMNS):
        shown.add_column(title, justify="left" if index < 2 else "right")
    for row in _rows(benchmark):
        shown.add_row(*row)
    shown.caption = _summary(benchmark)
    shown.caption_justify = "left"
    return shown


def markdown(benchmark: KernelBenchmark) -> str:
    """For a file or a pull request."""
    lines = [
        _summary(benchmark),
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|---|---|" + "---:|" * (len(_COLUMNS) - 2),
        *("| " + " | ".join(row) + " |" for row in _rows(benchmark)),
    ]
    return "\n".join(lines) + "\n"


def _rows(benchmark: KernelBenchmark) -> list[tuple[str, ...]]:
    return [
        (
            timing.case if len({t.dtype for t in benchmark.timings}) == 1 else f"{timing.case} ({timing.dtype})",
            timing.kind,
            f"{timing.ours_us:,.0f}",
            f"{timing.others_us['torch']:,.0f}",
            f"{timing.speedup:.2f} ({timing.speedup_low:.2f} to {timing.speedup_high:.2f})",
            f"{timing.flops / timing.ours_us / 1e3:,.1f}",
            f"{timing.gemm_share:.0%}",
        )
        for timing in benchmark.timings
    ]


def _summary(benchmark: KernelBenchmark) -> str:
    means = ", ".join(f"{kind} {value:.2f}" for kind, value in benchmark.geomeans.items())
    return (
        f"{benchmark.backend} on {benchmark.device}, {benchmark.threads} threads, torch {benchmark.torch}. "
        f"Speed-up over torch, geometric mean: {means}. "
        f"Matrix product {benchmark.gemm_gflops:,.0f} GFLOP/s, copy {benchmark.bandwidth_gbs:,.0f} GB/s."
    )
