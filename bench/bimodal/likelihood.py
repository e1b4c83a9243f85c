"""How likely a contestant finds the targets: the training loss, bits per byte of text, bits per tag."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from bimodal.collate import NO_LOSS, Collator, Encoded, to_device
from bimodal.cross_entropy import summed_cross_entropy
from bimodal.parts import part
from bimodal.types import Batch, Contestant, Context


def summed_loss(
    model: Contestant, batch: Batch, *, label_smoothing: float = 0.0, divisor: float = 1.0, kernel: str = "sdpa"
) -> Tensor:
    """Cross-entropy in nats, summed over the target tokens (or tags) of a batch, divided by `divisor`."""
    logits, targets = _logits_and_targets(model, batch)
    with part("loss"):
        return summed_cross_entropy(logits, targets, label_smoothing=label_smoothing, divisor=divisor, kernel=kernel)


@torch.no_grad()
def target_bits(model: Contestant, collator: Collator, rows: Sequence[Encoded], device: torch.device) -> list[float]:
    """Negative log2-likelihood of each target (end of text included) by teacher forcing, or of each example's tags."""
    batch = to_device(collator.training_batch(rows), device)
    logits, targets = _logits_and_targets(model, batch)
    nats = torch.zeros(batch.targets.shape, dtype=torch.float64, device=device)
    nats[batch.targets != NO_LOSS] = functional.cross_entropy(logits, targets, reduction="none").double()
    bits: list[float] = (nats.sum(1) / math.log(2)).tolist()
    return bits


@torch.no_grad()
def bits_per_unit(
    model: Contestant, collator: Collator, rows: Sequence[Encoded], batch_size: int, device: torch.device
) -> float:
    """Bits the model needs for the targets (end of text included) per UTF-8 byte, or for the tags per word."""
    cast(nn.Module, model).eval()
    effort = collator.effort(rows)
    by_length = [rows[index] for index in sorted(range(len(rows)), key=lambda index: effort[index])]
    bits = 0.0
    for start in range(0, len(by_length), batch_size):
        bits += sum(target_bits(model, collator, by_length[start : start + batch_size], device))
    return bits / sum(len(row.tags) or len(row.example.target.encode()) for row in rows)


def tag_logits(model: Contestant, batch: Batch, context: Context | None) -> Tensor:
    """Tag logits [batch, position, num_tags]; a model that reads no features of words need not know of them."""
    if batch.features is None:
        return model.tag(batch.tokens, batch.lengths, context=context)
    return model.tag(batch.tokens, batch.lengths, features=batch.features, context=context)


def _logits_and_targets(model: Contestant, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits [target, vocab_size or num_tags] and targets [target], made only where there is a loss."""
    with_loss = batch.targets != NO_LOSS
    with part("encoders"):
        context = model.encode(batch)
    if batch.kind == "tag":
        with part("decoder"):
            logits = tag_logits(model, batch, context)[with_loss]
    else:
        with part("decoder"):
            states = model.hidden(batch.tokens, context=context)[with_loss]
        with part("logits"):
            logits = model.logits(states)
    return logits.float(), batch.targets[with_loss]
