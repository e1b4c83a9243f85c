"""Rotary positions: queries and keys are turned by angles that grow with their position.

The product of a query and a key then depends on how far apart they are, and not on where they stand. Legend: batch,
position, pair (two neighbouring numbers of a head, taken as one complex number).

Source: Su et al. 2021, RoFormer: Enhanced Transformer with Rotary Position Embedding, sec. 3.2.2.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bimodal.errors import UsageError

_BASE = 10_000.0


def rotation_table(positions: int, head_dim: int) -> Float[Tensor, "position pair 2"]:
    """Cosine and sine of every position's angles: `position * 10000 ** (-2 pair / head_dim)`.

    Raises:
        UsageError: head_dim is odd.
    """
    if head_dim % 2:
        raise UsageError(
            f"Rotary positions turn pairs of numbers, and heads of {head_dim} cannot be split into pairs: "
            "model.embed_dim / model.num_heads must be even. Change one of them, or model.positions."
        )
    frequencies = _BASE ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = torch.arange(positions, dtype=torch.float64)[:, None] * frequencies
    return torch.stack([angles.cos(), angles.sin()], -1).float()


def rotated(
    projected: Float[Tensor, "batch position 3 head head_dim"], rotations: Float[Tensor, "#batch position pair 2"]
) -> Float[Tensor, "batch position 3 head head_dim"]:
    """Queries and keys turned, values as they are."""
    # One product, in which values are times 1, is several times faster than two parts put together again.
    one = torch.zeros_like(rotations)
    one[..., 0] = 1.0
    factors = torch.view_as_complex(torch.stack([rotations, rotations, one], 2))[:, :, :, None]
    # Complex numbers, and so the product, are of the rotations' precision, also where the model's is half of it.
    pairs = torch.view_as_complex(projected.view(*projected.shape[:-1], -1, 2).to(rotations.dtype))
    return torch.view_as_real(pairs * factors).flatten(-2).to(projected.dtype)
