"""Splits by campaign, without what the held-out campaigns share with training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from bimodal.schema import Split
from bimodal.types import Example
from bimodal_tasks.grouping import normalised

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
    known = _said(parts["train"])
    test = [row for row in parts["test"] if not _said([row]) & known]
    known |= _said(test)
    validation = [row for row in parts["validation"] if not _said([row]) & known]
    validation = _without_faces(validation, _faces(test))
    train = _without_faces(parts["train"], _faces(test) | _faces(validation))
    return {"train": tuple(train), "validation": tuple(validation), "test": tuple(test)}


def _said(rows: Sequence[Example]) -> set[str]:
    texts = (text for row in rows for text in (row.text, row.target, row.meta.get("last_turn", "")))
    return {normalised(text) for text in texts if text}


def _faces(rows: Sequence[Example]) -> set[str]:
    return {sha256(row.image) for row in rows if row.image is not None}


def _without_faces(rows: Sequence[Example], faces: set[str]) -> list[Example]:
    return [replace(row, image=None) if row.image is not None and sha256(row.image) in faces else row for row in rows]


@lru_cache(maxsize=4096)
def sha256(path: Path) -> str:
    """Of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
