"""Multi-head attention, one class for self and cross. Legend: batch, position (query), key, head."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal.errors import UsageError
from bimodal_kernels import attention, attention_decode, require_backend, self_attention
from bimodal_models.blocks.rotary import rotated


class KeyValue(NamedTuple):
    """Keys and values, split into heads."""

    key: Float[Tensor, "batch head key head_dim"]
    value: Float[Tensor, "batch head key head_dim"]


class Filled(NamedTuple):
    """How far the slots of a KV cache are filled, the newest token included."""

    lengths: Int[Tensor, "batch"]
    ragged: bool
    """False: every row has filled all the slots that are attended to."""


Store = Callable[[KeyValue], KeyValue]
"""Takes the keys and values of new tokens, returns those to attend to (a KV cache's half of the work)."""


class Attention(nn.Module):
    """Multi-head attention over the input itself, or over a memory of another width.

    Self-attention has one fused projection to query, key and value, as in GPT-2; cross-attention has one for
    queries and one, fused, for the memory's keys and values, so that these can be computed once and kept.
    There is no dropout on attention weights: no fused kernel keeps them, and every contestant does without.

    Args:
        embed_dim: width of input and output.
        num_heads: must divide embed_dim.
        kernel: backend of `bimodal_kernels.attention`.
        memory_dim: width of the memory; None is self-attention.
        key_bias: False leaves the keys without a bias, as Whisper does (softmax cannot see one anyway).
        out_bias: False makes attention to nothing add exactly nothing.

    Raises:
        UsageError: num_heads does not divide embed_dim.

    Source: Vaswani et al. 2017, sec. 3.2.2.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        *,
        kernel: str,
        memory_dim: int | None = None,
        key_bias: bool = True,
        out_bias: bool = True,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise UsageError(
                f"embed_dim {embed_dim} cannot be split into {num_heads} heads: num_heads must divide it. "
                "Change embed_dim or num_heads."
            )
        self.num_heads = num_heads
        self.kernel = require_backend(kernel)
        self.memory_dim = memory_dim
        self.query_bias: nn.Parameter | None = None
        self.value_bias: nn.Parameter | None = None
        if memory_dim is None:
            self.in_proj = nn.Linear(embed_dim, 3 * embed_dim, bias=key_bias)
            if not key_bias:
                self.query_bias = nn.Parameter(torch.zeros(embed_dim))
                self.value_bias = nn.Parameter(torch.zeros(embed_dim))
        else:
            self.query_proj = nn.Linear(embed_dim, embed_dim)
            self.key_value_proj = nn.Linear(memory_dim, 2 * embed_dim)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias=out_bias)

    def forward(
        self,
        x: Float[Tensor, "batch position embed_dim"],
        *,
        memory: KeyValue | None = None,
        causal: bool = False,
        key_padding_mask: Bool[Tensor, "batch key"] | None = None,
        store: Store | None = None,
        filled: Filled | None = None,
        rotations: Float[Tensor, "#batch position pair 2"] | None = None,
    ) -> Float[Tensor, "batch position embed_dim"]:
        """Attend from x to `memory` (cross), or to x and whatever `store` kept before it (self).

        With `filled`, x is one new token per row and attends to the filled slots that `store` returns. With
        `rotations`, queries and keys are turned by their positions (self only); `store` gets turned keys.
        """
        if memory is None:
            qkv = self._project(x).view(*x.shape[:2], 3, self.num_heads, -1)
            if rotations is not None:
                qkv = rotated(qkv, rotations)
            if store is None and filled is None:
                out = self_attention(qkv, key_padding_mask=key_padding_mask, causal=causal, backend=self.kernel)
                return self._output(out)
            query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
            if store is not None:
                key, value = store(KeyValue(key, value))
        else:
            (query,) = self._split(self.query_proj(x), 1)
            key, value = memory
        if filled is not None:
            out = attention_decode(query, key, value, filled.lengths, ragged=filled.ragged, backend=self.kernel)
        else:
            out = attention(query, key, value, key_padding_mask=key_padding_mask, causal=causal, backend=self.kernel)
        return self._output(out)

    def keys_values(self, memory: Float[Tensor, "batch key memory_dim"]) -> KeyValue:
        """The memory's keys and values (cross-attention only)."""
        return KeyValue(*self._split(self.key_value_proj(memory), 2))

    def _project(self, x: Tensor) -> Tensor:
        if self.query_bias is None or self.value_bias is None:
            return self.in_proj(x)  # type: ignore[no-any-return]
        bias = torch.cat([self.query_bias, torch.zeros_like(self.query_bias), self.value_bias])
        return F.linear(x, self.in_proj.weight, bias)

    def _output(self, out: Float[Tensor, "batch head position head_dim"]) -> Tensor:
        return self.out_proj(out.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        # [batch, position, parts * embed_dim] -> parts x [batch, head, position, head_dim], as views
        batch, length, _ = x.shape
        return x.view(batch, length, parts, self.num_heads, -1).permute(2, 0, 3, 1, 4).unbind()
