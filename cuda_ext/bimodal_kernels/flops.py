"""Floating-point operations of attention, for torch's flop counter.

The counter knows torch's attention on GPUs, but neither its fused one on CPUs nor the ops of this package, and counts
an op that it does not know as nothing. These formulas are its own: all score and value products, those behind a causal
mask included, and a backward pass that computes the scores again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from bimodal_kernels import ops  # noqa: F401  (defines torch.ops.bimodal)

Shape = torch.Size


def _forward(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    heads = query[1]  # a key head that serves several query heads is multiplied with each of them
    shapes = query, _with_heads(key, heads), _with_heads(value, heads)
    return int(sdpa_flop_count(*shapes))  # type: ignore[no-untyped-call]


def _backward(grad_out: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    heads = query[1]
    shapes = grad_out, query, _with_heads(key, heads), _with_heads(value, heads)
    return int(sdpa_backward_flop_count(*shapes))  # type: ignore[no-untyped-call]


def _with_heads(shape: Shape, heads: int) -> tuple[int, ...]:
    batch, _, *rest = shape
    return (batch, heads, *rest)


FLOP_FORMULAS: Mapping[Any, Callable[..., int]] = {
    torch.ops.bimodal.attention_forward: _forward,
    torch.ops.bimodal.attention_backward: _backward,
    torch.ops.bimodal.attention_backward_into: _backward,
    torch.ops.bimodal.attention_decode: _forward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _forward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward,
}
"""`FlopCounterMode(custom_mapping=...)` takes these."""
