"""Which training examples come in which step: a pure function of seed and epoch, so that a resumed run repeats it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bimodal.environment import derive_seed

_POOL_BATCHES = 8


def epoch_batches(lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """Shuffle the examples of an epoch into batches of similar length.

    Examples are shuffled, sorted by length within pools of 8 batches, cut into batches, and the batches are shuffled:
    random enough to learn from, with little padding.

    Args:
        lengths: tokens per example, those made of its sound included.
        batch_size: examples per batch; the last batch of the epoch may be smaller.
        seed: seed of the run.
        epoch: number of the epoch, from 0.

    Returns:
        Lists of indices into `lengths`, every index once.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", epoch))
    order = torch.randperm(len(lengths), generator=generator).tolist()
    pool = batch_size * _POOL_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        members = sorted(order[start : start + pool], key=lambda index: lengths[index])
        batches += [members[at : at + batch_size] for at in range(0, len(members), batch_size)]
    return [batches[index] for index in torch.randperm(len(batches), generator=generator).tolist()]
