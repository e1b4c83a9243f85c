"""The compiled ops: their schemas, their shapes without data, their gradients, and what autocast does to them.

Schemas live here, in Python; the shared objects of `csrc` bring implementations alone, `csrc/native` for the CPU and
`csrc/cuda` for CUDA, so that either can be there without the other, and tracing works with none. The decoder's ops are
in `decoder.py`.

Legend: batch, heads, kv_heads, query, key, slot (positions), head_dim.

What an implementation may rely on, and what it owes:

- The last dimension of every tensor is contiguous, all other strides are arbitrary (0 included). Masks are contiguous.
- kv_heads divides heads; each key head serves heads / kv_heads consecutive query heads. There is at least one key.
- Key j is visible to query i iff `key_padding_mask[batch, j]` and, if causal, j <= i + K - Q.
- `out` and all gradients are laid out [batch, position, heads, head_dim] in memory and returned transposed to
  [batch, heads, position, head_dim]: the projections around attention then need no copy.
- `log_sum_exp` is the natural logarithm of the sum of exp(scale * score) over visible keys: fp32 [batch, heads, query],
  contiguous. A query that sees nothing gets out 0, log-sum-exp -inf, and gradients 0.
- The same inputs give the same bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_LIBRARY = torch.library.Library("bimodal", "DEF")  # type: ignore[no-untyped-call]
_TAGS = (torch.Tag.pt2_compliant_tag,)
for _schema in (
    "attention_forward(Tensor query, Tensor key, Tensor value, Tensor? key_padding_mask, bool causal, float scale)"
    " -> (Tensor out, Tensor log_sum_exp)",
    "attention_backward(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor log_sum_exp,"
    " Tensor? key_padding_mask, bool causal, float scale) -> (Tensor, Tensor, Tensor)",
    # For the CPU alone: gradients go where the caller wants them.
    "attention_backward_into(Tensor grad_out, Tensor query, Tensor key, Tensor value, Tensor out, Tensor log_sum_exp,"
    " Tensor? key_padding_mask, bool causal, float scale, Tensor(a!) grad_query, Tensor(b!) grad_key,"
    " Tensor(c!) grad_value) -> ()",
    "attention_decode(Tensor query, Tensor key_cache, Tensor value_cache, Tensor lengths, float scale) -> Tensor",
):
    _LIBRARY.define(_schema, tags=_TAGS)  # type: ignore[no-untyped-call]

_forward_op = torch.ops.bimodal.attention_forward.default
_backward_op = torch.ops.bimodal.attention_backward.default
_backward_into_op = torch.ops.bimodal.attention_backward_into.default
_decode_op = torch.ops.bimodal.attention_decode.default


def attend(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, causal: bool, scale: float
) -> Tensor:
    """Attention through the compiled op of the inputs' device, with gradients; inputs as `attention` checked them.

    query [batch, heads, query, head_dim], key and value [batch, kv_heads, key, head_dim], mask [batch, key] bool.
    """
    if torch.is_autocast_enabled(query.device.type):
        query, key, value = _as_autocast(query), _as_autocast(key), _as_autocast(value)
    query, key, value = _row_major(query), _row_major(key), _row_major(value)
    mask = None if key_padding_mask is None else key_padding_mask.contiguous()
    if torch.compiler.is_compiling():
        return _forward_op(query, key, value, mask, causal, scale)[0]  # type: ignore[no-any-return]
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        return _Attention.apply(query, key, value, mask, causal, scale)  # type: ignore[no-any-return]
    with torch._C._AutoDispatchBelowAutograd():  # without it the call takes 30 us longer, gradients or not
        return _forward_op(query, key, value, mask, causal, scale)[0]  # type: ignore[no-any-return]


def decode(query: Tensor, key_cache: Tensor, value_cache: Tensor, lengths: Tensor, scale: float) -> Tensor:
    """One query per row against the first `lengths` slots of a cache; without gradients.

    query [batch, heads, 1, head_dim], caches [batch, kv_heads, slot, head_dim], lengths [batch] int64 in 0 to slots.
    Slots from a row's length on are not read. Returns [batch, heads, 1, head_dim].
    """
    return _decode_op(*map(_row_major, (query, key_cache, value_cache)), lengths.contiguous(), scale)  # type: ignore[no-any-return]


class _Attention(torch.autograd.Function):
    """The eager route to gradients: half the overhead of what `register_autograd` puts around an op."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None,
        causal: bool,
        scale: float,
    ) -> Tensor:
        with torch._C._AutoDispatchBelowAutograd():
            out, log_sum_exp = _forward_op(query, key, value, key_padding_mask, causal, scale)
        _save(ctx, (query, key, value, key_padding_mask, causal, scale), (out, log_sum_exp))
        return out  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True
            return _once_differentiable_gradients(ctx, grad_out)
        with torch._C._AutoDispatchBelowAutograd():
            return _gradients(ctx, grad_out)


def attend_packed(qkv: Tensor, key_padding_mask: Tensor | None, causal: bool, scale: float) -> Tensor:
    """Self-attention on the CPU, from and to the fused projection's memory: no copies, in neither direction.

    qkv [batch, position, 3, heads, head_dim] (query, key, value) fp32, mask [batch, position] bool; returns
    [batch, heads, position, head_dim].
    """
    mask = None if key_padding_mask is None else key_padding_mask.contiguous()
    return _PackedAttention.apply(_row_major(qkv), mask, causal, scale)  # type: ignore[no-any-return]


class _PackedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, key_padding_mask: Tensor | None, causal: bool, scale: float) -> Tensor:
        with torch._C._AutoDispatchBelowAutograd():
            out, log_sum_exp = _forward_op(*_unpacked(qkv), key_padding_mask, causal, scale)
        ctx.save_for_backward(qkv, out, log_sum_exp, key_padding_mask)
        ctx.causal, ctx.scale = causal, scale
        return out  # type: ignore[no-any-return]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        qkv, out, log_sum_exp, mask = ctx.saved_tensors
        grad_qkv = torch.empty(qkv.shape, dtype=qkv.dtype)
        options = (mask, ctx.causal, ctx.scale)
        with torch._C._AutoDispatchBelowAutograd():
            _backward_into_op(_row_major(grad_out), *_unpacked(qkv), out, log_sum_exp, *options, *_unpacked(grad_qkv))
        return grad_qkv, None, None, None


def _unpacked(qkv: Tensor) -> tuple[Tensor, ...]:
    return qkv.permute(2, 0, 3, 1, 4).unbind()


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    query, key, value, key_padding_mask, causal, scale = inputs
    ctx.save_for_backward(query, key, value, *output, key_padding_mask)
    ctx.causal, ctx.scale = causal, scale


def _gradients(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    query, key, value, out, log_sum_exp, mask = ctx.saved_tensors
    grads = _backward_op(_row_major(grad_out), query, key, value, out, log_sum_exp, mask, ctx.causal, ctx.scale)
    return (*grads, None, None, None)


# Raises when somebody differentiates once more. It costs 3 us: spared where nobody can.
_once_differentiable_gradients = torch.autograd.function.once_differentiable(_gradients)


def _row_major(tensor: Tensor) -> Tensor:
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _as_autocast(tensor: Tensor) -> Tensor:
    # Attention is a matrix product: under autocast it runs in autocast's dtype, as torch's own does.
    kind = tensor.device.type
    if not torch.is_autocast_enabled(kind) or tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(kind))


@torch.library.register_fake("bimodal::attention_forward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _forward_fake(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    return _positions_before_heads(query), query.new_empty(query.shape[:3], dtype=torch.float32)


@torch.library.register_fake("bimodal::attention_backward", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _backward_fake(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    log_sum_exp: Tensor,
    key_padding_mask: Tensor | None,
    causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    return _positions_before_heads(query), _positions_before_heads(key), _positions_before_heads(value)


@torch.library.register_fake("bimodal::attention_backward_into", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _backward_into_fake(*_: Any) -> None:
    """Writes into what it is given."""


@torch.library.register_fake("bimodal::attention_decode", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _decode_fake(query: Tensor, key_cache: Tensor, value_cache: Tensor, lengths: Tensor, scale: float) -> Tensor:
    return query.new_empty(query.shape)


def _positions_before_heads(like: Tensor) -> Tensor:
    batch, heads, position, head_dim = like.shape
    return like.new_empty((batch, position, heads, head_dim)).transpose(1, 2)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _save(ctx, inputs, output)
    ctx.mark_non_differentiable(output[1])


def _registered_backward(ctx: Any, grad_out: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    return _gradients(ctx, grad_out)


torch.library.register_autograd(
    "bimodal::attention_forward", _registered_backward, setup_context=_setup_context, lib=_LIBRARY
)


def _register_autocast(name: str, tensors: int) -> None:
    # The op's own rule, for callers of torch.ops.bimodal; `attend` has cast before it comes here. torch's
    # register_autocast would fix one dtype for good.
    op = getattr(torch.ops.bimodal, name).default

    for key in ("AutocastCPU", "AutocastCUDA"):

        def rule(*args: Any, key: str = key) -> Any:
            cast = [_as_autocast(tensor) for tensor in args[:tensors]]  # first: under the guard autocast is off
            with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, key))):
                return op(*cast, *args[tensors:])

        _LIBRARY.impl(name, rule, key)  # type: ignore[no-untyped-call]


_register_autocast("attention_forward", tensors=3)
_register_autocast("attention_decode", tensors=3)
