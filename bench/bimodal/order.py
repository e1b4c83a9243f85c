"""Which training examples come in which step: a pure function of seed and epoch, so that a resumed run repeats it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from bimodal.environment import derive_seed
from bimodal.schema import TrainConfig

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


def planned_steps(config: TrainConfig, examples: int) -> int:
    """Optimiser steps of a training on so many examples, unless it stops early."""
    steps = config.epochs * _steps_per_epoch(config, examples)
    return min(steps, config.max_steps or steps)


def examples_within(steps: int, config: TrainConfig, examples: int) -> int:
    """Examples seen in the first steps, counted once per pass; an epoch's last step may hold fewer."""
    epochs, rest = divmod(steps, _steps_per_epoch(config, examples))
    return epochs * examples + min(rest * config.batch_size * config.accumulate, examples)


def _steps_per_epoch(config: TrainConfig, examples: int) -> int:
    return math.ceil(examples / (config.batch_size * config.accumulate))
