"""What a contestant costs: time by phase, throughput, memory, energy, and under which conditions it was measured."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from bimodal.schema.base import SCHEMA_VERSION, Record, Unavailable


class Latency(Record):
    """Wall time of one phase for single requests (or of whole batches), in milliseconds."""

    p50: float
    p90: float
    p99: float | None
    """Null with fewer than 100 samples: a tail needs samples."""
    samples: NonNegativeInt
    warmup: NonNegativeInt
    """Requests that were run before and not counted; their times are in timings.json."""


class Throughput(Record):
    """Batched answers over the test split."""

    examples_per_s: float
    tokens_per_s: float
    """Generated tokens (end-of-text included), or tagged words."""
    batch_size: PositiveInt
    batch_ms: Latency | None = None
    """Time of one full batch; null where the test split does not fill one."""


class Breakdown(Record):
    """Where the time of a request goes. The phases add up to `end_to_end_ms`, which has a clock of its own.

    Means over the middle half of the requests by end-to-end time: unlike medians, means add up, and unlike means over
    all requests these are not moved by a few that the machine disturbed.
    """

    load_ms: NonNegativeFloat
    """Text to token ids, picture and sound from their files to tensors on the device."""
    image_encode_ms: NonNegativeFloat
    audio_encode_ms: NonNegativeFloat
    keys_values_ms: NonNegativeFloat
    """What is left of `encode`: fusion, and the keys and values that cross-attention will read."""
    prefill_ms: NonNegativeFloat
    decode_ms: NonNegativeFloat
    """All tokens after the first."""
    detokenise_ms: NonNegativeFloat
    end_to_end_ms: NonNegativeFloat
    tokens: NonNegativeFloat
    """Generated tokens (or tagged words) per request, mean over the same requests."""


class PeakMemory(Record):
    """Memory, with what each number means in its name."""

    parameters_bytes: NonNegativeInt
    rss_train_bytes: NonNegativeInt | Unavailable
    """Peak resident set while training, above the process before the model was built."""
    rss_generate_bytes: NonNegativeInt | Unavailable
    """Peak resident set while answering (single requests and batches, in a process that did nothing else), above the
    process before the model was built."""
    cuda_allocated_bytes: NonNegativeInt | Unavailable
    """Peak of torch's allocator while answering: what tensors needed."""
    cuda_reserved_bytes: NonNegativeInt | Unavailable
    """The same with what the allocator kept for later."""
    process_peak_bytes: NonNegativeInt | Unavailable = "unavailable"
    """Peak resident set of the whole answering process, interpreter and libraries included."""


class TrainCost(Record):
    """What training took."""

    wall_s: float
    """Time in training steps and validation, over all attempts of a resumed run."""
    steps: NonNegativeInt
    examples: NonNegativeInt
    """Examples seen, counted once per pass."""
    target_tokens: NonNegativeInt
    """Tokens (or tagged words) with a loss, counted once per pass."""
    flops: float | Unavailable
    """Forward and backward, counted by torch's flop counter on one batch and scaled by steps."""
    energy_j: float | Unavailable = "unavailable"
    """Unavailable for a training that was resumed, too: nobody measured its first attempt to the end."""


class MachineState(Record):
    """What the machine was up to at one moment. Null: this system does not say."""

    load_average: tuple[float, float, float] | None
    """Runnable tasks over the last 1, 5 and 15 minutes; what this run trained just before is in it."""
    usable_cores: PositiveInt
    """That this process may run on."""
    governors: tuple[str, ...] | None
    """Frequency policies of the cores, each once: `performance`, `powersave`, ..."""
    frequency_mhz: tuple[float, float] | None
    """Lowest and highest of the cores now."""
    throttle_events: NonNegativeInt | None
    """Times that a core was slowed down for its heat, since the machine started."""
    cpu_quota_cores: float | None
    """Processor time that the control group may use, in cores; null: no limit, or unknown."""
    quota_throttled_s: float | None
    """Time that the control group was held back by that limit."""
    steal_s: float | None
    """Processor time that a hypervisor gave to other machines, over all cores."""
    busy_s: float | None
    """Processor time used by all programs together, over all cores, since the machine started."""
    gpu_processes: tuple[str, ...] | None
    """Other programs on the GPUs; null: no NVIDIA GPU, or unknown."""


class Conditions(Record):
    """How and under which circumstances the times of a contestant were taken."""

    interleaved: tuple[str, ...]
    """Contestants that took turns in the same rounds, each process by itself, this one among them."""
    processes: PositiveInt
    """Of each contestant; what they differ by is noise."""
    device: str
    threads: PositiveInt
    cores: tuple[NonNegativeInt, ...] | None
    """The cores the workers were allowed to run on."""
    openmp: dict[str, str]
    """Environment variables that say how long idle threads spin."""
    before: MachineState
    after: MachineState
    wall_s: float
    """Of the whole measurement, all contestants together, without starting them."""
    others_busy_cores: float | Unavailable
    """How many cores other programs kept busy meanwhile, on average."""
    outputs_checked: NonNegativeInt
    """Timed answers that were held against the untimed ones of predictions.jsonl; 0 where they are not comparable."""
    outputs_differing: NonNegativeInt


class Cost(Record):
    """What a contestant costs. Latencies are of single greedy requests, from a process that only answers."""

    parameters: NonNegativeInt
    encode_ms: Latency | Unavailable | None
    """Image and audio encoders plus cross-attention keys and values; null for a text-only model."""
    image_encode_ms: Latency | Unavailable | None = None
    """Null for a contestant without, or whose encoders cannot be timed apart."""
    audio_encode_ms: Latency | Unavailable | None = None
    prefill_ms: Latency | Unavailable
    """First token after the prompt, or all tags of a sentence; encoders not included."""
    decode_ms_per_token: Latency | Unavailable | None
    """Each further token; null if no request produced more than one, and for tagging, which does not decode."""
    end_to_end_ms: Latency | Unavailable
    """A whole request: load, encode, prefill, decode to the end, and detokenise."""
    breakdown: Breakdown | None = None
    noise: float | None = None
    """Noise floor of whole requests, as a fraction: what processes of this contestant alone differ by would give ratios
    so far from 1. Null with one process."""
    throughput: Throughput | Unavailable
    peak_memory: PeakMemory
    energy_j: float | Unavailable
    """Per request; see `energy_source`."""
    energy_source: str = "unavailable"
    """Which counters it is from, or why there are none."""
    train: TrainCost
    conditions: Conditions | None = None
    """Null where it was not measured."""
    not_measured: str | None = None
    """Why there are no latencies; null where there are."""


PHASES = (
    "load_ms",
    "image_encode_ms",
    "audio_encode_ms",
    "encode_ms",
    "prefill_ms",
    "decode_ms",
    "detokenise_ms",
    "end_to_end_ms",
)
"""What of a request is timed, in milliseconds: the fields of `Timings` that every answer has."""


class Timings(Record):
    """`timings.json`: every raw sample, one entry per counted request, in the order they were taken; milliseconds."""

    schema_version: Literal[1] = SCHEMA_VERSION
    process: tuple[NonNegativeInt, ...]
    """Which of the contestant's processes answered."""
    round: tuple[NonNegativeInt, ...]
    """Requests of one round, one per process of every contestant, were taken right after each other, on one example."""
    example: tuple[str, ...]
    load_ms: tuple[float, ...]
    image_encode_ms: tuple[float, ...]
    """0 throughout where there is no such encoder, or it cannot be timed apart."""
    audio_encode_ms: tuple[float, ...]
    encode_ms: tuple[float, ...]
    """Image and audio encoders, fusion, and keys and values."""
    prefill_ms: tuple[float, ...]
    decode_ms: tuple[float, ...]
    """All tokens after the first together."""
    detokenise_ms: tuple[float, ...]
    end_to_end_ms: tuple[float, ...]
    generated_tokens: tuple[NonNegativeInt, ...]
    """Or tagged words."""
    warmup_ms: tuple[float, ...] = ()
    """End to end, of the requests before the first that counts."""
    batch_process: tuple[NonNegativeInt, ...] = ()
    batch_round: tuple[NonNegativeInt, ...] = ()
    batch_ms: tuple[float, ...] = ()
    batch_examples: tuple[NonNegativeInt, ...] = ()
    batch_tokens: tuple[NonNegativeInt, ...] = ()
    warmup_batch_ms: tuple[float, ...] = ()
