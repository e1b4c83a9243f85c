"""From raw samples to costs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from bimodal.schema import PHASES, Breakdown, Latency, Throughput, Timings
from bimodal.statistics import middle_half

_P99_SAMPLES = 100


def latency(samples_ms: Sequence[float], warmup: int) -> Latency:
    """Percentiles of one phase's raw samples; p99 only from 100 samples on.

    Raises:
        ValueError: no samples.
    """
    if not samples_ms:
        raise ValueError("A latency needs at least one sample, got none.")
    p50, p90, p99 = (float(value) for value in np.percentile(samples_ms, [50, 90, 99]))
    enough = len(samples_ms) >= _P99_SAMPLES
    return Latency(p50=p50, p90=p90, p99=p99 if enough else None, samples=len(samples_ms), warmup=warmup)


def decode_ms_per_token(timings: Timings) -> list[float]:
    """Mean over the further tokens of each request that had any."""
    rows = zip(timings.decode_ms, timings.generated_tokens, strict=True)
    return [ms / (tokens - 1) for ms, tokens in rows if ms > 0 and tokens > 1]


def breakdown(timings: Timings) -> Breakdown:
    """Mean time of each phase over the middle half of the requests by end-to-end time."""
    kept = middle_half(timings.end_to_end_ms)

    def mean(values: Sequence[float]) -> float:
        return fmean(values[index] for index in kept)

    means = {phase: mean(getattr(timings, phase)) for phase in PHASES if phase in Breakdown.model_fields}
    encoders = means["image_encode_ms"] + means["audio_encode_ms"]
    return Breakdown(
        **means,
        keys_values_ms=max(0.0, mean(timings.encode_ms) - encoders),
        tokens=mean(timings.generated_tokens),
    )


def throughput(timings: Timings, batch_size: int) -> Throughput:
    """Examples and tokens per second over all counted batches, and the time of a full batch."""
    seconds = sum(timings.batch_ms) / 1e3
    full = [ms for ms, count in zip(timings.batch_ms, timings.batch_examples, strict=True) if count == batch_size]
    return Throughput(
        examples_per_s=sum(timings.batch_examples) / seconds,
        tokens_per_s=sum(timings.batch_tokens) / seconds,
        batch_size=batch_size,
        batch_ms=latency(full, len(timings.warmup_batch_ms)) if full else None,
    )
