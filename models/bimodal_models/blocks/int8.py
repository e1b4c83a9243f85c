"""Linear layers and embeddings with int8 weights, made from trained ones. Legend: output, input, token, embed_dim.

Each output (each token of an embedding) has a scale: weight ~ scale * int8, rounded to the nearest of 255 steps, so
that no weight is off by more than half a step, 1/254 of the largest of its output. Activations stay as they are.

Source: Dettmers et al. 2022 (LLM.int8()), sec. 2.1: vector-wise quantisation by the absolute maximum, here of the
weights alone.
"""

import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal_kernels import decoder

LEVELS = 127
"""Largest int8 used: with -128, the range would not be symmetric."""


class Int8Linear(nn.Module):
    """`nn.Linear` with int8 weights; inference only."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight, scale = quantised(linear.weight)
        self.weight, self.scale = _constant(weight), _constant(scale)
        self.bias = None if linear.bias is None else _constant(linear.bias)

    def forward(self, x: Float[Tensor, "... input"]) -> Float[Tensor, "... output"]:
        """Outputs in the dtype of `x`."""
        return product(x, self.weight, self.scale, self.bias)


class Int8Embedding(nn.Module):
    """`nn.Embedding` with int8 weights; inference only."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        weight, scale = quantised(embedding.weight)
        self.weight, self.scale = _constant(weight), _constant(scale)

    def forward(self, tokens: Int[Tensor, "..."]) -> Float[Tensor, "... embed_dim"]:
        """The tokens' embeddings."""
        return self.weight[tokens] * self.scale[tokens][..., None]


def quantised(weight: Float[Tensor, "output input"]) -> tuple[Int8[Tensor, "output input"], Float[Tensor, "output"]]:
    """Int8 weights and one scale per output; an output of zeros has scale 0."""
    weight = weight.detach()
    scale = weight.abs().amax(dim=1) / LEVELS
    steps = (weight / scale.clamp_min(torch.finfo(weight.dtype).tiny)[:, None]).round()
    return steps.to(torch.int8), scale


def product(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    """Linear layer of x [..., input] with weights scale[output] * weight[output, input]."""
    if decoder.step_limit(x.device, x.dtype, (weight.shape[1],)) is None:
        rows = decoder.int8_linear(x.flatten(0, -2).contiguous(), weight, scale, bias)
        return rows.view(*x.shape[:-1], weight.shape[0])
    return F.linear(x, (weight * scale[:, None]).to(x.dtype), bias)


def _constant(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach().clone(), requires_grad=False)
