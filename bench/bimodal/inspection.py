"""What is in a data set of the user's: counts, lengths, duplicates, look-alike pictures, and what cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import NonNegativeInt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bimodal.schema import Record, Split
from bimodal.types import Dataset, Example

_ALIKE_BITS = 4
"""Perceptual hashes (64 bits) that differ in so few are of pictures that look alike."""
_SHOWN = 10


class SplitFindings(Record):
    """One split. Lengths are in words."""

    examples: NonNegativeInt
    with_image: NonNegativeInt
    with_audio: NonNegativeInt
    text_words: tuple[int, int]
    """Median and longest."""
    target_words: tuple[int, int]
    repeated: NonNegativeInt
    """Examples whose text, target and files occurred before in this split."""


class Findings(Record):
    """What `bench data check` found."""

    name: str
    format: str
    splits: dict[Split, SplitFindings]
    look_alikes: tuple[tuple[str, str], ...]
    """Files of pictures that look alike and are in different splits."""
    skipped: NonNegativeInt
    problems: tuple[str, ...]
    """What is wrong with the first rows that cannot be used."""
    fingerprint: str


def inspect(dataset: Dataset) -> Findings:
    """Look at a data set that was loaded with `on_bad_example="skip"`."""
    return Findings(
        name=dataset.record.source,
        format=dataset.record.version,
        splits={split: _split(dataset.examples(split)) for split in dataset.record.splits},
        look_alikes=tuple(look_alikes(dataset)),
        skipped=dataset.record.skipped,
        problems=dataset.record.skipped_because,
        fingerprint=dataset.record.fingerprint,
    )


def _split(rows: Sequence[Example]) -> SplitFindings:
    same = Counter((row.text, row.target, row.image, row.audio) for row in rows)
    return SplitFindings(
        examples=len(rows),
        with_image=sum(row.image is not None for row in rows),
        with_audio=sum(row.audio is not None for row in rows),
        text_words=_lengths([row.text for row in rows]),
        target_words=_lengths([row.target for row in rows]),
        repeated=sum(count - 1 for count in same.values()),
    )


def _lengths(texts: Sequence[str]) -> tuple[int, int]:
    counts = [len(text.split()) for text in texts]
    return (int(np.median(counts)), max(counts)) if counts else (0, 0)


def look_alikes(dataset: Dataset) -> list[tuple[str, str]]:
    """Pairs of different picture files that look alike, one held out and one that is not (or is in the other split).

    Source: perceptual hash (discrete cosine transform) of the library ImageHash; at most 4 of 64 bits differ.
    """
    hashes = {
        split: _hashes(sorted({row.image for row in dataset.examples(split) if row.image is not None}))
        for split in dataset.record.splits
    }
    found: list[tuple[str, str]] = []
    order: tuple[tuple[Split, Split], ...] = (("test", "train"), ("test", "validation"), ("validation", "train"))
    for held_out, other in order:
        names, codes = hashes[other]
        for name, code in zip(*hashes[held_out], strict=True):
            near = np.bitwise_count(codes ^ code) <= _ALIKE_BITS
            found += [(str(name), str(names[at])) for at in np.flatnonzero(near)]
    return found


def _hashes(pictures: Sequence[Path]) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    import imagehash
    from PIL import Image

    codes = []
    for path in pictures:
        with Image.open(path) as picture:
            bits = imagehash.phash(picture.convert("RGB")).hash.flatten()
        codes.append(int("".join("1" if bit else "0" for bit in bits), 2))
    return [path.name for path in pictures], np.array(codes, dtype=np.uint64)


def findings(found: Findings) -> RenderableType:
    """Findings for the terminal."""
    table = Table("split", "examples", "pictures", "sounds", "text words", "target words", "repeated", box=None)
    for split, row in found.splits.items():
        lengths = (f"{middle}, at most {longest}" for middle, longest in (row.text_words, row.target_words))
        counts = (f"{number:,}" for number in (row.examples, row.with_image, row.with_audio))
        table.add_row(split, *counts, *lengths, f"{row.repeated:,}")
    lines: list[RenderableType] = [Text(found.name, style="bold"), table, Text()]
    lines.append(Text(f"{len(found.look_alikes):,} pairs of look-alike pictures in different splits"))
    lines += [Text(f"  {first} and {second}") for first, second in found.look_alikes[:_SHOWN]]
    lines.append(Text(f"{found.skipped:,} rows cannot be used"))
    lines += [Text(f"  {problem}") for problem in found.problems]
    lines.append(Text(f"fingerprint {found.fingerprint}", style="dim"))
    return Group(*lines)
