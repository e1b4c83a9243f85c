"""What a training step does between its matrix products, as native ops: GELU with bias, dropout, cross-entropy, AdamW.

Implementations are in `csrc/native`, for fp32 on the CPU. Callers ask `serves` first, and have a path through torch
where it says no.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bimodal_kernels import loader

_LIBRARY = torch.library.Library("bimodal", "FRAGMENT")  # type: ignore[no-untyped-call]
for _schema in (
    "bias_gelu_forward(Tensor x, Tensor bias, bool tanh) -> Tensor",
    "bias_gelu_backward(Tensor grad_out, Tensor x, Tensor bias, bool tanh) -> (Tensor, Tensor)",
    "dropout(Tensor x, float probability, int seed) -> Tensor",
    "cross_entropy_(Tensor(a!) logits, Tensor targets, float label_smoothing, float divisor) -> Tensor",
    "clipped_adamw_(Tensor(a!)[] parameters, Tensor[] gradients, Tensor(b!)[] exp_avgs, Tensor(c!)[] exp_avg_sqs,"
    " Tensor(d!)[] steps, float[] weight_decays, float learning_rate, float beta1, float beta2, float eps,"
    " float clip_norm) -> float",
):
    _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]

_gelu_forward = torch.ops.bimodal.bias_gelu_forward.default
_gelu_backward = torch.ops.bimodal.bias_gelu_backward.default
_dropout = torch.ops.bimodal.dropout.default
_cross_entropy = torch.ops.bimodal.cross_entropy_.default
_adamw = torch.ops.bimodal.clipped_adamw_.default


def serves(backend: str, *tensors: Tensor) -> bool:
    """Whether the ops of this module are to be used for these tensors: `native`, fp32, on the CPU, not compiling."""
    return (
        backend == "native"
        and all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)
        and not torch.compiler.is_compiling()
        and loader.obstacle("native") is None
    )


def bias_gelu(x: Tensor, bias: Tensor, *, tanh: bool) -> Tensor:
    """gelu(x + bias) of x [..., width] and bias [width], with gradients."""
    return _BiasGelu.apply(x.contiguous(), bias, tanh)  # type: ignore[no-any-return]


class _BiasGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, tanh: bool) -> Tensor:
        ctx.save_for_backward(x, bias)
        ctx.tanh = tanh
        with torch._C._AutoDispatchBelowAutograd():
            return _gelu_forward(x, bias, tanh)  # type: ignore[no-any-return]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, Tensor, None]:
        x, bias = ctx.saved_tensors
        return *_gelu_backward(grad_out.contiguous(), x, bias, ctx.tanh), None


def dropout(x: Tensor, probability: float) -> Tensor:
    """X with every element 0 by the probability, else scaled by 1 / (1 - probability); with gradients.

    One number from torch's generator seeds the call: the same seed gives the same elements, on every number of threads.
    Torch's own dropout, from the same generator, drops others.
    """
    return _Dropout.apply(x.contiguous(), probability, dropout_seed(probability))  # type: ignore[no-any-return]


def dropout_seed(probability: float) -> int:
    """A seed for one call of dropout, from torch's generator; 0, and none is drawn, where nothing is dropped."""
    return int(torch.empty((), dtype=torch.int64).random_()) if probability else 0


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float, seed: int) -> Tensor:
        ctx.probability, ctx.seed = probability, seed
        with torch._C._AutoDispatchBelowAutograd():
            return _dropout(x, probability, seed)  # type: ignore[no-any-return]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, None, None]:
        return _dropout(grad_out.contiguous(), ctx.probability, ctx.seed), None, None


def cross_entropy_(logits: Tensor, targets: Tensor, *, label_smoothing: float, divisor: float) -> Tensor:
    """Losses [row] in nats of logits [row, class]; their gradient, divided by `divisor`, takes the logits' place.

    Not differentiable: it is the gradient.
    """
    with torch._C._AutoDispatchBelowAutograd():
        return _cross_entropy(logits, targets, label_smoothing, divisor)  # type: ignore[no-any-return]


@torch.no_grad()
def clipped_adamw_(
    parameters: list[Tensor],
    gradients: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    steps: list[Tensor],
    weight_decays: Sequence[float],
    *,
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    clip_norm: float,
) -> float:
    """One step of AdamW on gradients clipped to a norm over all of them; returns that norm before clipping.

    Lists go together; `steps` are fp32 scalars and are counted up.
    """
    lists = (parameters, gradients, exp_avgs, exp_avg_sqs, steps)
    return float(_adamw(*lists, list(weight_decays), learning_rate, *betas, eps, clip_norm))


@torch.library.register_fake("bimodal::bias_gelu_forward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _gelu_forward_fake(x: Tensor, bias: Tensor, tanh: bool) -> Tensor:
    return torch.empty_like(x)


@torch.library.register_fake("bimodal::bias_gelu_backward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _gelu_backward_fake(grad_out: Tensor, x: Tensor, bias: Tensor, tanh: bool) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(bias)


@torch.library.register_fake("bimodal::dropout", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _dropout_fake(x: Tensor, probability: float, seed: int) -> Tensor:
    return torch.empty_like(x)


@torch.library.register_fake("bimodal::cross_entropy_", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _cross_entropy_fake(logits: Tensor, targets: Tensor, label_smoothing: float, divisor: float) -> Tensor:
    return logits.new_empty(logits.shape[:1])
