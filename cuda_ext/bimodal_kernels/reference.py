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
    scores = _scores(query, key, key_padding_mask, causal, scale)
    # exp of -inf minus the row's maximum; a row of nothing but -inf keeps a finite shift and sums to 0.
    shift = scores.amax(dim=-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).min)
    weights = (scores - shift.detach()).exp()
    total = weights.sum(dim=-1, keepdim=True)
    weights = weights / torch.where(total > 0, total, torch.ones_like(total))
    values = value.to(scores.dtype).repeat_interleave(query.shape[1] // value.shape[1], dim=1)
    return (weights @ values).to(query.dtype)


def log_sum_exp(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    key_padding_mask: Bool[Tensor, "batch key"] | None,
    causal: bool,
    scale: float,
) -> Float[Tensor, "batch heads query"]:
    """Natural logarithm of the sum of exp(scale * query key^T) over the visible keys; -inf where there are none."""
    return _scores(query, key, key_padding_mask, causal, scale).logsumexp(dim=-1)


def _scores(query: Tensor, key: Tensor, key_padding_mask: Tensor | None, causal: bool, scale: float) -> Tensor:
    """Scaled scores [batch, heads, query, key] in fp32 or fp64, -inf where a key is not visible."""
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    keys = key.to(wide).repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scores = query.to(wide) @ keys.transpose(-2, -1) * scale
    visible = _visible(query.shape[2], key.shape[2], key_padding_mask, causal, query.device)
    return scores.masked_fill(~visible, -torch.inf)


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
