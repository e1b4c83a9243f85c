"""A dial for sound: the text loses a share of its characters, and the speech of it stays whole."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

from bimodal.schema import Split
from bimodal.types import Dataset, Example

MASK = "_"


def with_masked_text(dataset: Dataset, share: float) -> Dataset:
    """The data set with a share of the letters and digits of every text masked, and all else as it was.

    Whoever hears the text knows what whoever reads it has lost: at 0 sound adds nothing, at 1 only sound knows. Which
    characters go depends on the example alone, and what is masked at one share is masked at every larger one.

    Args:
        dataset: one whose texts are spoken.
        share: 0 to 1; becomes the record's dial.
    """
    splits: dict[Split, tuple[Example, ...]] = {
        split: tuple(replace(example, text=masked(example.text, share, example.id)) for example in rows)
        for split, rows in dataset.splits.items()
    }
    record = dataset.record
    changes = {
        "dial": share,
        "description": f"{record.description} {share:.0%} of the characters of every text are masked.",
        "fingerprint": hashlib.sha256(f"{record.fingerprint} masked {share!r}".encode()).hexdigest(),
    }
    return Dataset(record.model_copy(update=changes), splits)


def masked(text: str, share: float, key: str) -> str:
    """The text with that share of its letters and digits replaced by `_`; `key` decides which."""
    places = [index for index, character in enumerate(text) if character.isalnum()]
    random.Random(key).shuffle(places)
    gone = set(places[: round(share * len(places))])
    return "".join(MASK if index in gone else character for index, character in enumerate(text))
