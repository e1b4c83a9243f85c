"""Groups of examples that must stay in one split, because they share something."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence


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
