"""The one door to attention. Shape legend: batch, heads, kv_heads, query, key (positions), head_dim."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bimodal_kernels import compiled, fallbacks, ops, reference, sdpa
from bimodal_kernels.catalog import COMPILED, FALLBACK, limit, require_backend
from bimodal_kernels.shapes import check_decode_inputs, check_inputs

Forward = Callable[[Tensor, Tensor, Tensor, Tensor | None, bool, float], Tensor]
"""`forward(query, key, value, key_padding_mask, causal, scale)` of a backend, on checked inputs."""

_FORWARD: Mapping[str, Forward] = {
    "cuda": compiled.cuda,
    "native": compiled.native,
    "sdpa": sdpa.forward,
    "reference": reference.forward,
}


def attention(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    *,
    key_padding_mask: Bool[Tensor, "batch key"] | None = None,
    causal: bool = False,
    scale: float | None = None,
    backend: str = FALLBACK,
) -> Float[Tensor, "batch heads query head_dim"]:
    """Scaled dot-product attention: softmax(scale * query key^T) value over the visible keys.

    Args:
        query: what asks.
        key: what is asked; each of its heads serves heads / kv_heads consecutive heads of the query.
        value: what is answered.
        key_padding_mask: True = keep.
        causal: key j is visible to query i iff j <= i + K - Q (aligned bottom-right), which serves
            self-attention, chunked prefill and single-query decode alike.
        scale: factor on the scores; None is 1 / sqrt(head_dim).
        backend: a name of `BACKENDS`; see `choose_backend`. A call beyond the limits of a compiled one (such as
            fp32 on `cuda`) is served by `sdpa`, with a warning, and counted in `fallbacks`.

    Returns:
        One vector per query; a query that sees no key gets 0.

    Raises:
        ValueError: shapes or dtypes do not fit together, or there is no such backend.
        RuntimeError: the backend is a compiled one that cannot be had here.

    Source: Vaswani et al. 2017, sec. 3.2.1; grouped queries: Ainslie et al. 2023, sec. 2.2.
    """
    check_inputs(query, key, value, key_padding_mask)
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    forward = _FORWARD[_serving(backend, query, factor)]
    if key.shape[2] == 0 or query.numel() == 0:
        return query.new_zeros(query.shape)
    return forward(query, key, value, key_padding_mask, causal, factor)


def self_attention(
    qkv: Float[Tensor, "batch position 3 heads head_dim"],
    *,
    key_padding_mask: Bool[Tensor, "batch position"] | None = None,
    causal: bool = False,
    backend: str = FALLBACK,
) -> Float[Tensor, "batch heads position head_dim"]:
    """`attention` among positions whose query, key and value one projection made; without copies where that serves.

    Args:
        qkv: query, key and value of each position, one after the other.
        key_padding_mask: as for `attention`, as are the others.
        causal: position j is visible to i iff j <= i.
        backend: a name of `BACKENDS`.

    Raises:
        ValueError, RuntimeError: as for `attention`.
    """
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
    factor = query.shape[-1] ** -0.5
    if torch.is_grad_enabled() and qkv.requires_grad and qkv.numel() and _packs(backend, query, factor):
        check_inputs(query, key, value, key_padding_mask)
        compiled.require(backend)
        return ops.attend_packed(qkv, key_padding_mask, causal, factor)
    return attention(query, key, value, key_padding_mask=key_padding_mask, causal=causal, backend=backend)


def _packs(backend: str, query: Tensor, scale: float) -> bool:
    if backend != "native" or torch.compiler.is_compiling() or torch.is_autocast_enabled(query.device.type):
        return False
    return limit(backend, query.device.type, query.dtype, query.shape[-1], scale) is None


@torch.no_grad()
def attention_decode(
    query: Float[Tensor, "batch heads 1 head_dim"],
    key_cache: Float[Tensor, "batch kv_heads slot head_dim"],
    value_cache: Float[Tensor, "batch kv_heads slot head_dim"],
    lengths: Int[Tensor, "batch"],
    *,
    ragged: bool = True,
    scale: float | None = None,
    backend: str = FALLBACK,
) -> Float[Tensor, "batch heads 1 head_dim"]:
    """Attention of one query per row to the first `lengths` slots of a cache. Inference only: no gradients.

    Args:
        query: the newest token's.
        key_cache: keys, in slots; those from a row's length on mean nothing, but must be finite.
        value_cache: values, in slots.
        lengths: filled slots per row, the newest token's included; a row of 0 gets 0.
        ragged: False promises that every row has filled all slots, which saves some backends a mask.
        scale: factor on the scores; None is 1 / sqrt(head_dim).
        backend: as for `attention`.

    Raises:
        ValueError, RuntimeError: as for `attention`.
    """
    check_decode_inputs(query, key_cache, value_cache, lengths)
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    name = _serving(backend, query, factor)
    if name in COMPILED:
        compiled.require(name)
        return ops.decode(query, key_cache, value_cache, lengths, factor)
    filled = torch.arange(key_cache.shape[2], device=lengths.device) < lengths[:, None] if ragged else None
    return _FORWARD[name](query, key_cache, value_cache, filled, False, factor)


def _serving(backend: str, query: Tensor, scale: float) -> str:
    """The backend, or `sdpa` where the call is beyond its limits."""
    if require_backend(backend) not in COMPILED:
        return backend
    reason = limit(backend, query.device.type, _computing_dtype(query), query.shape[-1], scale)
    if reason is None:
        return backend
    if not torch.compiler.is_compiling():
        fallbacks.record(backend, reason, FALLBACK)
    return FALLBACK


def _computing_dtype(query: Tensor) -> torch.dtype:
    kind = query.device.type
    if query.dtype == torch.float64 or not torch.is_autocast_enabled(kind):
        return query.dtype
    return torch.get_autocast_dtype(kind)
