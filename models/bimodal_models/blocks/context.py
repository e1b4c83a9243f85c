"""What the encoders saw, as the decoder reads it."""

from dataclasses import dataclass

from jaxtyping import Bool, Int
from torch import Tensor

from bimodal_models.blocks.attention import KeyValue


@dataclass(frozen=True, slots=True)
class FusedContext:
    """Cross-attention keys and values of every decoder block, computed once per example."""

    layers: tuple[KeyValue | None, ...]
    """One entry per decoder block; None where the block has no cross-attention."""
    mask: Bool[Tensor, "batch key"] | None
    """Which memory tokens are there; None: all."""

    def select(self, rows: Int[Tensor, "rows"]) -> "FusedContext":
        """The context of the given rows, in that order; a copy."""
        return FusedContext(
            layers=tuple(
                None if kept is None else KeyValue(kept.key.index_select(0, rows), kept.value.index_select(0, rows))
                for kept in self.layers
            ),
            mask=None if self.mask is None else self.mask.index_select(0, rows),
        )
