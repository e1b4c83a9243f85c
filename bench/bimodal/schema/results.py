"""What a cell found out, and the manifest of its run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from bimodal.schema.base import SCHEMA_VERSION, Fraction, Modality, Record, Split
from bimodal.schema.config import DataConfig, RunConfig, with_dial
from bimodal.schema.cost import Cost


class Metric(Record):
    """A score over the test split."""

    value: float
    unit: str
    """`points` (0 to 100, 100 is perfect), `percent`, `fraction` (0 to 1), `words`, `bits/byte`, ..."""
    higher_is_better: bool
    signature: str
    """Everything needed to reproduce the score; for BLEU and chrF sacrebleu's own signature."""
    ci95: tuple[float, float] | None
    """95 % bootstrap interval over test examples; null with fewer than two, and for scores of the whole set of
    predictions (distinct n-grams), which are no sums over examples."""


class TrainSummary(Record):
    """How training went; the curve itself is in train.jsonl."""

    steps: NonNegativeInt
    planned_steps: NonNegativeInt
    best_step: NonNegativeInt
    best_validation_bits: float
    """Bits the best checkpoint needs for the validation targets, in `validation_unit`."""
    final_validation_bits: float
    validation_unit: Literal["bits/byte", "bits/tag"] = "bits/byte"
    """Per UTF-8 byte of text, or per tagged word."""
    stopped_early: bool
    precision: Literal["fp32", "bf16"]
    resumed_at_steps: tuple[NonNegativeInt, ...] = ()
    weights_sha256: str
    """Over names, shapes and bytes of the best checkpoint's tensors."""


class InputsSeen(Record):
    """What a contestant was given, so that 'the same text for both' can be checked."""

    modalities: tuple[Modality, ...]
    """Beyond text; a constant picture and silence do not count."""
    train_examples: NonNegativeInt
    validation_examples: NonNegativeInt
    test_examples: NonNegativeInt
    conditions: tuple[str, ...] = ()
    """What a reader must know of the extra modality to judge what it is worth, in sentences."""
    text_sha256: str
    """Over prompts and targets of all splits in order; equal for contestants that saw the same text."""


class Probe(Record):
    """The same checkpoint on changed inputs; `deranged`: nobody gets their own picture."""

    metrics: dict[str, Metric]
    predictions_path: str


class Reference(Record):
    """A score to hold the contestants' against, by a method that is none of them."""

    name: str
    description: str
    metrics: dict[str, Metric]


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
    metrics: dict[str, Metric] = Field(default_factory=dict)
    probes: dict[str, Probe] = Field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    cost: Cost | None = None
    train: TrainSummary | None = None
    predictions_path: str | None = None
    predictions_sha256: str | None = None
    environment: dict[str, Any] = Field(default_factory=dict)
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
    language: str = "en"
    """Of the target: decides how scores cut it into words."""
    prediction: str
    target_bits: float | None
    """Negative log2-likelihood the model gives the target (teacher forcing) or its tags; null where not asked."""
    target_bytes: NonNegativeInt
    """UTF-8 bytes of the target."""
    tags: tuple[str, ...] | None = None
    """The predicted tag of each word (tagging only; `prediction` then is the sentence with its entities marked)."""
    target_tags: tuple[str, ...] | None = None


class SpeechRecord(Record):
    """Synthetic speech in a data set: who speaks what."""

    engine: str
    """With its version."""
    voice: str
    language: str
    """Of the voice, ISO 639-1."""
    field: str
    """`text`, `target` or an entry of `Example.meta`."""

    @property
    def condition(self) -> str:
        """What a reader must know of it, in one sentence."""
        if self.field == "target":
            return (
                f"The sound is the target itself, spoken by {self.engine} (voice {self.voice}): "
                "who hears it does speech recognition."
            )
        what = self.field.replace("_", " ")
        return f"The sound is the {what}, spoken by {self.engine} (voice {self.voice}): the words are in the text, too."


class DatasetRecord(Record):
    """A data set as a run used it: enough to find it again and to give credit."""

    name: str
    version: str
    variant: str
    task: str | None = None
    """What the examples are for; null for a data set that serves one task."""
    language: str | None = None
    """Of the targets, where there is a choice."""
    speech: SpeechRecord | None = None
    """Null without synthetic speech."""
    dial: float | None = None
    """How much the extra modality knows (0 to 1); null for a data set without such a dial."""
    description: str
    licence: str
    licence_url: str
    attribution: str
    source: str
    modalities: tuple[Modality, ...]
    fingerprint: str
    splits: dict[Split, NonNegativeInt]
    skipped: NonNegativeInt = 0
    """Bad examples left out of the user's own data (`--on-bad-example skip`)."""
    skipped_because: tuple[str, ...] = ()
    """What was wrong with the first of them."""

    @property
    def label(self) -> str:
        """The name, with the dial where there is one: `openmoji`, `names@0.25`."""
        return with_dial(self.name, self.dial)

    def is_of(self, data: DataConfig) -> bool:
        """Whether a configuration means this data; what it leaves to the data set's defaults fits anything."""
        return (
            self.name == data.name
            and data.variant in ("default", self.variant)
            and (data.dial is None or data.dial == self.dial)
            and (data.task is None or data.task == self.task)
            and (data.language is None or data.language == self.language)
        )


class TaskRecord(Record):
    """A task as declared before the run."""

    name: str
    version: str
    primary_metric: str
    margin: float
    """The smallest difference of the primary metric worth paying for."""
    own_margin: float | None = None
    """The task's own margin, where `--margin` declared another one."""


class Look(Record):
    """A planned look at the verdict of a run that adds seeds until it is settled."""

    seeds: PositiveInt
    """How many trainings of each contestant it is taken after."""
    alpha95: Fraction
    """Two-sided level of this look, so that all looks together err in at most 5 % (see `statistics.sequential`)."""
    alpha90: Fraction
    """The same with 10 %, for equivalence (two one-sided tests at 5 %)."""


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
    """As planned; with looks, also those that were added."""
    looks: tuple[Look, ...] = ()
    """Planned before anything ran (`--until-settled`); empty for a run whose seeds are fixed."""
    environment: dict[str, Any]
    """code (version, git revision, dirty, fingerprint), packages, python, machine."""
