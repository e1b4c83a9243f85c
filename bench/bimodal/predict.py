"""A contestant's answers over a split: generated text or tags, and the bits it needs for the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import nn

from bimodal.collate import Collator, Encoded, to_device
from bimodal.environment import derive_seed
from bimodal.generate import generate
from bimodal.likelihood import tag_logits, target_bits
from bimodal.schema import DecodeConfig
from bimodal.tags import marked, words_of
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
    """Answer every example (with a text, or with tags) and score its target, in the order given.

    Sampling draws from a generator derived from `seed` and the batch, so that results repeat.
    """
    cast(nn.Module, model).eval()
    # Like lengths together: less padding. Answers go back to the order of `rows`.
    effort = collator.effort(rows)
    order = sorted(range(len(rows)), key=lambda index: effort[index])
    answers: dict[int, Prediction] = {}
    for start in range(0, len(order), config.batch_size):
        indices = order[start : start + config.batch_size]
        batch_rows = [rows[index] for index in indices]
        bits = target_bits(model, collator, batch_rows, device)
        if collator.tag_names:
            found = tag_rows(model, collator, batch_rows, device=device)
        else:
            generator = torch.Generator().manual_seed(derive_seed(seed, "decode", start))
            texts = generate_texts(model, collator, batch_rows, config, device=device, generator=generator)
            found = [Prediction(row.example.id, text) for row, text in zip(batch_rows, texts, strict=True)]
        for index, prediction, cost in zip(indices, found, bits, strict=True):
            answers[index] = replace(prediction, target_bits=cost)
        progress(what, min(start + config.batch_size, len(order)), len(order))
    return tuple(answers[index] for index in range(len(rows)))


@torch.no_grad()
def tag_rows(
    model: Contestant, collator: Collator, rows: Sequence[Encoded], *, device: torch.device
) -> list[Prediction]:
    """Give every word its likeliest tag; the text of a prediction is the sentence with its entities marked."""
    batch = to_device(collator.prompt_batch(rows), device)
    best = tag_logits(model, batch, model.encode(batch)).argmax(-1).tolist()  # [batch, position]
    predictions = []
    for row, indices in zip(rows, best, strict=True):
        tags = collator.names_of(row, indices)
        text = marked(words_of(collator.prompt(row.example)), tags)
        predictions.append(Prediction(row.example.id, text, tags=tags))
    return predictions


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
