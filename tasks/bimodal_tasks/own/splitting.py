"""Splits for data that comes without all three of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bimodal.errors import DataError
from bimodal.schema import Split
from bimodal.types import Row

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_SHARE = 0.1


def with_splits(rows: Sequence[tuple[Row, str]]) -> list[tuple[Row, str, Split]]:
    """Every row with its split: that of its file, or drawn by group where the data does not say.

    No splits at all: a tenth of the groups for test, a tenth for validation. No test: the validation split is the test,
    and a tenth of the training groups validates. No validation: a tenth of the training groups. The draw is by a hash
    of the group's name, so it is the same everywhere.

    Raises:
        DataError: there are too few groups to draw from, or no training data.
    """
    given = {row.split for row, _ in rows if row.split is not None}
    renamed: dict[Split, Split] = {}
    if "validation" in given and "test" not in given:
        renamed["validation"] = "test"
    split_of = [renamed.get(row.split, row.split) if row.split else "train" for row, _ in rows]
    wanted: list[Split] = [split for split in ("test", "validation") if split not in set(split_of)]
    groups = sorted(
        {row.group for (row, _), split in zip(rows, split_of, strict=True) if split == "train"},
        key=lambda group: hashlib.sha256(f"own/{group}".encode()).digest(),
    )
    if not groups:
        raise DataError(
            f"no training examples: all {len(rows)} are of {' and '.join(sorted(given))}. Training files have 'train' "
            "in their names (docs/data.md)."
        )
    size = max(1, round(_SHARE * len(groups)))
    if wanted and len(groups) <= size * len(wanted):
        raise DataError(
            f"{len(groups)} groups of training examples are too few to draw {' and '.join(wanted)} from. "
            "Add examples, or files for all three splits."
        )
    drawn: dict[str, Split] = {}
    for number, split in enumerate(wanted):
        drawn.update(dict.fromkeys(groups[number * size : (number + 1) * size], split))
    return [
        (row, media, drawn.get(row.group, "train") if split == "train" else split)
        for (row, media), split in zip(rows, split_of, strict=True)
    ]
