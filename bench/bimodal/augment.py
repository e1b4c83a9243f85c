"""Random changes to a batch of training pictures, described by `AugmentConfig`."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from bimodal.schema import AugmentConfig


def augment(pictures: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Shift, zoom, rotate and brighten every picture of a batch by its own random amounts.

    Args:
        pictures: [batch, channel, height, width] float32 in [-1, 1], where 1 is white.
        config: the largest change of each kind.
        generator: source of the random amounts (CPU).

    Returns:
        A tensor like `pictures`; what moves in from outside the frame is white.
    """
    if config == AugmentConfig():
        return pictures
    batch, _, height, width = pictures.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).mul_(2).sub_(1)

    zoom = 1 + config.scale * uniform(batch)
    angle = math.radians(config.rotate_deg) * uniform(batch)
    affine = torch.empty(batch, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = zoom * angle.cos()
    affine[:, 0, 1] = -zoom * angle.sin()
    affine[:, 1, 0] = zoom * angle.sin()
    # Sampling coordinates run from -1 to 1 across the picture, so one pixel is 2 / size.
    affine[:, :, 2] = uniform(batch, 2) * config.shift_px * 2 / torch.tensor([width, height])
    grid = functional.affine_grid(affine, list(pictures.shape), align_corners=False).to(pictures.device)
    # grid_sample pads with 0; working on (picture - white) makes that white.
    moved = functional.grid_sample(pictures - 1, grid, align_corners=False).add_(1)
    if config.brightness:
        factor = 1 + config.brightness * uniform(batch, 1, 1, 1)
        moved = ((moved + 1) * factor.to(moved.device) - 1).clamp_(-1, 1)
    return moved
