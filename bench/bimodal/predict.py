"""A contestant's answers over a split: generated text, and the bits it needs for the targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from bimodal.collate import NO_LOSS, Collator, Encoded, to_device
from bimodal.environment import derive_seed
from bimodal.generate import generate
from bimodal.schema import DecodeConfig
from bimodal.types import Contestant, Prediction, Progress


@torch.no_grad()
def predict(
    model: Contestant,
    collator: Collator,
    rows: Sequence[Encoded],
    config: DecodeConfig,
    *,
    seed: int,
    device: torch.device,
    progress: Progress,
    what: str = "predict",
) -> tuple[Prediction, ...]:
    """Generate an answer to every example and score its target, in the order given.

    Sampling draws from a generator derived from `seed` and the batch, so that results repeat.
    """
    cast(nn.Module, model).eval()
    # Like lengths together: less padding. Answers go back to the order of `rows`.
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].tokens))
    answers: dict[int, Prediction] = {}
    for start in range(0, len(order), config.batch_size):
        indices = order[start : start + config.batch_size]
        batch_rows = [rows[index] for index in indices]
        generator = torch.Generator().manual_seed(derive_seed(seed, "decode", start))
        texts = generate_texts(model, collator, batch_rows, config, device=device, generator=generator)
        bits = target_bits(model, collator, batch_rows, device)
        for index, row, text, cost in zip(indices, batch_rows, texts, bits, strict=True):
            answers[index] = Prediction(row.example.id, text, cost)
        progress(what, min(start + config.batch_size, len(order)), len(order))
    return tuple(answers[index] for index in range(len(rows)))


@torch.no_grad()
def generate_texts(
    model: Contestant,
    collator: Collator,
    rows: Sequence[Encoded],
    config: DecodeConfig,
    *,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> list[str]:
    """Generate the continuation of each prompt as text."""
    tokenizer = collator.tokenizer
    outputs = generate_tokens(model, collator, rows, config, device=device, generator=generator)
    return [tokenizer.decode([token for token in output if token != tokenizer.end]) for output in outputs]


@torch.no_grad()
def generate_tokens(
    model: Contestant,
    collator: Collator,
    rows: Sequence[Encoded],
    config: DecodeConfig,
    *,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Generate the continuation of each prompt as token ids, the end-of-text token included where one was written."""
    batch = to_device(collator.prompt_batch(rows), device)
    return generate(
        model,
        batch.tokens,
        batch.lengths,
        context=model.encode(batch),
        config=config,
        end_token=collator.tokenizer.end,
        generator=generator,
    )


@torch.no_grad()
def target_bits(model: Contestant, collator: Collator, rows: Sequence[Encoded], device: torch.device) -> list[float]:
    """Negative log2-likelihood of each target (end of text included), by teacher forcing."""
    batch = to_device(collator.training_batch(rows), device)
    with_loss = batch.targets != NO_LOSS
    states = model.hidden(batch.tokens, context=model.encode(batch))
    nats = torch.zeros(batch.targets.shape, dtype=torch.float64, device=device)
    nats[with_loss] = functional.cross_entropy(
        model.logits(states[with_loss]).float(), batch.targets[with_loss], reduction="none"
    ).double()
    bits: list[float] = (nats.sum(1) / math.log(2)).tolist()
    return bits
