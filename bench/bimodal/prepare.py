"""What a cell needs before it trains, and what an audit needs of a cell that was trained: data, tokenizer, model."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from bimodal import registry, tokenizer
from bimodal.collate import Collator
from bimodal.datasets import load_dataset
from bimodal.errors import unknown_name
from bimodal.optimisation import choose_precision
from bimodal.schema import AudioEncoderConfig, ImageEncoderConfig, Modality, RunConfig, Split
from bimodal.stand_ins import StandIns
from bimodal.tags import tag_names, words_of
from bimodal.tokenizer import Tokenizer
from bimodal.types import Contestant, Dataset, Example, Progress, Task
from bimodal.word_features import Lexicon
from bimodal_kernels import KernelChoice, choose_backend

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a cell is about, and what its contestant may perceive."""

    task: Task
    splits: dict[Split, tuple[Example, ...]]
    modalities: tuple[Modality, ...]
    """What the data has and the model can use."""
    tokenizer: Tokenizer
    conditions: tuple[str, ...] = ()
    """What a reader must know of the modalities perceived (see `InputsSeen`)."""
    tag_names: tuple[str, ...] = ()
    """The tags there are, in all splits; none where text is generated."""
    lexicon: Lexicon | None = None
    """For tagging with `model.word_features`: what the training split says about words."""


@dataclass(frozen=True, slots=True)
class Built:
    """A contestant with fresh weights, and who makes its batches."""

    model: Contestant
    module: nn.Module
    """The same object, as torch knows it."""
    collator: Collator
    kernel: KernelChoice


def inputs_of(
    config: RunConfig, progress: Progress, *, stand_ins: Path | None = None, words: Tokenizer | None = None
) -> Inputs:
    """Load a cell's task and data; train its tokenizer, or take `words`.

    Args:
        config: the cell.
        progress: told about long work.
        stand_ins: folder for the blank inputs of a cell that is to have them; None leaves inputs as they are.
        words: the tokenizer of a contestant that was trained before.

    Raises:
        UserError: the data is missing or damaged, or the tokenizer cannot be loaded.
    """
    task = registry.load_task(config.task)
    dataset = load_dataset(config.data, progress)
    splits = select(dataset, config)
    if config.data.inputs == "blank" and stand_ins is not None:
        blank = StandIns.of(splits["train"], config.model.image.image_size, stand_ins).blank
        splits = {split: tuple(blank(example) for example in examples) for split, examples in splits.items()}
    usable = registry.load_model(config.model.name).modalities
    speech = dataset.record.speech
    return Inputs(
        task=task,
        splits=splits,
        modalities=tuple(modality for modality in dataset.record.modalities if modality in usable),
        tokenizer=words or _tokenizer(config, task, splits["train"]),
        conditions=(speech.condition,) if speech is not None and "audio" in usable else (),
        tag_names=_tag_names(task, dataset),
        lexicon=_lexicon(config, task, splits["train"]),
    )


def build(
    config: RunConfig, inputs: Inputs, device: torch.device, *, trained: Mapping[str, torch.Tensor] | None = None
) -> Built:
    """Build a cell's contestant; a variant is made of it at the end.

    Args:
        config: the cell.
        inputs: what it is about.
        device: where it is to be.
        trained: its weights; None: from torch's global generator (or from `model.init`).

    Raises:
        UserError: the numbers do not fit together, a checkpoint cannot be loaded, or the model has no such variant.
    """
    kernel = kernel_for(config, device, inputs.modalities)
    spec = registry.load_model(config.model.name)
    module = spec.build(
        config.model,
        vocab_size=inputs.tokenizer.vocab_size,
        kernel=kernel.name,
        modalities=inputs.modalities,
        num_tags=len(inputs.tag_names),
        **({} if inputs.lexicon is None else {"features": inputs.lexicon.sizes}),
    ).to(device)
    if trained is not None:
        module.load_state_dict(trained)
    if config.variant is not None:
        if config.variant.name not in spec.variants:
            raise unknown_name(f"variant of {spec.name}", config.variant.name, spec.variants)
        spec.variants[config.variant.name](module)
    model = cast(Contestant, module)
    collator = Collator.create(
        inputs.tokenizer, inputs.task.prompt, model.config, inputs.modalities, inputs.tag_names, inputs.lexicon
    )
    return Built(model, module, collator, kernel)


def kernel_for(config: RunConfig, device: torch.device, modalities: tuple[Modality, ...]) -> KernelChoice:
    """The attention backend of a cell; compiled now if it was not.

    Chosen for the dtype that training runs in and for the heads of the decoder and of every encoder there will be. A
    checkpoint that brings other heads, or a forward pass in another dtype, may still have calls that it does not serve:
    those run on `sdpa`, and the result says how many.
    """
    encoders: dict[Modality, ImageEncoderConfig | AudioEncoderConfig] = {
        "image": config.model.image,
        "audio": config.model.audio,
    }
    parts = (config.model, *(encoders[modality] for modality in modalities))
    precision = choose_precision(config.train, device)
    return choose_backend(
        config.kernel,
        device=device,
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
        head_dims=tuple(max(1, part.embed_dim // part.num_heads) for part in parts),
    )


def select(dataset: Dataset, config: RunConfig) -> dict[Split, tuple[Example, ...]]:
    """The examples of each split, cut to the limits of the configuration by a fixed sample (order kept)."""
    limits: dict[Split, int | None] = {
        "train": config.data.train_limit,
        "validation": config.data.validation_limit,
        "test": config.data.test_limit,
    }
    chosen: dict[Split, tuple[Example, ...]] = {}
    for split, limit in limits.items():
        examples = dataset.examples(split)
        if limit is not None and limit < len(examples):
            # Independent of the run's seed: seeds vary the training, not the data.
            keep = sorted(random.Random(f"{dataset.record.fingerprint}/{split}").sample(range(len(examples)), limit))
            examples = tuple(examples[index] for index in keep)
        chosen[split] = examples
    return chosen


def _tokenizer(config: RunConfig, task: Task, train: Sequence[Example]) -> Tokenizer:
    source = config.tokenizer.source
    if source == "train" and config.model.init is not None:
        source = config.model.init  # pretrained weights only make sense with the tokens they were trained on
    if source != "train":
        return tokenizer.load_tokenizer(source)
    texts = [task.prompt(example) for example in train]
    if task.kind == "generate":
        texts = [text for pair in zip(texts, (example.target for example in train), strict=True) for text in pair]
    return tokenizer.train_tokenizer(texts, config.tokenizer.vocab_size)


def _lexicon(config: RunConfig, task: Task, train: Sequence[Example]) -> Lexicon | None:
    if task.kind != "tag" or not config.model.word_features:
        return None
    return Lexicon.of(words_of(task.prompt(example)) for example in train)


def _tag_names(task: Task, dataset: Dataset) -> tuple[str, ...]:
    """The tags of the whole data set, so that limits and seeds do not change a model's head."""
    if task.kind != "tag":
        return ()
    return tag_names(example for rows in dataset.splits.values() for example in rows)
