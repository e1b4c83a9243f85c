"""The microbenchmark: our attention against torch's and others, on the rows of `cases.py` that are tagged `timed`.

Beside each pair runs a matrix product of the same dtype, so that a rate can be told as a share of what the machine
gives at that very moment. GFLOP/s counts the products of visible pairs only: two forward, five more backward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from bimodal_kernels import attention, attention_decode
from bimodal_kernels.cases import DTYPES, Case, Inputs, make_inputs, tagged
from bimodal_kernels.stopwatch import Call, Clock, OnGpu, Samples, interleave, on_cpu

Pass = Literal["forward", "forward + backward", "decode"]

OURS, TORCH, GEMM = "ours", "torch", "gemm"
_GEMM_SIZE = {"cpu": 768, "cuda": 4096}
_STREAM_BYTES = 2**28
_BACKWARD_FACTOR = 3.5
"""Seven products forward and backward for the two of forward alone."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One case, one pass, all contenders."""

    case: str
    kind: Pass
    dtype: str
    flops: int
    bytes_moved: int
    """Every tensor read or written once: the least possible."""
    ours_us: float
    others_us: Mapping[str, float]
    """`torch` is scaled_dot_product_attention as it chooses by itself."""
    speedup: float
    """Median over rounds of torch's time / ours."""
    speedup_low: float
    speedup_high: float
    """Quartiles over rounds."""
    gemm_share: float
    """Median over rounds of our rate / that of a matrix product."""
    rounds: int

    @property
    def gflops(self) -> float:
        """Our rate, in 10^9 operations per second."""
        return self.flops / self.ours_us / 1e3


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All timings of a machine, with the two roofs over them."""

    device: str
    backend: str
    torch: str
    threads: int
    gemm_gflops: float
    bandwidth_gbs: float
    """Of a copy, read plus written."""
    timings: tuple[Timing, ...]

    def geomean(self, kind: Pass) -> float | None:
        """Geometric mean of the speed-ups of a pass; None without any."""
        ratios = [timing.speedup for timing in self.timings if timing.kind == kind]
        return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def run_benchmark(
    *,
    device: str = "cpu",
    budget_s: float = 0.7,
    names: tuple[str, ...] = (),
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Benchmark:
    """Time every row tagged `timed` on a device.

    Args:
        device: `cpu` or `cuda`.
        budget_s: for each row and pass.
        names: only rows whose name has one of these parts; empty: all.
        progress: told after every row.

    Raises:
        RuntimeError: the kernels for the device cannot be had.
    """
    backend = "native" if device == "cpu" else "cuda"
    clock: Clock = on_cpu if device == "cpu" else OnGpu()
    dtypes = ("float32",) if device == "cpu" else ("bfloat16", "float16")
    cases = [case for case in tagged("timed") if not names or any(part in case.name for part in names)]
    work = [(replace(case, dtype=dtype), kind) for dtype in dtypes for case in cases for kind in passes(case)]
    timings = []
    for done, (case, kind) in enumerate(work):
        progress("kernel benchmark", done, len(work))
        timings.append(time_case(case, kind, backend, device, clock, budget_s))
    progress("kernel benchmark", len(work), len(work))
    gemm, flops = _gemm(device, dtypes[0])
    return Benchmark(
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
        backend=backend,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        gemm_gflops=flops / interleave({GEMM: gemm}, clock, budget_s=budget_s).median_s(GEMM) / 1e9,
        bandwidth_gbs=_bandwidth_gbs(device, clock, budget_s),
        timings=tuple(timings),
    )


def passes(case: Case) -> tuple[Pass, ...]:
    """What is timed of a row."""
    return ("decode",) if "decode" in case.tags else ("forward", "forward + backward")


def time_case(case: Case, kind: Pass, backend: str, device: str, clock: Clock, budget_s: float) -> Timing:
    """Time one pass of one row."""
    drawn = make_inputs(case, device=device)
    calls = contenders(case, drawn, kind, backend)
    gemm, gemm_flops = _gemm(device, case.dtype)
    with torch.set_grad_enabled(kind == "forward + backward"):
        samples = interleave({**calls, GEMM: gemm}, clock, budget_s=budget_s)
    flops = round(case.forward_flops() * (_BACKWARD_FACTOR if kind == "forward + backward" else 1))
    speedup, low, high = samples.ratio(TORCH, OURS)
    # Our rate / the product's rate = (flops / ours) / (gemm_flops / gemm), round by round.
    share = samples.ratio(GEMM, OURS)[0] * flops / gemm_flops
    return Timing(
        case=case.name,
        kind=kind,
        dtype=case.dtype,
        flops=flops,
        bytes_moved=_bytes_moved(case, kind),
        ours_us=samples.median_s(OURS) * 1e6,
        others_us={name: samples.median_s(name) * 1e6 for name in calls if name != OURS},
        speedup=speedup,
        speedup_low=low,
        speedup_high=high,
        gemm_share=share,
        rounds=_rounds(samples),
    )


def contenders(case: Case, drawn: Inputs, kind: Pass, backend: str) -> dict[str, Call]:
    """Who runs a row: `ours`, `torch`, and on a GPU every backend of torch and flash-attn where they serve."""
    if kind == "decode":
        lengths, mask = drawn.lengths, drawn.key_padding_mask
        ragged = mask is not None

        def ours() -> Tensor:
            return attention_decode(drawn.query, drawn.key, drawn.value, lengths, ragged=ragged, backend=backend)
    else:

        def ours() -> Tensor:
            return attention(
                drawn.query,
                drawn.key,
                drawn.value,
                key_padding_mask=drawn.key_padding_mask,
                causal=case.causal,
                backend=backend,
            )

    forwards: dict[str, Callable[[], Tensor]] = {OURS: ours, TORCH: _by_torch(case, drawn)}
    if drawn.query.is_cuda:
        forwards |= dict(_others_on_gpu(case, drawn))
    if kind != "forward + backward":
        return dict(forwards)
    leaves = [tensor.requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]

    def trained(forward: Callable[[], Tensor]) -> Call:
        return lambda: torch.autograd.grad(forward(), leaves, drawn.grad_out)

    return {name: trained(forward) for name, forward in forwards.items()}


def _by_torch(case: Case, drawn: Inputs) -> Callable[[], Tensor]:
    """scaled_dot_product_attention, given what it is best at: no mask where none is needed."""
    mask = None if drawn.key_padding_mask is None else drawn.key_padding_mask[:, None, None, :]
    causal = case.causal and case.queries > 1
    assert not causal or (mask is None and case.queries == case.keys), "timed rows let torch use is_causal"
    return lambda: scaled_dot_product_attention(
        drawn.query,
        drawn.key,
        drawn.value,
        attn_mask=mask,
        is_causal=causal,
        scale=drawn.scale,
        enable_gqa=case.heads != case.kv_heads,
    )


def _others_on_gpu(case: Case, drawn: Inputs) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    by_torch = _by_torch(case, drawn)
    for kind in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION):

        def forced(kind: SDPBackend = kind) -> Tensor:
            with sdpa_kernel(kind):
                return by_torch()

        if _serves(forced):
            yield f"torch {kind.name.lower()}", forced
    try:
        from flash_attn import flash_attn_func
    except ImportError:
        return
    if drawn.key_padding_mask is None:
        query, key, value = (tensor.transpose(1, 2) for tensor in (drawn.query, drawn.key, drawn.value))

        def flash() -> Tensor:
            out: Tensor = flash_attn_func(query, key, value, softmax_scale=drawn.scale, causal=case.causal)
            return out.transpose(1, 2)

        yield "flash-attn", flash


def _serves(call: Callable[[], Tensor]) -> bool:
    try:
        call()
    except RuntimeError:  # torch: "No available kernel"
        return False
    return True


def _gemm(device: str, dtype: str) -> tuple[Call, int]:
    """A matrix product of the machine's liking, and its operations."""
    size = _GEMM_SIZE[device]
    left, right = (torch.randn(size, size, device=device).to(DTYPES[dtype]) for _ in range(2))
    out = torch.empty_like(left)

    def product() -> Tensor:
        with torch.no_grad():
            return torch.mm(left, right, out=out)

    return product, 2 * size**3


def _bandwidth_gbs(device: str, clock: Clock, budget_s: float) -> float:
    source = torch.ones(_STREAM_BYTES, dtype=torch.int8, device=device)
    target = torch.empty_like(source)
    copy_s = interleave({"copy": lambda: target.copy_(source)}, clock, budget_s=budget_s).median_s("copy")
    return 2 * _STREAM_BYTES / copy_s / 1e9


def _bytes_moved(case: Case, kind: Pass) -> int:
    item: int = DTYPES[case.dtype].itemsize
    queries = case.batch * case.heads * case.queries * case.head_dim * item
    keys = case.batch * case.kv_heads * case.keys * case.head_dim * item
    forward = 2 * queries + 2 * keys  # query, out; key, value
    if kind != "forward + backward":
        return forward
    return forward + (3 * queries + 2 * keys) + (queries + 2 * keys)  # reads the same and grad_out, writes gradients


def _rounds(samples: Samples) -> int:
    return len(next(iter(samples.seconds.values())))
