"""A Whisper-style encoder. Legend: batch, mel, frame (10 ms), token (20 ms)."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal.errors import UsageError
from bimodal.schema import AudioEncoderConfig
from bimodal_models.blocks.dropout import Dropout
from bimodal_models.blocks.transformer import Block, BlockConfig, init_fan_in


class AudioEncoder(nn.Module):
    """Two convolutions over log-mel frames (the second with stride 2), sinusoids, pre-LN blocks, final norm.

    Laid out as Hugging Face's WhisperEncoder, whose weights it loads (`pretrained.whisper`). Unlike that one
    it takes clips of any length up to `max_frames`, and a mask for clips of different lengths in one batch.
    Convolutions start as torch draws them, linear layers as ViT's.

    Raises:
        UsageError: the width cannot hold sinusoids.

    Source: Radford et al. 2022 (Whisper), sec. 2.2.
    """

    positions: Tensor

    def __init__(self, config: AudioEncoderConfig, *, kernel: str) -> None:
        super().__init__()
        width = config.embed_dim
        if width % 2 or width < 4:
            raise UsageError(f"model.audio.embed_dim must be even and at least 4, got {width}.")
        self.num_mels = config.num_mels
        self.max_frames = config.max_frames
        self.conv1 = nn.Conv1d(config.num_mels, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.register_buffer("positions", sinusoids(_num_tokens(config.max_frames), width), persistent=False)
        self.dropout = Dropout(config.dropout, kernel=kernel)
        block = BlockConfig(
            embed_dim=width,
            num_heads=config.num_heads,
            mlp_dim=config.mlp_dim,
            dropout=config.dropout,
            layer_norm_eps=1e-5,
            activation="none",
            key_bias=False,
        )
        self.blocks = nn.ModuleList(Block(block, kernel=kernel) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(width)
        self.apply(init_fan_in)

    def forward(
        self,
        audio: Float[Tensor, "batch mel frame"],
        mask: Bool[Tensor, "batch frame"] | None = None,
    ) -> tuple[Float[Tensor, "batch token embed_dim"], Bool[Tensor, "batch token"] | None]:
        """Tokens of log-mel clips, and which of them are sound (None: all).

        Padding frames are kept out of the convolutions too, so that a clip's tokens do not depend on the
        longest clip of its batch.

        Raises:
            ValueError: the number of mel bands is not the encoder's, or the clip is too long.
        """
        _, mels, frames = audio.shape
        if mels != self.num_mels or not 1 <= frames <= self.max_frames:
            raise ValueError(
                f"The audio encoder was built for {self.num_mels} mel bands and 1 to {self.max_frames} "
                f"frames, got {mels} bands and {frames} frames. Cut the clip, or set model.audio.num_mels "
                "or model.audio.max_frames."
            )
        x = F.gelu(self.conv1(_silenced(audio, mask)))
        x = F.gelu(self.conv2(_silenced(x, mask))).transpose(1, 2)
        # A token sits on the even frames (stride 2).
        token_mask = None if mask is None else mask[:, ::2]
        x = self.dropout(x + self.positions[: x.shape[1]])
        for block in self.blocks:
            x = block(x, key_padding_mask=token_mask)
        return self.final_norm(x), token_mask


def sinusoids(length: int, channels: int, max_timescale: float = 10_000.0) -> Float[Tensor, "length channels"]:
    """Whisper's fixed positions: sines in the first half of the channels, cosines in the second.

    Source: Vaswani et al. 2017, sec. 3.5, in the layout of openai/whisper (`sinusoids`).
    """
    step = math.log(max_timescale) / (channels // 2 - 1)
    inverse_timescales = torch.exp(-step * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * inverse_timescales
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _num_tokens(frames: int) -> int:
    return (frames + 1) // 2


def _silenced(x: Tensor, mask: Tensor | None) -> Tensor:
    # The convolutions pad with zeros: frames beyond a clip's end must look the same.
    return x if mask is None else x.masked_fill(~mask[:, None, :], 0.0)
