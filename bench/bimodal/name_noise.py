"""Noise for training taggers: other letters in names.

A tagger that is to find names it never saw must not learn the ones it did see by heart.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from bimodal.collate import Encoded
from bimodal.errors import DataError
from bimodal.tags import entities, marked, tags_of, words_of
from bimodal.types import Example

VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnprstvwz"
_LETTER_RATE = 0.6
"""How many letters of a chosen name are exchanged: enough for another name, few enough to sound like one."""


def with_name_noise(
    rows: Sequence[Encoded], probability: float, seed: int, encode: Callable[[Example], Encoded]
) -> list[Encoded]:
    """The rows of a batch with noise in their names; tags stay, and so do rows that would outgrow the model.

    Source: Dai & Adel 2020, An Analysis of Simple Data Augmentation for Named Entity Recognition, sec. 3 (mention
    replacement; there with names of the training set, here with letters, because the names of the test set are new).
    """
    if probability == 0.0:
        return list(rows)
    rng = random.Random(seed)
    return [_encoded(row, noisy(row.example, probability, rng), encode) for row in rows]


def noisy(example: Example, probability: float, rng: random.Random) -> Example:
    """The example with the letters of every name exchanged, each with that probability."""
    words, tags = words_of(example.text), tags_of(example)
    for entity in entities(tags):
        if rng.random() < probability:
            words[entity.start : entity.end] = [_renamed(word, rng) for word in words[entity.start : entity.end]]
    return replace(example, text=" ".join(words), target=marked(words, tags))


def _renamed(word: str, rng: random.Random) -> str:
    """A word with letters exchanged for others of their kind, in their case; small words (*of*, *the*) stay."""
    return "".join(_exchanged(letter, rng) for letter in word) if word[:1].isupper() else word


def _exchanged(letter: str, rng: random.Random) -> str:
    kind = next((kind for kind in (VOWELS, CONSONANTS) if letter.lower() in kind), None)
    if kind is None or rng.random() >= _LETTER_RATE:
        return letter
    other = rng.choice(kind)
    return other.upper() if letter.isupper() else other


def _encoded(row: Encoded, changed: Example, encode: Callable[[Example], Encoded]) -> Encoded:
    if changed.text == row.example.text:
        return row
    try:
        return encode(changed)
    except DataError:  # rare letters are more tokens: too long for the model's positions
        return row
