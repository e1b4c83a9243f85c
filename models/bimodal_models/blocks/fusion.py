"""Image and audio tokens, joined into the one memory that the decoder reads."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bimodal_models.blocks.transformer import init_fan_in


class Fusion(nn.Module):
    """[image tokens ; audio tokens]: each projected to the decoder's width and marked with its modality.

    A modality without a width has no parameters here; one that is missing from a batch is an empty span.
    """

    def __init__(self, embed_dim: int, *, image_dim: int | None, audio_dim: int | None, layer_norm_eps: float) -> None:
        super().__init__()
        self.image = None if image_dim is None else _Span(image_dim, embed_dim)
        self.audio = None if audio_dim is None else _Span(audio_dim, embed_dim)
        self.norm = nn.LayerNorm(embed_dim, eps=layer_norm_eps)

    def forward(
        self,
        image: Float[Tensor, "batch image_token image_dim"] | None,
        image_mask: Bool[Tensor, "batch"] | None,
        audio: Float[Tensor, "batch audio_token audio_dim"] | None,
        audio_mask: Bool[Tensor, "batch audio_token"] | None,
    ) -> tuple[Float[Tensor, "batch key embed_dim"], Bool[Tensor, "batch key"] | None]:
        """The memory, and which of its tokens are there (None: all, the fast path).

        `image_mask` says which rows have a picture, `audio_mask` which tokens are sound; None is all.
        At least one modality must be there.
        """
        spans: list[tuple[Tensor, Tensor | None]] = []
        if image is not None and self.image is not None:
            kept = None if image_mask is None else image_mask[:, None].expand(image.shape[:2])
            spans.append((self.image(image), kept))
        if audio is not None and self.audio is not None:
            spans.append((self.audio(audio), audio_mask))
        memory = self.norm(torch.cat([tokens for tokens, _ in spans], dim=1))
        if all(kept is None for _, kept in spans):
            return memory, None
        masks = [
            torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device) if kept is None else kept
            for tokens, kept in spans
        ]
        return memory, torch.cat(masks, dim=1)


class _Span(nn.Module):
    """Projection to the decoder's width plus a modality embedding (which is the projection's bias)."""

    def __init__(self, in_dim: int, embed_dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(in_dim, embed_dim, bias=False)
        self.modality = nn.Parameter(torch.empty(embed_dim))
        self.apply(init_fan_in)
        nn.init.normal_(self.modality, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens in the decoder's width, marked."""
        return self.projection(tokens) + self.modality  # type: ignore[no-any-return]
