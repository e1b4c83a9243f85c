"""`attn_implementation="bimodal"` for the models of transformers.

    from bimodal_kernels import transformers_attention

    transformers_attention.register()
    model = AutoModelForCausalLM.from_pretrained("gpt2", attn_implementation="bimodal")

Masks come as transformers builds them for its own `sdpa`: [batch, 1, query, key]. Whatever made a mask, it is looked
at, once per forward pass: if it is what causal and padding can say, our kernels run; if not (sliding windows, packed
sequences, biases), or if a call asks for what they do not have (dropout on attention weights), transformers' `sdpa`
runs instead, with a warning, and `fallbacks.recorded()` counts it.

Legend: batch, heads, kv_heads, query, key (positions), head_dim.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from bimodal_kernels import fallbacks
from bimodal_kernels.catalog import AUTO, choose_backend
from bimodal_kernels.dispatch import attention

NAME = "bimodal"
_UNSUPPORTED = ("position_bias", "softcap", "s_aux", "output_attentions")


class Visibility(NamedTuple):
    """What a mask says, in the terms of `attention`."""

    key_padding_mask: Tensor | None
    causal: bool


class _Looked(NamedTuple):
    version: int
    visibility: Visibility | None


_looked_at: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""Masks seen, by identity, while they live: all layers of a forward pass share one."""


def register() -> None:
    """Make `attn_implementation="bimodal"` known to transformers."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, attention_forward)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def attention_forward(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention with the signature of transformers' AttentionInterface.

    query [batch, heads, query, head_dim], key and value [batch, kv_heads, key, head_dim]; returns
    [batch, query, heads, head_dim].
    """
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    reason = _unsupported(query, key, value, dropout, options)
    visibility = None if reason else _visibility(query, key, attention_mask, bool(causal))
    if visibility is None:
        reason = reason or "cannot say this mask with causal and padding"
        if not torch.compiler.is_compiling():
            fallbacks.record(f"attn_implementation={NAME!r}", reason, "transformers' sdpa")
        return _by_transformers(module, query, key, value, attention_mask, dropout, scaling, is_causal, options)
    if attention_mask is None and visibility.causal:
        # Only before a static cache is filled are there more keys than queries: transformers aligns them top-left.
        key, value = key[:, :, : query.shape[2]], value[:, :, : query.shape[2]]
    out = attention(
        query,
        key,
        value,
        key_padding_mask=visibility.key_padding_mask,
        causal=visibility.causal,
        scale=scaling,
        backend=_backend(query.device, query.dtype, query.shape[-1]),
    )
    return out.transpose(1, 2).contiguous(), None


def as_visibility(mask: Tensor) -> Visibility | None:
    """What a mask [batch, 1, query, key] says, bool (True: visible) or additive (0: visible); None if it says more.

    Exact: the terms that are found are expanded again and compared with the mask.
    """
    if mask.dim() != 4 or mask.shape[1] != 1:
        return None  # one for each head
    visible = mask
    if mask.dtype != torch.bool:
        visible = mask == 0
        hidden = mask <= torch.finfo(mask.dtype).min
        if not bool((visible | hidden).all()):
            return None  # a bias
    queries, keys = mask.shape[2:]
    kept = visible[:, 0, -1]  # the last query sees every key that is there
    causal = torch.ones(queries, keys, dtype=torch.bool, device=mask.device).tril(keys - queries)
    padding = None if bool(kept.all()) else kept.contiguous()
    if queries == 1 or bool((visible == kept[:, None, None]).all()):
        return Visibility(padding, causal=False)
    if bool((visible == (kept[:, None, None] & causal)).all()):
        return Visibility(padding, causal=True)
    return None


def _visibility(query: Tensor, key: Tensor, mask: Tensor | None, causal: bool) -> Visibility | None:
    if mask is None:
        return Visibility(None, causal=causal and query.shape[2] > 1)
    if torch.compiler.is_compiling() or mask.shape[-1] != key.shape[2]:
        return None  # looking at numbers would break the graph
    seen = _looked_at.get(mask)  # type: ignore[no-untyped-call]
    if seen is None or seen.version != mask._version:
        with torch.no_grad():
            found = as_visibility(mask.expand(query.shape[0], *mask.shape[1:]))
        seen = _looked_at[mask] = _Looked(mask._version, found)
    return seen.visibility  # type: ignore[no-any-return]


def _unsupported(query: Tensor, key: Tensor, value: Tensor, dropout: float, options: dict[str, Any]) -> str | None:
    if dropout:
        return "has no dropout on attention weights"
    if key.shape != value.shape or query.shape[0] != key.shape[0]:
        return "wants keys and values of one shape, and the batch of the queries"
    given = [name for name in _UNSUPPORTED if options.get(name) not in (None, False)]
    return f"has no {given[0]}" if given else None


def _by_transformers(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float,
    scaling: float | None,
    is_causal: bool | None,
    options: dict[str, Any],
) -> tuple[Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    return sdpa_attention_forward(
        module, query, key, value, mask, dropout=dropout, scaling=scaling, is_causal=is_causal, **options
    )


@lru_cache(maxsize=64)
def _backend(device: torch.device, dtype: torch.dtype, head_dim: int) -> str:
    return choose_backend(AUTO, device=device, dtype=dtype, head_dims=(head_dim,)).name
