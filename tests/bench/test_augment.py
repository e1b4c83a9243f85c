"""augment: random changes to pictures, as data."""

import torch

from bimodal.augment import augment
from bimodal.schema import AugmentConfig


def square(batch: int = 4) -> torch.Tensor:
    """A black square in the middle of white pictures."""
    pictures = torch.ones(batch, 3, 16, 16)
    pictures[:, :, 6:10, 6:10] = -1
    return pictures


def test_no_change_is_the_same_object() -> None:
    pictures = square()
    assert augment(pictures, AugmentConfig(), torch.Generator()) is pictures


def test_a_shift_moves_the_picture_and_fills_with_white() -> None:
    moved = augment(square(64), AugmentConfig(shift_px=8), torch.Generator().manual_seed(0))
    assert moved.shape == (64, 3, 16, 16)
    columns = (1 - moved[:, 0]).sum(1)  # [batch, width]: how dark each column is
    centre = (columns * torch.arange(16)).sum(1) / columns.sum(1).clamp(min=1e-6)
    assert centre.std() > 2
    assert moved.max() <= 1
    assert torch.all(moved[:, :, 0, 0] > 0.99)


def test_every_picture_gets_its_own_change() -> None:
    changed = augment(square(), AugmentConfig(rotate_deg=30), torch.Generator().manual_seed(0))
    assert not torch.equal(changed[0], changed[1])


def test_brightness_keeps_the_range() -> None:
    changed = augment(square(32), AugmentConfig(brightness=0.5), torch.Generator().manual_seed(0))
    assert changed.min() >= -1
    assert changed.max() <= 1
    assert changed[:, 0, 0, 0].std() > 0.1


def test_the_generator_decides() -> None:
    config = AugmentConfig(shift_px=2, scale=0.1, rotate_deg=5, brightness=0.1)
    first = augment(square(), config, torch.Generator().manual_seed(7))
    assert torch.equal(first, augment(square(), config, torch.Generator().manual_seed(7)))
