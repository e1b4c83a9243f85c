"""Splits by campaign, without what the held-out campaigns share with training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bimodal.schema import Split
from bimodal.types import Example
from bimodal_tasks.grouping import sha256, without_repeats

TEST = frozenset({"Sceptre_of_Fire", "The_Hammer_of_Thursagan"})
VALIDATION = frozenset({"Dead_Water", "Eastern_Invasion", "Two_Brothers"})


def split_of(campaign: str) -> Split:
    """Whole campaigns are held out: their plots, names and most of their faces are new."""
    return "test" if campaign in TEST else "validation" if campaign in VALIDATION else "train"


def split(examples: Iterable[Example]) -> dict[Split, tuple[Example, ...]]:
    """Examples by split; campaigns repeat lines and share faces of the game's core.

    A held-out example goes if its text, its last turn or its target is in training (or, for validation, in test). A
    face that is in a held-out split is not shown in training: the example stays, without its picture.
    """
    parts: dict[Split, list[Example]] = {"train": [], "validation": [], "test": []}
    for example in examples:
        parts[split_of(example.meta["campaign"])].append(example)
    kept = without_repeats(parts)
    validation = _without_faces(kept["validation"], _faces(kept["test"]))
    train = _without_faces(kept["train"], _faces(kept["test"]) | _faces(validation))
    return {"train": tuple(train), "validation": tuple(validation), "test": kept["test"]}


def _faces(rows: Sequence[Example]) -> set[str]:
    return {sha256(row.image) for row in rows if row.image is not None}


def _without_faces(rows: Sequence[Example], faces: set[str]) -> list[Example]:
    return [replace(row, image=None) if row.image is not None and sha256(row.image) in faces else row for row in rows]
