from dataclasses import dataclass

import pytest
import torch
from torch import nn

from bimodal.schema import AudioEncoderConfig, ImageEncoderConfig, Modality, ModelConfig
from bimodal.types import Batch

VOCAB_SIZE = 13

# Tensors this small only wait for each other on several threads.
torch.set_num_threads(1)


@pytest.fixture
def tiny() -> ModelConfig:
    """Everything small, every number different from its neighbours."""
    return ModelConfig(
        name="tiny",
        num_layers=2,
        num_heads=2,
        embed_dim=16,
        max_positions=24,
        image=ImageEncoderConfig(image_size=8, patch_size=4, embed_dim=12, num_layers=1, num_heads=3),
        audio=AudioEncoderConfig(num_mels=6, max_frames=20, embed_dim=8, num_layers=1, num_heads=2),
    )


@dataclass(frozen=True)
class Make:
    """Inputs and weights by seed."""

    vocab_size: int = VOCAB_SIZE

    def batch(self, modalities: tuple[Modality, ...], rows: int = 4, seed: int = 0) -> Batch:
        """Ragged text; the second row has no picture, the third no sound, the first a short clip."""
        draw = torch.Generator().manual_seed(seed)
        lengths = torch.tensor([3, 7, 1, 5, 7, 2])[:rows]
        there = torch.arange(rows)
        return Batch(
            tokens=torch.randint(self.vocab_size, (rows, 7), generator=draw),
            targets=torch.randint(self.vocab_size, (rows, 7), generator=draw),
            lengths=lengths,
            image=torch.randn(rows, 3, 8, 8, generator=draw) if "image" in modalities else None,
            image_mask=there != 1 if "image" in modalities else None,
            audio=torch.randn(rows, 6, 14, generator=draw) if "audio" in modalities else None,
            audio_mask=(
                (torch.arange(14) < torch.where(there == 0, 9, 14)[:, None]) & (there != 2)[:, None]
                if "audio" in modalities
                else None
            ),
        )

    def shaken(self, model: nn.Module, seed: int = 0) -> nn.Module:
        """The model with noise on every weight, so that biases and gates are not 0; evaluation mode."""
        draw = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.2 * torch.randn(weight.shape, generator=draw)
        return model.eval()


@pytest.fixture
def make() -> Make:
    return Make()
