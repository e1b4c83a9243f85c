"""Floating-point operations of attention and of whole sub-layers, for torch's flop counter.

The counter knows torch's attention on GPUs, but neither its fused one on CPUs nor the ops of this package, and counts
an op that it does not know as nothing. These formulas are its own: all score and value products, those behind a causal
mask included, and a backward pass that computes the scores again; of linear layers, one product forward and two back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from bimodal_kernels import ops, sublayers  # noqa: F401  (both define ops)

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


def _linears(x: Shape, layer: tuple[Any, ...]) -> int:
    # A layer is norm weight and bias, then weight and bias of each of its two linear layers, then other things.
    return int(2 * x[0] * x[1] * (layer[2].numel() + layer[4].numel()))


def _feed_forward(x: Shape, *layer: Any, **_: Any) -> int:
    return _linears(x, layer)


def _feed_forward_backward(grad_out: Shape, *saved_and_layer: Any, **_: Any) -> int:
    return 2 * _linears(grad_out, saved_and_layer[5:])


def _heads(x: Shape, heads: int) -> Shape:
    return Shape((x[0], heads, x[1], x[2] // heads))


def _self_attention(x: Shape, *layer: Any, **_: Any) -> int:
    query = _heads(x, layer[8])
    return _linears(x, layer) + _forward(query, query, query)


def _self_attention_backward(grad_out: Shape, *saved_and_layer: Any, **_: Any) -> int:
    layer = saved_and_layer[6:]
    query = _heads(grad_out, layer[8])
    return 2 * _linears(grad_out, layer) + _backward(query, query, query, query)


def _cross_attention(x: Shape, key: Shape, value: Shape, *layer: Any, **_: Any) -> int:
    return _linears(x, layer) + _forward(_heads(x, key[1]), key, value)


def _cross_attention_backward(grad_out: Shape, *saved_and_layer: Any, **_: Any) -> int:
    key, value, *layer = saved_and_layer[7:]
    query = _heads(grad_out, key[1])
    return 2 * _linears(grad_out, tuple(layer)) + _backward(query, query, key, value)


FLOP_FORMULAS: Mapping[Any, Callable[..., int]] = {
    torch.ops.bimodal.attention_forward: _forward,
    torch.ops.bimodal.attention_backward: _backward,
    torch.ops.bimodal.attention_backward_into: _backward,
    torch.ops.bimodal.attention_decode: _forward,
    torch.ops.bimodal.feed_forward: _feed_forward,
    torch.ops.bimodal.feed_forward_backward: _feed_forward_backward,
    torch.ops.bimodal.self_attention: _self_attention,
    torch.ops.bimodal.self_attention_backward: _self_attention_backward,
    torch.ops.bimodal.cross_attention: _cross_attention,
    torch.ops.bimodal.cross_attention_backward: _cross_attention_backward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _forward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward,
}
"""`FlopCounterMode(custom_mapping=...)` takes these."""
