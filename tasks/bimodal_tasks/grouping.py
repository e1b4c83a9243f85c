"""Examples that must stay in one split because they share something, and what of their content identifies them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from bimodal.schema import Split
from bimodal.types import Example


def components(rows: Sequence[Iterable[Hashable]]) -> list[int]:
    """Group rows that share a key, directly or through others: the number of the first row of each one's group."""
    leader = list(range(len(rows)))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    owner: dict[Hashable, int] = {}
    for row, keys in enumerate(rows):
        for key in keys:
            first, second = sorted((find(owner.setdefault(key, row)), find(row)))
            leader[second] = first
    return [find(row) for row in range(len(rows))]


def normalised(text: str) -> str:
    """A text by which repetitions are found: case, spaces and punctuation make no difference."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def without_repeats(parts: Mapping[Split, Sequence[Example]]) -> dict[Split, tuple[Example, ...]]:
    """Dialogues and texts without held-out examples whose text, last turn or target is in training (or in test)."""
    known = _said(parts["train"])
    test = tuple(row for row in parts["test"] if not _said([row]) & known)
    known |= _said(test)
    validation = tuple(row for row in parts["validation"] if not _said([row]) & known)
    return {"train": tuple(parts["train"]), "validation": validation, "test": test}


def _said(rows: Sequence[Example]) -> set[str]:
    texts = (text for row in rows for text in (row.text, row.target, row.meta.get("last_turn", "")))
    return {normalised(text) for text in texts if text}


def fingerprint(splits: Mapping[Split, Sequence[Example]], identity: Callable[[Example], Iterable[str]]) -> str:
    """sha256 over split and identity of every example, in order."""
    digest = hashlib.sha256()
    for split, rows in splits.items():
        for row in rows:
            digest.update("\t".join((split, *identity(row))).encode() + b"\n")
    return digest.hexdigest()


@lru_cache(maxsize=1 << 14)
def sha256(path: Path) -> str:
    """Of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
