"""Sub-layers of a pre-LN Transformer block, for training on the CPU: each is one node of autograd, one native call.

    x + dropout(out_proj(attention(in_proj(norm(x)))))
    x + tanh(gate) out_proj(attention(query_proj(norm(x)), key, value))
    x + dropout(down(gelu(up(norm(x)))))

In models of a few million parameters a matrix product takes as long as what torch does around it: views, transposes, a
node for each of them, memory taken and given back, and the second core waiting meanwhile. What is computed is what the
layers of `bimodal_models.blocks` compute, dropout's elements included; tests hold one against the other. Callers ask
`serves` first, and go layer by layer where it says no.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bimodal_kernels import catalog, training

_LIBRARY = torch.library.Library("bimodal", "FRAGMENT")  # type: ignore[no-untyped-call]
_FEED_FORWARD = (
    "Tensor norm_weight, Tensor norm_bias, Tensor up_weight, Tensor up_bias, Tensor down_weight, Tensor down_bias,"
    " float eps, bool tanh, float dropout, int seed"
)
_SELF_ATTENTION = (
    "Tensor norm_weight, Tensor norm_bias, Tensor in_weight, Tensor in_bias, Tensor out_weight, Tensor out_bias,"
    " Tensor? key_padding_mask, float eps, int heads, bool causal, float dropout, int seed"
)
_CROSS_ATTENTION = (
    "Tensor key, Tensor value, Tensor norm_weight, Tensor norm_bias, Tensor query_weight, Tensor query_bias,"
    " Tensor out_weight, Tensor gate, Tensor? key_padding_mask, float eps"
)
_SEVEN = "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
for _schema in (
    f"feed_forward(Tensor x, {_FEED_FORWARD}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
    "feed_forward_backward(Tensor grad_out, Tensor x, Tensor statistics, Tensor normed, Tensor before, Tensor hidden,"
    f" {_FEED_FORWARD}) -> {_SEVEN}",
    f"self_attention(Tensor x, {_SELF_ATTENTION}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    "self_attention_backward(Tensor grad_out, Tensor x, Tensor statistics, Tensor normed, Tensor qkv, Tensor seen,"
    f" Tensor log_sum_exp, {_SELF_ATTENTION}) -> {_SEVEN}",
    f"cross_attention(Tensor x, {_CROSS_ATTENTION}) -> {_SEVEN}",
    "cross_attention_backward(Tensor grad_out, Tensor x, Tensor statistics, Tensor normed, Tensor query, Tensor seen,"
    f" Tensor projected, Tensor log_sum_exp, {_CROSS_ATTENTION})"
    " -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
):
    _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]

_feed_forward = torch.ops.bimodal.feed_forward.default
_feed_forward_backward = torch.ops.bimodal.feed_forward_backward.default
_self_attention = torch.ops.bimodal.self_attention.default
_self_attention_backward = torch.ops.bimodal.self_attention_backward.default
_cross_attention = torch.ops.bimodal.cross_attention.default
_cross_attention_backward = torch.ops.bimodal.cross_attention_backward.default


class Norm(NamedTuple):
    """A layer norm: weight and bias [embed_dim]."""

    weight: Tensor
    bias: Tensor
    eps: float


class Linear(NamedTuple):
    """A linear layer: weight [out, in] and bias [out]."""

    weight: Tensor
    bias: Tensor


def serves(backend: str, x: Tensor, *, head_dim: int) -> bool:
    """Whether sub-layers of x are to be done here: `native`, fp32 on the CPU, with gradients, without autocast."""
    return (
        torch.is_grad_enabled()
        and x.numel() > 0
        and training.serves(backend, x)
        and not torch.is_autocast_enabled("cpu")
        and catalog.limit(backend, "cpu", x.dtype, head_dim) is None
    )


def feed_forward(x: Tensor, norm: Norm, up: Linear, down: Linear, *, tanh: bool, dropout: float) -> Tensor:
    """The sum x + dropout(down(gelu(up(norm(x))))) of x [batch, position, embed_dim], with gradients of everything."""
    layer = (*norm[:2], *up, *down)
    return _FeedForward.apply(x.contiguous(), *layer, norm.eps, tanh, dropout, training.dropout_seed(dropout))  # type: ignore[no-any-return]


def self_attention(
    x: Tensor,
    norm: Norm,
    qkv: Linear,
    out: Linear,
    *,
    num_heads: int,
    key_padding_mask: Tensor | None,
    causal: bool,
    dropout: float,
) -> Tensor:
    """The sum x + dropout(out(attention(qkv(norm(x))))) of the same x; mask [batch, position] bool, True = keep."""
    mask = None if key_padding_mask is None else key_padding_mask.contiguous()
    options = (mask, norm.eps, num_heads, causal, dropout, training.dropout_seed(dropout))
    return _SelfAttention.apply(x.contiguous(), *norm[:2], *qkv, *out, *options)  # type: ignore[no-any-return]


def cross_attention(
    x: Tensor,
    key: Tensor,
    value: Tensor,
    norm: Norm,
    query: Linear,
    out_weight: Tensor,
    gate: Tensor,
    *,
    key_padding_mask: Tensor | None,
) -> Tensor:
    """The sum x + tanh(gate) out(attention(query(norm(x)), key, value)) of the same x, all heads of one width.

    key and value [batch, heads, key, head_dim], out_weight [embed_dim, embed_dim], gate [1], mask [batch, key] bool.
    """
    mask = None if key_padding_mask is None else key_padding_mask.contiguous()
    layer = (_row_major(key), _row_major(value), *norm[:2], *query, out_weight, gate)
    return _CrossAttention.apply(x.contiguous(), *layer, mask, norm.eps)  # type: ignore[no-any-return]


def _row_major(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *layer: Any) -> Tensor:
        with torch._C._AutoDispatchBelowAutograd():
            out, *saved = _feed_forward(x, *layer)
        ctx.save_for_backward(x, *saved, *layer[:6])
        ctx.options = layer[6:]
        return out  # type: ignore[no-any-return]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        with torch._C._AutoDispatchBelowAutograd():
            grads = _feed_forward_backward(grad_out.contiguous(), *ctx.saved_tensors, *ctx.options)
        return *grads, None, None, None, None


class _SelfAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *layer: Any) -> Tensor:
        with torch._C._AutoDispatchBelowAutograd():
            out, *saved = _self_attention(x, *layer)
        ctx.save_for_backward(x, *saved, *layer[:7])
        ctx.options = layer[7:]
        return out  # type: ignore[no-any-return]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        with torch._C._AutoDispatchBelowAutograd():
            grads = _self_attention_backward(grad_out.contiguous(), *ctx.saved_tensors, *ctx.options)
        return *grads, *(None,) * 6


class _CrossAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *layer: Any) -> Tensor:
        with torch._C._AutoDispatchBelowAutograd():
            out, *saved = _cross_attention(x, *layer)
        ctx.save_for_backward(x, *saved, *layer[:9])
        ctx.eps = layer[9]
        return out  # type: ignore[no-any-return]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        with torch._C._AutoDispatchBelowAutograd():
            grads = _cross_attention_backward(grad_out.contiguous(), *ctx.saved_tensors, ctx.eps)
        return *grads, None, None


@torch.library.register_fake("bimodal::feed_forward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _feed_forward_fake(x: Tensor, *layer: Any) -> tuple[Tensor, ...]:
    rows, width = x.shape[0] * x.shape[1], x.shape[2]
    hidden = layer[3].shape[0]
    return (torch.empty_like(x), *(x.new_empty((rows, columns)) for columns in (2, width, hidden, hidden)))


@torch.library.register_fake("bimodal::self_attention", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _self_attention_fake(x: Tensor, *layer: Any) -> tuple[Tensor, ...]:
    batch, position, width = x.shape
    shapes = [(batch * position, columns) for columns in (2, width, 3 * width, width)]
    return (torch.empty_like(x), *map(x.new_empty, (*shapes, (batch, layer[8], position))))


@torch.library.register_fake("bimodal::cross_attention", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _cross_attention_fake(x: Tensor, *layer: Any) -> tuple[Tensor, ...]:
    batch, position, width = x.shape
    shapes = [(batch * position, columns) for columns in (2, width, width, width, width)]
    return (torch.empty_like(x), *map(x.new_empty, (*shapes, (batch, layer[0].shape[1], position))))


@torch.library.register_fake("bimodal::feed_forward_backward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _feed_forward_backward_fake(grad_out: Tensor, *saved_and_layer: Any) -> tuple[Tensor, ...]:
    return torch.empty_like(grad_out), *map(torch.empty_like, saved_and_layer[5:11])


@torch.library.register_fake("bimodal::self_attention_backward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _self_attention_backward_fake(grad_out: Tensor, *saved_and_layer: Any) -> tuple[Tensor, ...]:
    return torch.empty_like(grad_out), *map(torch.empty_like, saved_and_layer[6:12])


@torch.library.register_fake("bimodal::cross_attention_backward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _cross_attention_backward_fake(grad_out: Tensor, *saved_and_layer: Any) -> tuple[Tensor, ...]:
    key, value, *weights = saved_and_layer[7:15]
    return (
        torch.empty_like(grad_out),
        _keys_before_heads(key),
        _keys_before_heads(value),
        *map(torch.empty_like, weights),
    )


def _keys_before_heads(like: Tensor) -> Tensor:
    batch, heads, keys, head_dim = like.shape
    return like.new_empty((batch, keys, heads, head_dim)).transpose(1, 2)
