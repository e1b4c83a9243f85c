"""The one door to attention. Shape legend: batch, heads, kv_heads, query, key (positions), head_dim."""

from collections.abc import Callable, Mapping

from jaxtyping import Bool, Float
from torch import Tensor

from bimodal_kernels import reference, sdpa
from bimodal_kernels.catalog import require_runnable
from bimodal_kernels.shapes import check_inputs

Forward = Callable[[Tensor, Tensor, Tensor, Tensor | None, bool, float], Tensor]
"""`forward(query, key, value, key_padding_mask, causal, scale)` of a backend, on checked inputs."""

_FORWARD: Mapping[str, Forward] = {"sdpa": sdpa.forward, "reference": reference.forward}


def attention(
    query: Float[Tensor, "batch heads query head_dim"],
    key: Float[Tensor, "batch kv_heads key head_dim"],
    value: Float[Tensor, "batch kv_heads key head_dim"],
    *,
    key_padding_mask: Bool[Tensor, "batch key"] | None = None,
    causal: bool = False,
    scale: float | None = None,
    backend: str = "sdpa",
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
        backend: a name of `RUNNABLE`; see `choose_backend`.

    Returns:
        One vector per query; a query that sees no key gets 0.

    Raises:
        ValueError: shapes or dtypes do not fit together, or the backend cannot run.

    Source: Vaswani et al. 2017, sec. 3.2.1; grouped queries: Ainslie et al. 2023, sec. 2.2.
    """
    check_inputs(query, key, value, key_padding_mask)
    forward = _FORWARD[require_runnable(backend)]
    if key.shape[2] == 0:
        return query.new_zeros(query.shape)
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    return forward(query, key, value, key_padding_mask, causal, factor)
