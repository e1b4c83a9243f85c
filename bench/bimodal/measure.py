"""What a contestant costs: latency by phase, throughput, memory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from bimodal.collate import Collator, Encoded, to_device
from bimodal.predict import generate_tokens, tag_rows
from bimodal.schema import DecodeConfig, Latency, MeasureConfig, Throughput
from bimodal.types import Contestant, Progress

_P99_SAMPLES = 100


@dataclass(frozen=True, slots=True)
class Timings:
    """Raw samples in milliseconds, one per counted request (written to timings.json as they are)."""

    encode_ms: list[float]
    prefill_ms: list[float]
    decode_ms_per_token: list[float]
    """Mean over the further tokens of each request that had any."""
    end_to_end_ms: list[float]
    generated_tokens: list[int]
    throughput_s: list[float]
    """Seconds for one pass over the measured examples, per round."""
    warmup: int


@torch.no_grad()
def time_requests(
    model: Contestant,
    collator: Collator,
    rows: Sequence[Encoded],
    config: MeasureConfig,
    decode: DecodeConfig,
    *,
    device: torch.device,
    progress: Progress,
) -> tuple[Timings, Throughput]:
    """Time single requests phase by phase, then the whole split in batches as configured.

    A request starts at the example (text to token ids, picture to tensor) and ends at the text or the tags. Greedy
    decoding is used for latency whatever `decode.strategy` says, so that phases mean the same for everyone; tagging is
    all prefill.
    """
    cast(nn.Module, model).eval()
    synchronise = _synchroniser(device)
    timings = Timings([], [], [], [], [], [], config.warmup)
    total = config.warmup + config.requests
    for number in range(total):
        row = rows[number % len(rows)]
        if collator.tag_names:
            request = _time_tagging(model, collator, row, device, synchronise)
        else:
            request = _time_request(model, collator, row, decode.max_new_tokens, device, synchronise)
        if number >= config.warmup:
            encode, prefill, tokens, further, whole = request
            timings.encode_ms.append(encode)
            timings.prefill_ms.append(prefill)
            if further is not None and tokens > 1:
                timings.decode_ms_per_token.append(further / (tokens - 1))
            timings.end_to_end_ms.append(whole)
            timings.generated_tokens.append(tokens)
        progress("measure", number + 1, total)

    tokens_per_round = 0
    for round_number in range(config.throughput_rounds + 1):
        synchronise()
        start = time.perf_counter()
        generated = 0
        for at in range(0, len(rows), config.throughput_batch_size):
            generated += _produced(model, collator, rows[at : at + config.throughput_batch_size], decode, device)
        synchronise()
        if round_number > 0:  # the first round warms up
            timings.throughput_s.append(time.perf_counter() - start)
        tokens_per_round = generated
        progress("throughput", round_number + 1, config.throughput_rounds + 1)
    median_s = float(np.median(timings.throughput_s))
    throughput = Throughput(
        examples_per_s=len(rows) / median_s,
        tokens_per_s=tokens_per_round / median_s,
        batch_size=config.throughput_batch_size,
    )
    return timings, throughput


def latency(samples_ms: Sequence[float], timings: Timings) -> Latency:
    """Percentiles of one phase's raw samples; p99 only from 100 samples on.

    Raises:
        ValueError: no samples.
    """
    if not samples_ms:
        raise ValueError("A latency needs at least one sample, got none.")
    p50, p90, p99 = (float(value) for value in np.percentile(samples_ms, [50, 90, 99]))
    return Latency(
        p50=p50,
        p90=p90,
        p99=p99 if len(samples_ms) >= _P99_SAMPLES else None,
        samples=len(samples_ms),
        warmup=timings.warmup,
    )


_Request = tuple[float, float, int, float | None, float]
"""Encode ms, prefill ms, tokens generated or words tagged, ms for the further tokens (None for tagging), ms in all."""


def _time_request(
    model: Contestant,
    collator: Collator,
    row: Encoded,
    max_new_tokens: int,
    device: torch.device,
    synchronise: Callable[[], None],
) -> _Request:
    """Answer one request greedily."""
    synchronise()
    start = time.perf_counter()
    prompt = collator.prompt_batch([collator.encode(row.example)])
    batch = to_device(prompt, device)
    loaded = _now(synchronise)
    context = model.encode(batch)
    encoded = _now(synchronise)
    room = min(int(batch.lengths) + max_new_tokens, collator.max_positions)
    logits, cache = model.prefill(batch.tokens, batch.lengths, max_length=room, context=context)
    token: Tensor = logits.argmax(-1)
    tokens = [int(token)]
    prefilled = _now(synchronise)
    while tokens[-1] != collator.tokenizer.end and int(batch.lengths) + len(tokens) < room:
        logits, cache = model.decode(token, cache, context=context)
        token = logits.argmax(-1)
        tokens.append(int(token))
    decoded = _now(synchronise)
    collator.tokenizer.decode([token for token in tokens if token != collator.tokenizer.end])
    end = _now(synchronise)
    seconds = (encoded - loaded, prefilled - encoded, decoded - prefilled, end - start)
    encode_ms, prefill_ms, further_ms, whole_ms = (1e3 * value for value in seconds)
    return encode_ms, prefill_ms, len(tokens), further_ms, whole_ms


def _time_tagging(
    model: Contestant, collator: Collator, row: Encoded, device: torch.device, synchronise: Callable[[], None]
) -> _Request:
    """Tag one sentence: all tags come out of the prefill."""
    synchronise()
    start = time.perf_counter()
    read = collator.encode(row.example)
    batch = to_device(collator.prompt_batch([read]), device)
    loaded = _now(synchronise)
    context = model.encode(batch)
    encoded = _now(synchronise)
    best = model.tag(batch.tokens, batch.lengths, context=context)[0].argmax(-1)
    tagged = _now(synchronise)
    tags = collator.names_of(read, best.tolist())
    end = _now(synchronise)
    return 1e3 * (encoded - loaded), 1e3 * (tagged - encoded), len(tags), None, 1e3 * (end - start)


def _produced(
    model: Contestant, collator: Collator, rows: Sequence[Encoded], decode: DecodeConfig, device: torch.device
) -> int:
    """Answer a batch; how many tokens were generated, or words tagged."""
    if collator.tag_names:
        return sum(len(prediction.tags or ()) for prediction in tag_rows(model, collator, rows, device=device))
    return sum(len(output) for output in generate_tokens(model, collator, rows, decode, device=device))


def _now(synchronise: Callable[[], None]) -> float:
    synchronise()
    return time.perf_counter()


def _synchroniser(device: torch.device) -> Callable[[], None]:
    """A function that waits for the device's queue; on a CPU there is none."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None


class PeakResidentSet:
    """Peak resident set of this process since it was made, by Linux's own counter.

    Writing 5 to /proc/self/clear_refs resets VmHWM (proc(5)); elsewhere the answer is "unavailable".
    """

    def __init__(self) -> None:
        self.available = True
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            self.available = False

    def above(self, baseline: int | Literal["unavailable"]) -> int | Literal["unavailable"]:
        """Peak bytes above a resident set measured before."""
        peak = _status_bytes("VmHWM") if self.available else None
        return "unavailable" if peak is None or baseline == "unavailable" else max(0, peak - baseline)


def resident_bytes() -> int | Literal["unavailable"]:
    """Resident set of this process now."""
    now = _status_bytes("VmRSS")
    return "unavailable" if now is None else now


def _status_bytes(key: str) -> int | None:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(rf"^{key}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
