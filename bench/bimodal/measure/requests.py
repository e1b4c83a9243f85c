"""One request, or one batch, answered phase by phase.

A request goes through `bimodal.generate` as every prediction does; where its phases begin and end is seen from outside:
by the calls of the model's `encode`, `prefill` and `decode`, and by hooks on its encoders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from bimodal.collate import Collator, Encoded, to_device
from bimodal.generate import generate
from bimodal.likelihood import tag_logits
from bimodal.predict import generate_tokens, tag_rows
from bimodal.schema import DecodeConfig
from bimodal.tags import marked, words_of
from bimodal.types import Cache, Contestant, Context

Clock = Callable[[], float]
"""Seconds, once the device has done all it was asked to do."""

_SAMPLING_SEED = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """One request, in milliseconds; see `schema.Breakdown` for the phases."""

    load_ms: float
    image_encode_ms: float
    audio_encode_ms: float
    encode_ms: float
    """All of `model.encode`: the encoders, fusion, and keys and values."""
    prefill_ms: float
    decode_ms: float
    detokenise_ms: float
    end_to_end_ms: float
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class AnsweredBatch:
    """One batch."""

    batch_ms: float
    tokens: int
    texts: tuple[str, ...]


def clock_of(device: torch.device) -> Clock:
    """A clock for work on a device; on a CPU there is nothing to wait for."""
    if device.type == "cpu":
        return time.perf_counter

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    return now


@torch.no_grad()
def answer(
    model: Contestant, collator: Collator, row: Encoded, max_new_tokens: int, *, device: torch.device
) -> Answered:
    """Answer one example, from its files to the text or the tags.

    Decoding is greedy, whatever the predictions use, so that phases mean the same for everyone; tagging is all prefill.
    """
    now = clock_of(device)
    start = now()
    read = collator.encode(row.example)
    batch = to_device(collator.prompt_batch([read]), device)
    loaded = now()
    with encoders_timed(model, now) as encoder_s:
        context = model.encode(batch)
        encoded = now()
    if collator.tag_names:
        best = tag_logits(model, batch, context)[0].argmax(-1).tolist()
        prefilled = decoded = now()
        tags = collator.names_of(read, best)
        text, count = marked(words_of(collator.prompt(row.example)), tags), len(tags)
    else:
        watched = _Watched(model, now)
        (tokens,) = generate(
            cast(Contestant, watched),
            batch.tokens,
            batch.lengths,
            context=context,
            config=DecodeConfig(strategy="greedy", max_new_tokens=max_new_tokens),
            end_token=collator.tokenizer.end,
        )
        decoded = now()
        prefilled = watched.first_decode or decoded
        text, count = _text(collator, tokens), len(tokens)
    end = now()
    return Answered(
        load_ms=1e3 * (loaded - start),
        image_encode_ms=1e3 * encoder_s.get("image", 0.0),
        audio_encode_ms=1e3 * encoder_s.get("audio", 0.0),
        encode_ms=1e3 * (encoded - loaded),
        prefill_ms=1e3 * (prefilled - encoded),
        decode_ms=1e3 * (decoded - prefilled),
        detokenise_ms=1e3 * (end - decoded),
        end_to_end_ms=1e3 * (now() - start),
        tokens=count,
        text=text,
    )


@torch.no_grad()
def answer_batch(
    model: Contestant, collator: Collator, rows: Sequence[Encoded], decode: DecodeConfig, *, device: torch.device
) -> AnsweredBatch:
    """Answer a batch as configured, from encoded texts and files to texts or tags."""
    now = clock_of(device)
    start = now()
    if collator.tag_names:
        found = tag_rows(model, collator, rows, device=device)
        texts, count = [prediction.text for prediction in found], sum(len(one.tags or ()) for one in found)
    else:
        generator = torch.Generator().manual_seed(_SAMPLING_SEED)
        outputs = generate_tokens(model, collator, rows, decode, device=device, generator=generator)
        texts, count = [_text(collator, output) for output in outputs], sum(map(len, outputs))
    return AnsweredBatch(1e3 * (now() - start), count, tuple(texts))


@contextmanager
def encoders_timed(model: Contestant, now: Clock) -> Iterator[Mapping[str, float]]:
    """Seconds that each encoder takes inside the block, by modality.

    Of a model that tells which modules its encoders are, in an attribute `encoders`; else empty.
    """
    encoders: Mapping[str, nn.Module] = getattr(model, "encoders", {})
    seconds: dict[str, float] = {}
    began: dict[str, float] = {}
    hooks = []
    for modality, encoder in encoders.items():

        def begin(module: nn.Module, inputs: Any, modality: str = modality) -> None:
            began[modality] = now()

        def end(module: nn.Module, inputs: Any, output: Any, modality: str = modality) -> None:
            seconds[modality] = seconds.get(modality, 0.0) + now() - began[modality]

        hooks += [encoder.register_forward_pre_hook(begin), encoder.register_forward_hook(end)]
    try:
        yield seconds
    finally:
        for hook in hooks:
            hook.remove()


class _Watched:
    """A contestant, and when it was first asked for a further token: by then the first one is known."""

    def __init__(self, model: Contestant, now: Clock) -> None:
        self._model, self._now = model, now
        self.first_decode: float | None = None

    def decode(self, token: Tensor, cache: Cache, *, context: Context | None = None) -> tuple[Tensor, Cache]:
        if self.first_decode is None:
            self.first_decode = self._now()
        return self._model.decode(token, cache, context=context)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _text(collator: Collator, tokens: Sequence[int]) -> str:
    return collator.tokenizer.decode([token for token in tokens if token != collator.tokenizer.end])
