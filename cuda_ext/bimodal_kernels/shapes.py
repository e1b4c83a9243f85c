"""Checks of what `attention` is given, so that every backend may rely on it."""

import torch
from torch import Tensor


def check_inputs(query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None) -> None:
    """Raise unless the inputs fit together.

    query [batch, heads, query, head_dim], key and value [batch, kv_heads, key, head_dim], mask [batch, key]
    bool; kv_heads divides heads.

    Raises:
        ValueError: with the shapes and what would be allowed.
    """
    if not query.dim() == key.dim() == value.dim() == 4:
        raise _misfit("query, key and value as [batch, heads, position, head_dim]", query, key, value)
    if key.shape != value.shape:
        raise _misfit("key and value of one shape", query, key, value)
    batch, heads, _, head_dim = query.shape
    key_batch, kv_heads, _, key_head_dim = key.shape
    if batch != key_batch or head_dim != key_head_dim:
        raise _misfit("one batch and one head_dim in query and key", query, key, value)
    if kv_heads == 0 or heads % kv_heads:
        wanted = f"the number of query heads ({heads}) to be a multiple of the number of key heads ({kv_heads})"
        raise _misfit(wanted, query, key, value)
    # Under autocast they may differ: it gives all of them one.
    if not query.dtype == key.dtype == value.dtype and not torch.is_autocast_enabled(query.device.type):
        raise ValueError(f"Attention wants one dtype; got query {query.dtype}, key {key.dtype}, value {value.dtype}.")
    if key_padding_mask is not None:
        _check_mask(key_padding_mask, wanted=(key.shape[0], key.shape[2]))


def check_decode_inputs(query: Tensor, key_cache: Tensor, value_cache: Tensor, lengths: Tensor) -> None:
    """As `check_inputs`, for one query per row and a cache; `lengths` [batch] int64.

    Raises:
        ValueError: with the shapes and what would be allowed.
    """
    check_inputs(query, key_cache, value_cache, None)
    if query.shape[2] != 1:
        raise ValueError(f"Decoding wants one query per row; got query {_shape(query)}. Use attention for more.")
    if lengths.dtype != torch.int64 or tuple(lengths.shape) != (query.shape[0],):
        raise ValueError(
            f"Decoding wants int64 lengths [batch] = [{query.shape[0]}]; got {lengths.dtype} {_shape(lengths)}."
        )


def _misfit(wanted: str, query: Tensor, key: Tensor, value: Tensor) -> ValueError:
    # Made when it is needed: shapes as text take longer than all the checks together.
    got = f"query {_shape(query)}, key {_shape(key)}, value {_shape(value)}"
    return ValueError(f"Attention wants {wanted}; got {got}.")


def _check_mask(mask: Tensor, wanted: tuple[int, int]) -> None:
    # An integer or float mask would be read as an additive one by some backends.
    if mask.dtype != torch.bool or tuple(mask.shape) != wanted:
        raise ValueError(
            f"Attention wants a bool key_padding_mask [batch, key] = {list(wanted)}, True = keep; "
            f"got {mask.dtype} {_shape(mask)}."
        )


def _shape(tensor: Tensor) -> str:
    return str(list(tensor.shape))
