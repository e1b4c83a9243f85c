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


def test_a_shift_moves_the_picture() -> None:
    moved = augment(square(64), AugmentConfig(shift_px=4), torch.Generator().manual_seed(0))
    assert moved.shape == (64, 3, 16, 16)
    columns = (1 - moved[:, 0]).sum(1)  # [batch, width]: how dark each column is
    centre = (columns * torch.arange(16)).sum(1) / columns.sum(1)
    assert centre.std() > 1
    assert centre.sub(7.5).abs().max() < 4.1


def test_what_moves_in_from_outside_is_white() -> None:
    black = torch.full((64, 3, 16, 16), -1.0)
    moved = augment(black, AugmentConfig(shift_px=6), torch.Generator().manual_seed(0))
    corners = torch.stack([moved[:, 0, y, x] for y in (0, 15) for x in (0, 15)])
    # All but those shifted by less than a pixel in both directions.
    assert (corners.max(0).values > 0.9).sum() > 60
    assert torch.all(moved[:, 0, 8, 8] == -1)


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
