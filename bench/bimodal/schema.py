"""Everything that is written to disk, as frozen pydantic models: configuration, results, manifest, comparison.

Rules: units stand in names (`_s`, `_ms`, `_bytes`); what could not be measured is the string "unavailable",
never 0; a quantity that does not apply is null. A change of meaning raises `SCHEMA_VERSION`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

SCHEMA_VERSION: Literal[1] = 1

Modality = Literal["image", "audio"]
Split = Literal["train", "validation", "test"]
Unavailable = Literal["unavailable"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]


class Record(BaseModel):
    """Base of all serialised types: immutable, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


# --- configuration: everything that decides what a cell computes ------------------------------------------------


class DataConfig(Record):
    """Which examples a cell sees."""

    name: str
    variant: str = "default"
    """Which split of the data set; `default` is the one its card names first."""
    train_limit: PositiveInt | None = None
    """Use at most so many training examples (a fixed, seeded sample); null is all."""
    validation_limit: PositiveInt | None = None
    test_limit: PositiveInt | None = None


class TokenizerConfig(Record):
    """Where the tokenizer comes from."""

    source: str = "train"
    """`train`: a byte-level BPE trained on the training split; else a Hugging Face hub id or local folder."""
    vocab_size: PositiveInt = 1024


class ImageEncoderConfig(Record):
    """A ViT (Dosovitskiy et al. 2021, sec. 3.1)."""

    image_size: PositiveInt = 64
    """Height and width in pixels; pictures of another size are resized."""
    patch_size: PositiveInt = 16
    embed_dim: PositiveInt = 256
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    mlp_dim: PositiveInt | None = None
    """Hidden width of the feed-forward layers; null is 4 * embed_dim."""
    dropout: Fraction = 0.0
    layer_norm_eps: PositiveFloat = 1e-12
    init: str | None = None
    """Hugging Face hub id or local folder of a ViT; its architecture then replaces the numbers above."""


class AudioEncoderConfig(Record):
    """A Whisper-style encoder (Radford et al. 2022, sec. 2.2) on log-mel features."""

    sample_rate_hz: PositiveInt = 16_000
    num_mels: PositiveInt = 80
    max_frames: PositiveInt = 1000
    """Longest clip, in 10 ms frames; longer ones are cut."""
    embed_dim: PositiveInt = 256
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    mlp_dim: PositiveInt | None = None
    dropout: Fraction = 0.0
    init: str | None = None
    """Hugging Face hub id or local folder of a Whisper model; its architecture then replaces the numbers above."""


class ModelConfig(Record):
    """The architecture of one contestant. The decoder's numbers are shared by all of them."""

    name: str
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    embed_dim: PositiveInt = 256
    mlp_dim: PositiveInt | None = None
    """Hidden width of the feed-forward layers; null is 4 * embed_dim."""
    max_positions: PositiveInt = 128
    dropout: Fraction = 0.1
    layer_norm_eps: PositiveFloat = 1e-5
    init: str | None = None
    """Hugging Face hub id or local folder of a GPT-2; its architecture then replaces the numbers above."""
    cross_layers: tuple[NonNegativeInt, ...] | None = None
    """Decoder blocks that get a gated cross-attention layer (multimodal only); null is all of them."""
    image: ImageEncoderConfig = ImageEncoderConfig()
    audio: AudioEncoderConfig = AudioEncoderConfig()


class AugmentConfig(Record):
    """Random changes to training pictures, as data. All zero: none."""

    shift_px: NonNegativeInt = 0
    """Largest translation in each direction, in pixels of the encoder's input."""
    scale: Fraction = 0.0
    """Largest relative zoom in or out."""
    rotate_deg: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    brightness: Fraction = 0.0
    """Largest relative change of brightness."""


class TrainConfig(Record):
    """One optimiser and one schedule for every contestant: AdamW, linear warm-up, cosine decay."""

    epochs: PositiveInt = 10
    max_steps: PositiveInt | None = None
    """Stop after so many optimiser steps, whatever `epochs` says; null is no limit."""
    batch_size: PositiveInt = 64
    accumulate: PositiveInt = 1
    """Batches per optimiser step; the effective batch is batch_size * accumulate."""
    learning_rate: PositiveFloat = 1e-3
    min_learning_rate_ratio: Fraction = 0.01
    warmup_fraction: Fraction = 0.05
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.05
    beta1: Fraction = 0.9
    beta2: Fraction = 0.98
    clip_norm: PositiveFloat = 1.0
    label_smoothing: Fraction = 0.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 autocast on a CUDA device that has it, else fp32."""
    evaluations: PositiveInt = 10
    """How often the validation loss is measured (and a restart point written) over the whole training."""
    patience: PositiveInt | None = None
    """Stop early after so many evaluations without a better validation loss; null is never."""
    augment: AugmentConfig = AugmentConfig()


class DecodeConfig(Record):
    """How text is generated."""

    strategy: Literal["greedy", "beam", "sample"] = "greedy"
    max_new_tokens: PositiveInt = 32
    batch_size: PositiveInt = 64
    beam_size: PositiveInt = 4
    length_penalty: Annotated[float, Field(ge=0.0)] = 1.0
    """Beam scores are divided by length ** length_penalty (0: no normalisation)."""
    temperature: PositiveFloat = 1.0
    top_k: PositiveInt | None = None
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None


class MeasureConfig(Record):
    """How cost is measured."""

    requests: PositiveInt = 30
    """Timed single requests (batch size 1); p99 is given from 100 on."""
    warmup: NonNegativeInt = 3
    """Requests run before, and not counted."""
    throughput_batch_size: PositiveInt = 32
    throughput_rounds: PositiveInt = 3


class RunConfig(Record):
    """One cell: one contestant, on one task and data set, from one seed. Nothing else decides its result."""

    schema_version: Literal[1] = SCHEMA_VERSION
    task: str
    preset: str
    seed: NonNegativeInt = 0
    device: str = "auto"
    kernel: str = "auto"
    threads: PositiveInt | None = None
    """CPU threads; null is one per physical core."""
    data: DataConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig
    train: TrainConfig = TrainConfig()
    decode: DecodeConfig = DecodeConfig()
    measure: MeasureConfig = MeasureConfig()

    @property
    def cell(self) -> str:
        """Folder name of the cell: `<task>.<dataset>.<model>.s<seed>`."""
        return f"{self.task}.{self.data.name}.{self.model.name}.s{self.seed}"


# --- results: what a cell found out -----------------------------------------------------------------------------


class Metric(Record):
    """A score over the test split."""

    value: float
    unit: str
    """`points` (0 to 100), `fraction` (0 to 1), `bits/byte`, ..."""
    higher_is_better: bool
    signature: str
    """Everything needed to reproduce the score; for BLEU and chrF sacrebleu's own signature."""
    ci95: tuple[float, float] | None
    """95 % bootstrap interval over test examples; null with fewer than two."""


class Latency(Record):
    """Wall time of one phase for single requests, in milliseconds."""

    p50: float
    p90: float
    p99: float | None
    """Null with fewer than 100 samples: a tail needs samples."""
    samples: NonNegativeInt
    warmup: NonNegativeInt


class Throughput(Record):
    """Batched generation over the test split."""

    examples_per_s: float
    tokens_per_s: float
    """Generated tokens, end-of-text included."""
    batch_size: PositiveInt


class PeakMemory(Record):
    """Memory, with what each number means in its name."""

    parameters_bytes: NonNegativeInt
    rss_train_bytes: NonNegativeInt | Unavailable
    """Peak resident set while training, above the process before the model was built."""
    rss_generate_bytes: NonNegativeInt | Unavailable
    """Peak resident set while generating, above the process before the model was built."""
    cuda_allocated_bytes: NonNegativeInt | Unavailable
    cuda_reserved_bytes: NonNegativeInt | Unavailable


class TrainCost(Record):
    """What training took."""

    wall_s: float
    """Time in training steps and validation, over all attempts of a resumed run."""
    steps: NonNegativeInt
    examples: NonNegativeInt
    """Examples seen, counted once per pass."""
    target_tokens: NonNegativeInt
    """Tokens with a loss, counted once per pass."""
    flops: float | Unavailable
    """Forward and backward, counted by torch's flop counter on one batch and scaled by steps."""


class Cost(Record):
    """What a contestant costs."""

    parameters: NonNegativeInt
    encode_ms: Latency | None
    """Image and audio encoders plus cross-attention keys and values; null for a text-only model."""
    prefill_ms: Latency
    """First token after the prompt, encoders not included."""
    decode_ms_per_token: Latency | None
    """Each further token; null if no request produced more than one."""
    end_to_end_ms: Latency
    """A whole request: encode, prefill, decode to the end, and detokenise."""
    throughput: Throughput
    peak_memory: PeakMemory
    energy_j: float | Unavailable
    train: TrainCost


class TrainSummary(Record):
    """How training went; the curve itself is in train.jsonl."""

    steps: NonNegativeInt
    planned_steps: NonNegativeInt
    best_step: NonNegativeInt
    best_validation_bits_per_byte: float
    final_validation_bits_per_byte: float
    stopped_early: bool
    precision: Literal["fp32", "bf16"]
    resumed_at_steps: tuple[NonNegativeInt, ...] = ()
    weights_sha256: str
    """Over names, shapes and bytes of the best checkpoint's tensors."""


class InputsSeen(Record):
    """What a contestant was given, so that 'the same text for both' can be checked."""

    modalities: tuple[Modality, ...]
    train_examples: NonNegativeInt
    validation_examples: NonNegativeInt
    test_examples: NonNegativeInt
    text_sha256: str
    """Over prompts and targets of all splits in order; equal for contestants that saw the same text."""


class Probe(Record):
    """The same checkpoint on changed inputs; `deranged`: nobody gets their own picture."""

    metrics: dict[str, Metric]
    predictions_path: str


class KernelUsed(Record):
    """Which attention backend ran, and why it was this one."""

    requested: str
    name: str
    reason: str


class CellError(Record):
    """Why a cell has no result."""

    kind: str
    """Class name of the error, or `Killed`, `Interrupted`."""
    message: str
    log_path: str | None = None


class CellResult(Record):
    """`cells/<cell>/result.json`."""

    schema_version: Literal[1] = SCHEMA_VERSION
    status: Literal["ok", "failed"]
    config: RunConfig
    kernel_used: KernelUsed | None = None
    inputs_seen: InputsSeen | None = None
    metrics: dict[str, Metric] = {}
    probes: dict[str, Probe] = {}
    cost: Cost | None = None
    train: TrainSummary | None = None
    predictions_path: str | None = None
    predictions_sha256: str | None = None
    environment: dict[str, Any] = {}
    error: CellError | None = None
    wall_s: float = 0.0

    @model_validator(mode="after")
    def _complete(self) -> CellResult:
        if self.status == "ok" and not (self.metrics and self.cost and self.train):
            raise ValueError("a cell with status 'ok' needs metrics, cost and train")
        if self.status == "failed" and self.error is None:
            raise ValueError("a cell with status 'failed' needs an error")
        return self


class PredictionRow(Record):
    """One line of predictions.jsonl."""

    id: str
    text: str
    """The prompt."""
    target: str
    prediction: str
    target_bits: float | None
    """Negative log2-likelihood the model gives the target (teacher forcing); null where not asked."""
    target_bytes: NonNegativeInt
    """UTF-8 bytes of the target."""


class DatasetRecord(Record):
    """A data set as a run used it: enough to find it again and to give credit."""

    name: str
    version: str
    variant: str
    description: str
    licence: str
    licence_url: str
    attribution: str
    source: str
    modalities: tuple[Modality, ...]
    fingerprint: str
    splits: dict[Split, NonNegativeInt]


class TaskRecord(Record):
    """A task as declared before the run."""

    name: str
    version: str
    primary_metric: str
    margin: float
    """The smallest difference of the primary metric worth paying for."""


class Manifest(Record):
    """`run.json`: what was asked, of which code, on which machine, with which data."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str
    command: str
    created_at: str
    """UTC, ISO 8601."""
    finished_at: str | None = None
    status: Literal["running", "ok", "failed", "interrupted"] = "running"
    tasks: tuple[TaskRecord, ...]
    datasets: tuple[DatasetRecord, ...]
    cells: tuple[RunConfig, ...]
    environment: dict[str, Any]
    """code (version, git revision, dirty), packages, python, machine, determinism."""


# --- comparison: what the results say together ------------------------------------------------------------------


class Difference(Record):
    """`contestant` minus `baseline` in one metric, on the same examples."""

    metric: str
    unit: str
    higher_is_better: bool
    baseline_value: float
    contestant_value: float
    value: float
    ci95: tuple[float, float]
    ci90: tuple[float, float]
    p_value: float
    """Paired approximate randomisation, two-sided."""
    examples: PositiveInt
    resamples: PositiveInt


class Verdict(Record):
    """The answer for one pair, and the sentence that may be quoted."""

    outcome: Literal["better", "worse", "equivalent", "inconclusive"]
    metric: str
    margin: float
    sentence: str
    caveats: tuple[str, ...]


class ProbeDrop(Record):
    """How much of a contestant's own score is lost when its inputs are changed."""

    contestant: str
    probe: str
    metric: str
    true_value: float
    probe_value: float
    drop: float
    ci95: tuple[float, float]


class CostRatio(Record):
    """`contestant` over `baseline` for one cost; above 1 is dearer."""

    name: str
    unit: str
    baseline_value: float
    contestant_value: float
    ratio: float


class Pair(Record):
    """A contestant held against the baseline of its task and data set."""

    baseline: str
    contestant: str
    seed: NonNegativeInt
    verdict: Verdict
    differences: tuple[Difference, ...]
    costs: tuple[CostRatio, ...]


class Sample(Record):
    """One test example with everybody's output, for the sample browser."""

    id: str
    text: str
    target: str
    predictions: dict[str, str]
    """By contestant; probes as `<contestant>.<probe>`."""
    scores: dict[str, float]
    """Sentence-level chrF by the same keys, to sort by."""


class TaskComparison(Record):
    """All contestants of one task on one data set."""

    task: TaskRecord
    dataset: DatasetRecord
    contestants: tuple[str, ...]
    pairs: tuple[Pair, ...]
    probes: tuple[ProbeDrop, ...]
    samples: tuple[Sample, ...]
    failed: dict[str, str]
    """Cell name to error message, for the cells without a result."""


class Comparison(Record):
    """`comparison.json`: differences, intervals, verdicts."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str
    tasks: tuple[TaskComparison, ...]
