"""What the proofs run: kernel cases as calls of the launchers, the answers in float64, and what torch makes of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bimodal_kernels import sdpa
from bimodal_kernels.cases import Case, Inputs, Truth, make_inputs, tagged, truth
from bimodal_kernels.check.emulator_file import Launch

Op = Literal["forward", "decode", "backward"]
_NUMBER = {"forward": 0, "decode": 1, "backward": 2}
_DTYPE_NUMBER = {"float16": 0, "bfloat16": 1}

_SPLITS = (1, 3)
"""Decode is tried with one split (no merging) and with three (some of them empty where rows are short)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One case through one op."""

    case: Case
    op: Op
    splits: int = 0
    """Of decode: how many runs the keys are cut into; 0 for the other ops."""

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"{self.op}: {self.case.name}" + (f", {self.splits} splits" if self.splits > 1 else "")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A trial's call, and what should come out of it."""

    launch: Launch
    expected: Mapping[str, Tensor]
    """In float64, by the names of the launch's outputs; workspaces are not among them."""
    torch_errors: Mapping[str, float]
    """Largest distance of torch's own result in the same dtype from `expected`; not for log_sum_exp."""


OPS: tuple[Op, ...] = ("forward", "decode", "backward")
"""That the kernels have."""


def all_trials(ops: tuple[Op, ...] = OPS) -> tuple[Trial, ...]:
    """Every row of `cases.CASES` for the CUDA kernels, through the ops that serve it.

    Rows of one query run through decode and forward both.
    """
    trials = [Trial(case, "forward") for case in tagged("cuda") if "forward" in ops]
    if "decode" in ops:
        single = [case for case in tagged("cuda") if case.queries == 1]
        trials += [Trial(case, "decode", splits) for case in single for splits in _SPLITS]
    if "backward" in ops:
        trials += [Trial(case, "backward") for case in tagged("cuda") if "decode" not in case.tags]
    return tuple(trials)


@functools.cache  # mutation testing runs the same trials over and over
def prepare(trial: Trial) -> Prepared:
    """Draw the inputs, find the answers."""
    case = trial.case
    inputs = make_inputs(case)
    answers = truth(case, inputs)
    numbers: dict[str, int | float] = {
        "op": _NUMBER[trial.op],
        "dtype": _DTYPE_NUMBER[case.dtype],
        "head_dim": case.head_dim,
        "batch": case.batch,
        "heads": case.heads,
        "kv_heads": case.kv_heads,
        "queries": case.queries,
        "keys": case.keys,
        "causal": case.causal,
        "scale": inputs.scale,
        "splits": trial.splits,
    }
    if trial.op == "backward":
        return _prepare_backward(case, inputs, answers, numbers)
    tensors = {"query": inputs.query, "key": inputs.key, "value": inputs.value}
    outputs = {"out": _positions_first(inputs.query), "log_sum_exp": torch.empty(inputs.query.shape[:3])}
    by_torch = sdpa.forward(*_tensors(inputs), inputs.key_padding_mask, case.causal, inputs.scale)
    if trial.op == "decode":
        rows = trial.splits * case.batch * case.heads
        outputs |= {"partial_out": torch.empty(rows, case.head_dim), "partial_log_sum_exp": torch.empty(rows)}
    if trial.op == "decode" and case.mask != "holes":  # the mask is a prefix: given as lengths
        tensors["lengths"] = inputs.lengths
        unfilled = torch.arange(case.keys) >= inputs.lengths[:, None]
        for cache in (inputs.key, inputs.value):  # not to be read
            cache.masked_fill_(unfilled[:, None, :, None], torch.nan)
    elif inputs.key_padding_mask is not None:
        tensors["mask"] = inputs.key_padding_mask
    return Prepared(
        Launch(numbers, tensors, outputs),
        {"out": answers.out, "log_sum_exp": answers.log_sum_exp},
        {"out": largest_error(by_torch, answers.out)},
    )


def _prepare_backward(case: Case, inputs: Inputs, answers: Truth, numbers: Mapping[str, int | float]) -> Prepared:
    tensors = {
        "query": inputs.query,
        "key": inputs.key,
        "value": inputs.value,
        "out": answers.out.to(inputs.query.dtype),
        "grad_out": inputs.grad_out,
        "log_sum_exp": answers.log_sum_exp.float(),
    }
    if inputs.key_padding_mask is not None:
        tensors["mask"] = inputs.key_padding_mask
    names = ("grad_query", "grad_key", "grad_value")
    outputs = {"row_dot": torch.empty(inputs.query.shape[:3])}
    outputs |= dict(zip(names, map(_positions_first, _tensors(inputs)), strict=True))
    leaves = [tensor.detach().requires_grad_() for tensor in _tensors(inputs)]
    out = sdpa.forward(leaves[0], leaves[1], leaves[2], inputs.key_padding_mask, case.causal, inputs.scale)
    by_torch = torch.autograd.grad(out, leaves, inputs.grad_out)
    return Prepared(
        Launch(numbers, tensors, outputs),
        dict(zip(names, answers.grads, strict=True)),
        {name: largest_error(got, want) for name, got, want in zip(names, by_torch, answers.grads, strict=True)},
    )


def largest_error(got: Tensor, want: Tensor) -> float:
    """Largest absolute difference; equal infinities differ by 0, and a NaN is infinitely wrong."""
    difference = (got.double() - want).abs().masked_fill(got.double() == want, 0.0)
    return float(difference.nan_to_num(nan=torch.inf, posinf=torch.inf).max())


def _tensors(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    return inputs.query, inputs.key, inputs.value


def _positions_first(like: Tensor) -> Tensor:
    """Empty, of this shape, and [batch, position, heads, head_dim] in memory: how the ops return what they compute."""
    batch, heads, position, head_dim = like.shape
    return like.new_empty((batch, position, heads, head_dim)).transpose(1, 2)
