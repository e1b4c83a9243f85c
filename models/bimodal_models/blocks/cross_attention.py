"""Gated cross-attention: how the decoder looks at pictures and sound."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bimodal_models.blocks.attention import Attention, KeyValue


class GatedCrossAttention(nn.Module):
    """x + tanh(gate) * attention(norm(x), memory), with one learned gate that starts at 0.

    At step 0 the layer is the identity, to the bit, so that a contestant with it starts as the one without.
    A row whose memory is wholly masked stays as it is at every step: attention to nothing is 0 and the output
    projection has no bias. There is no dropout here, so that the decoder's dropout draws the same random
    numbers with and without the layer.

    Source: Alayrac et al. 2022 (Flamingo), sec. 3.1.2; without its second, gated feed-forward layer, because
    the block's own follows.
    """

    def __init__(self, embed_dim: int, num_heads: int, *, layer_norm_eps: float, kernel: str) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dim, eps=layer_norm_eps)
        self.attention = Attention(embed_dim, num_heads, kernel=kernel, memory_dim=embed_dim, out_bias=False)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(
        self,
        x: Float[Tensor, "batch position embed_dim"],
        memory: KeyValue,
        key_padding_mask: Bool[Tensor, "batch key"] | None,
    ) -> Float[Tensor, "batch position embed_dim"]:
        """X plus what it sees in the memory, as far as the gate is open."""
        seen = self.attention(self.norm(x), memory=memory, key_padding_mask=key_padding_mask)
        return x + self.gate.tanh() * seen  # type: ignore[no-any-return]
