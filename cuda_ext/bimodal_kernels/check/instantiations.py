"""Small trials that reach every instantiation of every CUDA kernel: for the PTX interpreter, which is slow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from bimodal_kernels.cases import Case
from bimodal_kernels.check.trials import OPS, Op, Trial

_DTYPES, _HEAD_DIMS = ("float16", "bfloat16"), (64, 128)


def interpreter_trials(ops: tuple[Op, ...] = OPS) -> tuple[Trial, ...]:
    """Every combination of dtype, head_dim and causal that is compiled, on cases with ragged ends and a mask."""
    return tuple(trial for trial in _all() if trial.op in ops)


def _all() -> Iterator[Trial]:
    for dtype, head_dim, causal in product(_DTYPES, _HEAD_DIMS, (False, True)):
        name = f"{dtype}, {head_dim}{', causal' if causal else ''}"
        case = Case(name, 1, 1, 1, 37, 75, head_dim, causal, "holes", dtype)
        yield Trial(case, "forward")
        yield Trial(case, "backward")
    for dtype, head_dim in product(_DTYPES, _HEAD_DIMS):
        case = Case(f"{dtype}, {head_dim}", 2, 2, 1, 1, 70, head_dim, False, "ragged", dtype, "sliced")
        yield Trial(case, "decode", splits=2)
