"""Into which slices test examples fall: by length, by rare words, and by what their data set declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from bimodal.types import Dataset, Example

_RARE_BELOW = 5
"""A word is rare if fewer training examples have it."""


def slices_of(dataset: Dataset, keys: Sequence[str]) -> dict[str, dict[str, str]]:
    """The slices of every test example, by its id: value by key.

    Every data set has `length` (short, long: words of what is read and written, up to the median or above it) and
    `rare words` (yes, no: one that fewer than 5 training examples have). The others are keys of `Example.meta`.

    Args:
        dataset: all of it, because what is rare depends on the training split.
        keys: `DatasetSource.slices`.
    """
    test = dataset.examples("test")
    known = Counter(word for example in dataset.examples("train") for word in set(_words(example)))
    middle = median([len(_words(example)) for example in test]) if test else 0
    return {
        example.id: {
            "length": "long" if len(_words(example)) > middle else "short",
            "rare words": "yes" if any(known[word] < _RARE_BELOW for word in _words(example)) else "no",
            **{key: example.meta[key] for key in keys if key in example.meta},
        }
        for example in test
    }


def _words(example: Example) -> list[str]:
    # A tagging target is its text once more, marked.
    said = example.text if example.tags is not None else f"{example.text} {example.target}"
    return said.lower().split()
