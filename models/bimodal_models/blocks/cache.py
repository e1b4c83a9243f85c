"""The decoder's key-value cache. Legend: layer, batch, head, slot (position in the cache), head_dim."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bimodal_models.blocks.attention import Filled, KeyValue
from bimodal_models.blocks.decoder_step import DecoderStep


@dataclass(frozen=True, slots=True)
class KeyValueCache:
    """Keys and values of the tokens read so far: preallocated, and for rows of different lengths.

    A row's slots from its length on hold nothing of meaning and are masked; those before the longest row's length
    are finite nevertheless, because weight 0 times NaN is NaN. The storage is written in place and shared by the
    caches that follow one another: use the newest, or a `select`ion (a copy).
    """

    keys: Float[Tensor, "layer batch head slot head_dim"]
    values: Float[Tensor, "layer batch head slot head_dim"]
    lengths: Int[Tensor, "batch"]
    """Tokens read so far, per row."""
    shortest: int
    """Least of `lengths`, as a Python number, so that nothing waits for the device."""
    longest: int
    step: DecoderStep | None = None
    """Reads one more token in one call and fills the cache itself; None: `append`, layer by layer."""

    @classmethod
    def empty(
        cls,
        *,
        num_layers: int,
        num_heads: int,
        head_dim: int,
        max_length: int,
        lengths: Tensor,
        like: Tensor,
        step: DecoderStep | None = None,
    ) -> "KeyValueCache":
        """Room for `max_length` tokens per row, on the device of `like`, in the dtype attention runs in."""
        shape = (num_layers, lengths.shape[0], num_heads, max_length, head_dim)
        kind = like.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else like.dtype
        keys, values = (torch.empty(shape, dtype=dtype, device=like.device) for _ in range(2))
        return cls(keys, values, lengths, *_bounds(lengths), step)

    @property
    def max_length(self) -> int:
        """Tokens per row there is room for."""
        return self.keys.shape[3]

    def fill(self, layer: int, new: KeyValue) -> KeyValue:
        """Write a layer's keys and values of right-padded prompts from slot 0 on; attend to them alone."""
        length = new.key.shape[2]
        self.keys[layer, :, :, :length] = new.key
        self.values[layer, :, :, :length] = new.value
        return new

    def append(self, layer: int, new: KeyValue) -> KeyValue:
        """Write a layer's keys and values of one token per row after the row's last; attend to all so far."""
        if self.shortest == self.longest:
            self.keys[layer, :, :, self.longest] = new.key[:, :, 0]
            self.values[layer, :, :, self.longest] = new.value[:, :, 0]
        else:
            rows = torch.arange(self.lengths.shape[0], device=self.lengths.device)
            for storage, token in ((self.keys[layer], new.key), (self.values[layer], new.value)):
                storage[:, :, self.longest] = 0.0
                storage[rows, :, self.lengths] = token[:, :, 0]
        seen = self.longest + 1
        return KeyValue(self.keys[layer, :, :, :seen], self.values[layer, :, :, :seen])

    def filled(self) -> Filled:
        """Which of the slots that `append` returns hold something, the token being appended included."""
        return Filled(self.lengths + 1, ragged=self.shortest != self.longest)

    def longer(self) -> "KeyValueCache":
        """The cache after one more token in every layer."""
        return KeyValueCache(self.keys, self.values, self.lengths + 1, self.shortest + 1, self.longest + 1, self.step)

    def select(self, rows: Int[Tensor, "rows"]) -> "KeyValueCache":
        """The cache of the given rows, in that order; a copy."""
        lengths = self.lengths[rows]
        shortest, longest = _bounds(lengths)
        kept = []
        for old in (self.keys, self.values):
            new = old.new_empty(old.shape[0], rows.shape[0], *old.shape[2:])
            # Layer by layer: torch gathers along the first dimension ten times faster than along the second.
            for source, target in zip(old, new, strict=True):
                target[:, :, :longest] = source[:, :, :longest].index_select(0, rows)
            kept.append(new)
        return KeyValueCache(kept[0], kept[1], lengths, shortest, longest, self.step)


def _bounds(lengths: Tensor) -> tuple[int, int]:
    if lengths.numel() == 0:
        return 0, 0
    return int(lengths.min()), int(lengths.max())
