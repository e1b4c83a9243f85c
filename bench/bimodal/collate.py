"""Examples to tensors: `Collator` encodes text once, reads pictures and sound, leaves out what one may not perceive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bimodal.alignment import align
from bimodal.errors import DataError
from bimodal.pictures import PictureReader, normalise
from bimodal.schema import Modality, ModelConfig
from bimodal.sound import SoundReader, num_frames
from bimodal.tags import tags_of, words_of
from bimodal.tokenizer import Tokenizer
from bimodal.types import Batch, Example
from bimodal.word_features import FeatureTensors, Lexicon, WordFeatures

NO_LOSS = -100
"""Target of a position without a loss (torch's default ignore_index)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as token ids: `begin, prompt..., target..., end`, or, for tagging, `begin, words...`."""

    example: Example
    tokens: tuple[int, ...]
    prompt_length: int
    """Tokens before the target, the beginning-of-text token included."""

    word_starts: tuple[int, ...] = ()
    """For tagging: position of each word's first token, where its tag is read."""
    tags: tuple[int, ...] = ()
    """For tagging: index of each word's tag."""
    features: tuple[WordFeatures, ...] = ()
    """For tagging with a lexicon: what is told of each word beside its tokens."""

    @property
    def target_length(self) -> int:
        """Positions with a loss: the target and the end-of-text token, or the words."""
        return len(self.tags) or len(self.tokens) - self.prompt_length

    @property
    def whole_length(self) -> int:
        """Positions with a loss if the prompt has one, too; words are only read."""
        return len(self.tags) or len(self.tokens) - 1


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes the batches of one contestant."""

    tokenizer: Tokenizer
    prompt: Callable[[Example], str]
    max_positions: int
    pictures: PictureReader | None
    """None for a contestant that sees no pictures."""
    sounds: SoundReader | None = None
    """None for a contestant that hears nothing."""
    tag_names: tuple[str, ...] = ()
    """For tagging: the tags there are; none where text is generated."""
    lexicon: Lexicon | None = None
    """For tagging: where words are told of beside their tokens."""

    @staticmethod
    def create(
        tokenizer: Tokenizer,
        prompt: Callable[[Example], str],
        config: ModelConfig,
        modalities: Sequence[Modality],
        tag_names: tuple[str, ...] = (),
        lexicon: Lexicon | None = None,
    ) -> Collator:
        """A collator that gives a contestant the text and the given modalities, and nothing else."""
        pictures = PictureReader(config.image.image_size) if "image" in modalities else None
        sounds = SoundReader(config.audio) if "audio" in modalities else None
        return Collator(tokenizer, prompt, config.max_positions, pictures, sounds, tag_names, lexicon)

    def encode(self, example: Example) -> Encoded:
        """Token ids of an example.

        Raises:
            DataError: the text is longer than the model's positions (nothing is cut silently), or cannot be tagged.
        """
        if self.tag_names:
            return self._encode_words(example)
        prompt = (self.tokenizer.begin, *self.tokenizer.encode(self.prompt(example)))
        tokens = (*prompt, *self.tokenizer.encode(example.target), self.tokenizer.end)
        self._check_length(example, len(tokens) - 1)  # the last token is predicted, not read
        return Encoded(example, tokens, len(prompt))

    def _encode_words(self, example: Example) -> Encoded:
        words = words_of(self.prompt(example))
        names = tags_of(example)
        if len(words) != len(names) or not words:
            raise DataError(
                f"Example {example.id!r} has {len(names)} tags for {len(words)} words that are read: there must be at "
                "least one word, and a tag for each."
            )
        index_of = {name: index for index, name in enumerate(self.tag_names)}
        ids, starts = align(self.tokenizer, words)
        tokens = (self.tokenizer.begin, *ids)
        self._check_length(example, len(tokens))
        return Encoded(
            example,
            tokens,
            len(tokens),
            word_starts=tuple(start + 1 for start in starts),
            tags=tuple(index_of[name] for name in names),
            features=() if self.lexicon is None else self.lexicon.features(words),
        )

    def _check_length(self, example: Example, needed: int) -> None:
        if needed > self.max_positions:
            raise DataError(
                f"Example {example.id!r} needs {needed} positions; the model has {self.max_positions}. "
                f"Shorten the text, or pass --set model.max_positions={needed}."
            )

    def effort(self, rows: Sequence[Encoded]) -> list[int]:
        """Length of each example as batches are sorted by: its tokens, and two frames of sound for one more.

        Sound counts for contestants that do not hear it, too: all of them get their examples in the same order.
        """
        return [len(row.tokens) + _sound_tokens(row.example) for row in rows]

    def training_batch(self, rows: Sequence[Encoded], *, prompt_loss: bool = False) -> Batch:
        """Prompt and target as input, the target and the end of text as what is to be predicted; or words and tags.

        With `prompt_loss` the prompt is to be predicted, too.
        """
        if self.tag_names:
            return self._tagging_batch(rows)
        lengths = [len(row.tokens) - 1 for row in rows]
        firsts = [1 if prompt_loss else row.prompt_length for row in rows]
        tokens = _padded([row.tokens[:-1] for row in rows], self.tokenizer.pad)
        predicted = zip(rows, firsts, strict=True)
        targets = _padded([(*(NO_LOSS,) * (first - 1), *row.tokens[first:]) for row, first in predicted], NO_LOSS)
        return self._perceived(rows, Batch(tokens, targets, torch.tensor(lengths)))

    def _tagging_batch(self, rows: Sequence[Encoded]) -> Batch:
        batch = self.prompt_batch(rows)
        for index, row in enumerate(rows):
            batch.targets[index, list(row.word_starts)] = torch.tensor(row.tags)
        return replace(batch, kind="tag")

    def prompt_batch(self, rows: Sequence[Encoded]) -> Batch:
        """The prompts alone, to generate from or to tag."""
        lengths = torch.tensor([row.prompt_length for row in rows])
        tokens = _padded([row.tokens[: row.prompt_length] for row in rows], self.tokenizer.pad)
        batch = Batch(tokens, torch.full_like(tokens, NO_LOSS), lengths, features=self._features(rows, tokens.shape[1]))
        return self._perceived(rows, batch)

    def _features(self, rows: Sequence[Encoded], width: int) -> FeatureTensors | None:
        """What is told of words, at their first tokens."""
        if self.lexicon is None:
            return None
        words = [word for row in rows for word in row.features]
        at_row = torch.tensor([index for index, row in enumerate(rows) for _ in row.features])
        at_position = torch.tensor([start for row in rows for start in row.word_starts])

        def placed(values: Sequence[Sequence[int]]) -> Tensor:
            found = torch.tensor(values)
            return found.new_zeros(len(rows), width, found.shape[1]).index_put((at_row, at_position), found)

        return FeatureTensors(
            placed([word.words for word in words]),
            placed([word.shapes for word in words]),
            placed([word.affixes for word in words]),
        )

    def names_of(self, row: Encoded, indices: Sequence[int]) -> tuple[str, ...]:
        """The words' tags, from the index of a tag at every position of a row."""
        return tuple(self.tag_names[indices[start]] for start in row.word_starts)

    def _perceived(self, rows: Sequence[Encoded], batch: Batch) -> Batch:
        """The batch with the pictures and sounds that the contestant may perceive."""
        image, image_mask = self._images(rows)
        audio, audio_mask = self._audio(rows)
        return replace(batch, image=image, image_mask=image_mask, audio=audio, audio_mask=audio_mask)

    def _images(self, rows: Sequence[Encoded]) -> tuple[Tensor | None, Tensor | None]:
        if self.pictures is None:
            return None, None
        size = self.pictures.size
        absent = torch.zeros(3, size, size, dtype=torch.uint8)
        paths = [row.example.image for row in rows]
        image = torch.stack([absent if path is None else self.pictures(path) for path in paths])
        mask = torch.tensor([path is not None for path in paths])
        return normalise(image), None if mask.all() else mask

    def _audio(self, rows: Sequence[Encoded]) -> tuple[Tensor | None, Tensor | None]:
        if self.sounds is None:
            return None, None
        return self.sounds.batch([row.example.audio for row in rows]) or (None, None)


def _padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """[row, position] int64; one tensor made of Python's lists takes a tenth of the time of one for each row."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *(fill,) * (width - len(row))] for row in rows])


def _sound_tokens(example: Example) -> int:
    """Tokens that an audio encoder makes of an example's clip; 0 without one."""
    return 0 if example.audio is None else (num_frames(example.audio) + 1) // 2


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch with every tensor on the device (the same object where it is there already)."""
    if batch.tokens.device == device:
        return batch

    def move(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(device, non_blocking=True)

    return replace(
        batch,
        tokens=batch.tokens.to(device),
        targets=batch.targets.to(device),
        lengths=batch.lengths.to(device),
        image=move(batch.image),
        image_mask=move(batch.image_mask),
        audio=move(batch.audio),
        audio_mask=move(batch.audio_mask),
        features=None if batch.features is None else FeatureTensors(*(t.to(device) for t in batch.features)),
    )
