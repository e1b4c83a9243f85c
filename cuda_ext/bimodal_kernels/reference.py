"""The formula, written to be read: the oracle that every other backend is tested against."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def forward(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    key_padding_mask: Bool[Tensor, "batch key"] | None,
    causal: bool,
    scale: float,
) -> Float[Tensor, "batch heads query head_dim"]:
    """Attention in fp32 (fp64 if the inputs are), returned in the inputs' dtype. Holds all scores in memory.

    Source: Vaswani et al. 2017, sec. 3.2.1.
    """
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    groups = query.shape[1] // key.shape[1]
    keys = key.to(wide).repeat_interleave(groups, dim=1)
    values = value.to(wide).repeat_interleave(groups, dim=1)
    scores = query.to(wide) @ keys.transpose(-2, -1) * scale  # [batch, heads, query, key]
    visible = _visible(query.shape[2], key.shape[2], key_padding_mask, causal, query.device)
    # exp of -inf minus the row's maximum; a row of nothing but -inf keeps a finite shift and sums to 0.
    scores = scores.masked_fill(~visible, -torch.inf)
    shift = scores.amax(dim=-1, keepdim=True).clamp_min(torch.finfo(wide).min)
    weights = (scores - shift.detach()).exp()
    total = weights.sum(dim=-1, keepdim=True)
    weights = weights / torch.where(total > 0, total, torch.ones_like(total))
    return (weights @ values).to(query.dtype)


def _visible(
    num_queries: int, num_keys: int, key_padding_mask: Tensor | None, causal: bool, device: torch.device
) -> Tensor:
    """Which key is visible to which query: bool, broadcastable to [batch, heads, query, key]."""
    visible = torch.ones(num_queries, num_keys, dtype=torch.bool, device=device)
    if causal:
        visible = visible.tril(diagonal=num_keys - num_queries)
    if key_padding_mask is None:
        return visible
    return visible & key_padding_mask[:, None, None, :]
