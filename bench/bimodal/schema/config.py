"""Everything that decides what a cell computes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from bimodal.schema.base import SCHEMA_VERSION, Fraction, PositiveFloat, Record


def with_dial(name: str, dial: float | None) -> str:
    """A data set's name, with its dial where it has one: `openmoji`, `names@0.25`."""
    return name if dial is None else f"{name}@{dial:g}"


class SpeechConfig(Record):
    """Sound for a data set without: one of its texts, spoken by a machine."""

    engine: Literal["none", "espeak"] = "none"
    field: str = "text"
    """What is spoken: `text`, `target` (then the task becomes speech recognition), or an entry of `Example.meta`."""
    voice: str = "en"
    """A voice of espeak-ng, named by its language: en, en-us, de, fr, cmn, ..."""

    @property
    def language(self) -> str:
        """Of the voice, ISO 639-1 where espeak-ng's own name is another."""
        language = self.voice.partition("-")[0]
        return {"cmn": "zh", "yue": "zh", "nb": "no"}.get(language, language)


class ColumnsConfig(Record):
    """Which columns of own data are what, where that is not clear; null: found out by name and kind."""

    text: str | None = None
    """What is read; for tagging, the words."""
    target: str | None = None
    image: str | None = None
    audio: str | None = None
    tags: str | None = None
    turns: str | None = None
    """Of a dialogue: a list of texts, or of objects with `role` and `content`."""


class DataConfig(Record):
    """Which examples a cell sees."""

    name: str
    task: str | None = None
    """What the examples are for, where a data set serves several tasks; null is the first of them."""
    language: str | None = None
    """Of the targets, where there is a choice; null is the data set's default for the task."""
    speech: SpeechConfig = SpeechConfig()
    variant: str = "default"
    """Which split of the data set; `default` is the one its card names first."""
    dial: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """How much the extra modality knows: of a data set that has such a dial, or, with synthetic speech, the share of
    the text's characters that are masked while the speech stays whole; null is the data set's default, or no dial."""
    path: str | None = None
    """Folder of the user's own files (`--data`), or `hf:owner/name`; null for a data set that a package brings."""
    format: str | None = None
    """How they are written (`bench list formats`); null: found out, where it is clear."""
    subset: str | None = None
    """Which part of a Hugging Face data set, where it has several."""
    columns: ColumnsConfig = ColumnsConfig()
    """Of a Hugging Face data set."""
    on_bad_example: Literal["fail", "skip"] = "fail"
    """What to do with own examples that cannot be used: stop and say why, or leave them out and count them."""
    inputs: Literal["true", "blank"] = "true"
    """What a contestant perceives, in training and in testing; `blank`: one constant picture, or silence."""
    train_limit: PositiveInt | None = None
    """Use at most so many training examples (a fixed, seeded sample); null is all."""
    validation_limit: PositiveInt | None = None
    test_limit: PositiveInt | None = None

    @property
    def label(self) -> str:
        """The name, with the dial where there is one: `openmoji`, `names@0.25`."""
        return with_dial(self.name, self.dial)

    @property
    def whole(self) -> DataConfig:
        """The data itself, as it is loaded: in full, whatever a contestant then gets to see of it."""
        limits = {"train_limit": None, "validation_limit": None, "test_limit": None}
        return self.model_copy(update={**limits, "inputs": "true"})


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
    positions: Literal["learned", "rotary"] = "learned"
    """How the decoder knows where a token stands: `learned`, a vector for each position (GPT-2), or `rotary`, queries
    and keys turned by angles that grow with it, so that distances count (Su et al. 2021, RoFormer)."""
    dropout: Fraction = 0.1
    layer_norm_eps: PositiveFloat = 1e-5
    init: str | None = None
    """Hugging Face hub id or local folder of a GPT-2; its architecture then replaces the numbers above."""
    word_features: bool = False
    """For tagging: read, beside the decoder's states, which words stand around, how they are written, and affixes, all
    known from training (`bimodal.word_features`); for taggers that start from nothing."""
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
    prompt_loss: bool = False
    """Learn to write the prompt as well as the target, for more text where targets are few; scores are of the target
    alone. Source: Shi et al. 2024, Instruction Tuning With Loss Over Instructions."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 autocast on a CUDA device that has it, else fp32."""
    evaluations: PositiveInt = 10
    """How often the validation loss is measured (and a restart point written) over the whole training."""
    patience: PositiveInt | None = None
    """Stop early after so many evaluations without a better validation loss; null is never."""
    augment: AugmentConfig = AugmentConfig()
    modality_dropout: Fraction = 0.0
    """How often a training example loses its picture, and how often its sound, so that a model learns to do without."""
    name_noise: Fraction = 0.0
    """For tagging: how often a name in training gets other letters, so that a model learns to find names it never saw
    (`bimodal.name_noise`)."""


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
    """Timed single requests of each contestant (batch size 1), over all its processes; p99 is given from 100 on."""
    warmup: NonNegativeInt = 3
    """Requests that each process answers before, and that are not counted."""
    processes: PositiveInt | None = None
    """Of each contestant; null is as many as tell noise from difference: three of each, two of each from four on."""
    throughput_batch_size: PositiveInt = 32
    throughput_rounds: PositiveInt = 3
    """Passes over the test split in batches, of each contestant over all its processes."""


class Match(Record):
    """A control is made equal to another contestant in one quantity before it is trained; see `bimodal.matching`."""

    quantity: Literal["parameters", "train_flops"]
    reference: str = "multimodal"
    """The model whose quantity is met, built from the same settings."""
    target: PositiveFloat | None = None
    """The reference's quantity, as planned; null until it was counted."""
    reached: PositiveFloat | None = None
    """This contestant's own, as planned."""


class Variant(Record):
    """The contestant is another one after its training, changed; nothing is trained for it. See `bimodal.variants`."""

    name: Literal["int8"]
    """`int8`: the decoder's weights are rounded to 8 bits."""
    of: str
    """The contestant whose weights it takes, from the same run."""


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
    contestant: str = Field(default_factory=lambda data: data["model"].name, pattern=r"^\w[\w-]*$")
    """What the contestant is called in reports and folders; several can be made of one model."""
    match: Match | None = None
    variant: Variant | None = None
    train: TrainConfig = TrainConfig()
    decode: DecodeConfig = DecodeConfig()
    measure: MeasureConfig = MeasureConfig()

    @property
    def cell(self) -> str:
        """Folder name of the cell: `<task>.<dataset>.<contestant>.s<seed>`; a dial is part of the data set's name."""
        return self._cell_of(self.contestant)

    @property
    def trained_cell(self) -> str:
        """The cell whose training this one has: its own, or, of a variant, that of the contestant it is made of."""
        return self.cell if self.variant is None else self._cell_of(self.variant.of)

    def _cell_of(self, contestant: str) -> str:
        return f"{self.task}.{self.data.label}.{contestant}.s{self.seed}"
