"""Gated cross-attention: how the decoder looks at pictures and sound."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bimodal_kernels import sublayers
from bimodal_models.blocks.attention import Attention, KeyValue
from bimodal_models.blocks.plain import linear_of, norm_of, untouched

_PLAIN = (nn.LayerNorm, nn.Linear, nn.Linear, Attention)


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
        if self._trains_plainly(x, memory):
            return sublayers.cross_attention(
                x,
                memory.key,
                memory.value,
                norm_of(self.norm),
                linear_of(self.attention.query_proj),
                self.attention.out_proj.weight,
                self.gate,
                key_padding_mask=key_padding_mask,
            )
        seen = self.attention(self.norm(x), memory=memory, key_padding_mask=key_padding_mask)
        return x + self.gate.tanh() * seen  # type: ignore[no-any-return]

    def _trains_plainly(self, x: Tensor, memory: KeyValue) -> bool:
        """Whether `sublayers` serves."""
        attention = self.attention
        if not sublayers.serves(attention.kernel, x, head_dim=x.shape[-1] // attention.num_heads):
            return False
        biased = (self.norm, attention.query_proj)
        return (
            memory.key.shape[2] > 0
            and self.gate.requires_grad
            and untouched((*biased, attention.out_proj, attention), _PLAIN)
            and all(layer.bias is not None for layer in biased)
            and attention.out_proj.bias is None
        )
