"""In-memory types that cross a package border. What is written to disk is in `schema`.

Shape legend: batch, position (token), channel, height, width, mel, frame, layer, head, key, head_dim.
Torch appears in annotations only, so that the command line can import this module cheaply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from bimodal.errors import UsageError, unknown_name
from bimodal.schema import DataConfig, DatasetRecord, Metric, Modality, ModelConfig, Split, TaskRecord

if TYPE_CHECKING:
    from torch import Tensor, nn

    from bimodal.word_features import FeatureTensors


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn from or be tested on."""

    id: str
    text: str
    """What every contestant may read (may be empty, as in captioning)."""
    target: str
    """What is to be produced; for tagging, `text` with its entities marked, to be read."""
    image: Path | None = None
    audio: Path | None = None
    language: str = "en"
    tags: tuple[str, ...] | None = None
    """BIO tags of the words of `text`, which single spaces separate (tagging tasks only; see `bimodal.tags`)."""
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples with fixed splits and the record of where they come from."""

    record: DatasetRecord
    splits: Mapping[Split, tuple[Example, ...]]

    def examples(self, split: Split) -> tuple[Example, ...]:
        """The examples of a split, in a fixed order."""
        return self.splits[split]


@dataclass(frozen=True, slots=True)
class Row:
    """An example of the user's own data, as a format's reader finds it."""

    example: Example
    where: str
    """File and line (or entry), for messages."""
    split: Split | None
    """Of the file it stands in; None where the format does not say."""
    group: str
    """Rows of one group stay together where splits have to be drawn: captions of one picture, turns of one dialogue."""
    embedded: Mapping[Modality, bytes] = field(default_factory=dict)
    """A picture or sound that is in the data itself: it is kept as a file in the cache, which the example then has."""


Reject = Callable[[Exception], None]
"""Is told what is wrong with a row (a DataError): raises it, or counts it so that the reader goes on with the next."""


@dataclass(frozen=True, slots=True)
class Format:
    """How data lies in a folder. A module `bimodal_tasks.formats.<name>` exposes one as `FORMAT`."""

    name: str
    summary: str
    tasks: tuple[str, ...]
    """The first is the default."""
    detects: Callable[[Path], bool]
    """Whether a folder is clearly in this format, by names of files and their first lines."""
    read: Callable[[Path, DataConfig, Reject], Iterator[Row]]
    """`read(folder, data, reject)`: the rows of all splits."""


Progress = Callable[[str, int, int], None]
"""`progress(what, done, total)`, called now and then by long work."""


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """Where a data set comes from. A module `bimodal_tasks.datasets.<name>` exposes one as `SOURCE`."""

    name: str
    summary: str
    tasks: tuple[str, ...]
    variants: tuple[str, ...]
    """Split variants; the first is the default."""
    load: Callable[[DataConfig, Path, Progress], Dataset]
    """`load(data, cache_dir, progress)`: build (or read from the cache) and verify; raises DataError.

    `data` is as `resolved` returns it. Its limits are not for here: they are applied to what is returned.
    """
    fetch: Callable[[Path, Progress], None] | None = None
    """`fetch(cache_dir, progress)`: bring over the network what `load` needs (`bench data get`); None: nothing.

    Raises UsageError without the tools it needs, DataError for what cannot be fetched.
    """
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings that the data needs other than a preset or task has them, by section; `--set` goes before them."""
    languages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Languages of the targets to choose from, by task; the first is the default. A task not in it has no choice."""
    slices: tuple[str, ...] = ()
    """Keys of `Example.meta` by which examples are divided, to see where an extra modality pays."""
    dial: float | None = None
    """Default of `DataConfig.dial`, for a data set that can set how much its extra modality knows; None: it cannot."""

    reads_folder: bool = False
    """Whether it reads a folder of the user's (`DataConfig.path`)."""

    def resolved(self, data: DataConfig) -> DataConfig:
        """The configuration with this data set's defaults for what it leaves open.

        Raises:
            UsageError: an unknown variant or language, a dial or language where there is no choice, or a folder where
                none is read (or none where one is).
        """
        if self.reads_folder != (data.path is not None):
            need = "needs a folder: pass --data DIR" if self.reads_folder else "reads no folder: leave --data out"
            raise UsageError(f"Data set {self.name!r} {need}.")
        # A task of somebody else's gets what the data set's first task gets.
        task = data.task if data.task in self.tasks or self.reads_folder else self.tasks[0]
        variant = self.variants[0] if data.variant == "default" else data.variant
        if variant not in self.variants:
            raise unknown_name(f"variant of {self.name}", variant, self.variants)
        if data.dial is not None and self.dial is None and data.speech.engine == "none":
            raise UsageError(
                f"Data set {self.name!r} has no dial, got data.dial={data.dial:g}. Leave it out, or speak its text."
            )
        dial = self.dial if data.dial is None else data.dial
        known = {"task": task, "variant": variant, "language": self._language(task, data.language), "dial": dial}
        return data.model_copy(update=known)

    def _language(self, task: str | None, wanted: str | None) -> str | None:
        if self.reads_folder:
            return wanted  # its files say which there are
        languages = self.languages.get(task or self.tasks[0], ())
        if wanted is None:
            return languages[0] if languages else None
        if not languages:
            raise UsageError(
                f"Data set {self.name!r} has one language for {task}, got data.language={wanted}. Leave it out."
            )
        if wanted not in languages:
            raise unknown_name(f"language of {self.name} for {task}", wanted, languages)
        return wanted


@dataclass(frozen=True, slots=True)
class Prediction:
    """A contestant's answer to one example."""

    id: str
    text: str
    target_bits: float | None = None
    """Negative log2-likelihood of the target (under teacher forcing), or of the tags."""
    tags: tuple[str, ...] | None = None
    """One BIO tag per word (tagging tasks only); `text` is then the sentence with its entities marked."""


Kind = Literal["generate", "tag"]
"""What a task wants: a text, or a tag for every word of the prompt."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done and how it is judged. A module `bimodal_tasks.<name>` exposes one as `TASK`."""

    name: str
    version: str
    summary: str
    kind: Kind
    default_dataset: str
    primary_metric: str
    margin: float
    """Smallest difference of the primary metric worth paying for, declared before anything runs."""
    prompt: Callable[[Example], str]
    """Text that every contestant reads before it writes (may be empty), or whose words it tags."""
    score: Callable[[Sequence[Prediction], Sequence[Example]], dict[str, Metric]]
    """Metrics by name; predictions and examples are in the same order."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings that the task needs other than a preset has them, by section; `--set` goes before them."""
    ngram_order: int | None = None
    """Order of a Kneser-Ney model whose bits per byte stand beside the contestants' as a reference; None: none."""
    unheard: frozenset[Literal["target", "target language"]] = frozenset({"target"})
    """What synthetic speech may not say: it would give the answer away."""

    @property
    def record(self) -> TaskRecord:
        """The part of the task that is declared in the manifest."""
        return TaskRecord(name=self.name, version=self.version, primary_metric=self.primary_metric, margin=self.margin)


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples as tensors. What a contestant may not see is None."""

    tokens: Tensor
    """[batch, position] int64, right-padded: beginning-of-text, prompt, target (for tagging: no target)."""
    targets: Tensor
    """[batch, position] int64: the token that follows each position, or -100 where there is no loss.

    For tagging: the tag's index at the first token of each word, else -100.
    """
    lengths: Tensor
    """[batch] int64: tokens per row without padding."""
    image: Tensor | None = None
    """[batch, channel, height, width] float32 in [-1, 1]."""
    image_mask: Tensor | None = None
    """[batch] bool: the row has a picture; None: all have. A row without one contributes no image tokens."""
    audio: Tensor | None = None
    """[batch, mel, frame] float32 log-mel."""
    audio_mask: Tensor | None = None
    """[batch, frame] bool: the frame is sound, not padding."""
    kind: Kind = "generate"
    """What `targets` are: tokens, or tags."""
    features: FeatureTensors | None = None
    """For tagging with `model.word_features`: what is told of words beside their tokens."""


@runtime_checkable
class Cache(Protocol):
    """Keys and values of the tokens read so far; passed in and out explicitly."""

    def select(self, rows: Tensor) -> Cache:
        """The cache of the given rows [batch'] int64, in that order (beam search, finished rows)."""
        ...


@runtime_checkable
class Context(Protocol):
    """What the encoders saw, as cross-attention keys and values, computed once per example."""

    def select(self, rows: Tensor) -> Context:
        """The context of the given rows [batch'] int64, in that order."""
        ...


class Contestant(Protocol):
    """What the harness needs of a model; an `nn.Module` that `ModelSpec.build` returns.

    The text-only contestant's `encode` returns None and its `context` arguments must be None.
    """

    config: ModelConfig
    vocab_size: int

    def encode(self, batch: Batch) -> Context | None:
        """Encode image and audio and project them to cross-attention keys and values."""
        ...

    def hidden(self, tokens: Tensor, *, context: Context | None = None) -> Tensor:
        """Causal decoder states [batch, position, embed_dim] of right-padded tokens [batch, position]."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Language-model logits [..., vocab_size] of states [..., embed_dim]."""
        ...

    def tag(
        self,
        tokens: Tensor,
        lengths: Tensor,
        *,
        features: FeatureTensors | None = None,
        context: Context | None = None,
    ) -> Tensor:
        """Tag logits [batch, position, num_tags] of right-padded tokens; every token sees the whole text.

        `features` are for a model built with `features`, and only for such.
        """
        ...

    def prefill(
        self, tokens: Tensor, lengths: Tensor, *, max_length: int, context: Context | None = None
    ) -> tuple[Tensor, Cache]:
        """Read right-padded prompts; logits [batch, vocab_size] after each row's last token, and the cache.

        `max_length` is the number of positions the cache has room for (prompt and continuation).
        """
        ...

    def decode(self, token: Tensor, cache: Cache, *, context: Context | None = None) -> tuple[Tensor, Cache]:
        """Read one more token [batch] per row; logits [batch, vocab_size] and the cache, one longer."""
        ...


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A contestant. A module `bimodal_models.<name>` exposes one as `MODEL`."""

    name: str
    summary: str
    modalities: tuple[Modality, ...]
    """What it can use beyond text."""
    paper: str
    build: Callable[..., nn.Module]
    """`build(config: ModelConfig, *, vocab_size: int, kernel: str, modalities: tuple[Modality, ...], num_tags: int,
    features: FeatureSizes | None)`.

    `modalities` are those the data has; a model builds encoders only for what it can use *and* the data has.
    Weights come from torch's global generator (or from `config.init`); decoder weights are drawn first, so that two
    contestants built after the same `torch.manual_seed` start from the same decoder. With `num_tags` it gets a tagging
    head; with `features` (given where `config.word_features` asks for them) one that reads those, too.
    """
    variants: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)
    """How a trained model becomes a variant of itself (`bench list variants`), in place; by name, for those it has."""
