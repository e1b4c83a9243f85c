"""Torch's own attention, with this project's rules for alignment and for rows that see nothing."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def forward(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    key_padding_mask: Bool[Tensor, "batch key"] | None,
    causal: bool,
    scale: float,
) -> Float[Tensor, "batch heads query head_dim"]:
    """Attention by torch.nn.functional.scaled_dot_product_attention; builds a mask only where one is needed.

    Torch aligns `is_causal` top-left, this op bottom-right: they agree only for as many queries as keys.
    """
    num_queries, num_keys = query.shape[2], key.shape[2]
    if causal and num_queries > num_keys:  # the first queries come before every key and see nothing
        blind = num_queries - num_keys
        seeing = forward(query[:, :, blind:], key, value, key_padding_mask, True, scale)
        return torch.cat([torch.zeros_like(query[:, :, :blind]), seeing], dim=2)
    grouped = query.shape[1] != key.shape[1]
    causal = causal and num_queries > 1  # the last query sees every key
    if key_padding_mask is None and (not causal or num_queries == num_keys):
        return scaled_dot_product_attention(query, key, value, is_causal=causal, scale=scale, enable_gqa=grouped)
    visible = _visible(num_queries, num_keys, key_padding_mask, causal, query.device)
    if key_padding_mask is None:  # causal alone leaves every query at least one key
        return scaled_dot_product_attention(query, key, value, attn_mask=visible, scale=scale, enable_gqa=grouped)
    # Not every backend of torch gives 0 (and 0 gradients) for a row that sees nothing: let such a row see
    # everything, and drop what it saw.
    seeing = visible.any(dim=-1, keepdim=True)
    out = scaled_dot_product_attention(query, key, value, attn_mask=visible | ~seeing, scale=scale, enable_gqa=grouped)
    return out.masked_fill(~seeing, 0.0)


def _visible(
    num_queries: int, num_keys: int, key_padding_mask: Tensor | None, causal: bool, device: torch.device
) -> Tensor:
    """Which key is visible to which query: bool, broadcastable to [batch, heads, query, key]."""
    kept = None if key_padding_mask is None else key_padding_mask[:, None, None, :]
    if not causal:
        assert kept is not None, "without causal and padding there is no mask to build"
        return kept
    below = torch.ones(num_queries, num_keys, dtype=torch.bool, device=device).tril(num_keys - num_queries)
    return below if kept is None else kept & below
