"""Sentences of words and BIO tags, one word a line and a blank line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bimodal.errors import DataError
from bimodal.types import Reject
from bimodal_tasks.own.reading import counted, numbered_lines, place, problem

_TAG = re.compile(r"O|[BI]-\S+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """The columns of a sentence's lines, and any header lines that stood above them."""

    rows: tuple[tuple[str, ...], ...]
    places: tuple[str, ...]
    """File and line of each row, for messages."""
    header: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The first column."""
        return tuple(row[0] for row in self.rows)

    @property
    def tags(self) -> tuple[str, ...]:
        """The last column."""
        return tuple(row[-1] for row in self.rows)


def sentences(
    path: Path, reject: Reject, *, separator: str, num_columns: int, names: str, header: str | None = None
) -> Iterator[Sentence]:
    """The sentences of a file. One with a bad line is rejected as a whole: its words would not be a sentence any more.

    Args:
        path: the file.
        reject: is told about bad sentences.
        separator: between the columns; a space stands for any spaces.
        num_columns: how many there are.
        names: what they are, for messages.
        header: lines that begin so belong to the sentence below, and hold no word.
    """
    rows: list[tuple[str, ...]] = []
    places: list[str] = []
    heads: list[str] = []
    bad: DataError | None = None
    for number, line in numbered_lines(path, reject):
        if line.startswith("-DOCSTART-"):
            continue
        if header is not None and line.startswith(header):
            heads.append(line)
            continue
        if line.strip():
            found = re.split(" +", line.strip(" ")) if separator == " " else line.split(separator)
            if len(found) != num_columns or not all(found):
                between = "spaces" if separator == " " else "tabs"
                what = f"{counted(len(found), 'column')} instead of {num_columns} ({names}, with {between} between)."
                bad = bad or problem(place(path, number), what, "Put the separators in, or remove the sentence.")
            else:
                rows.append(tuple(found))
                places.append(place(path, number))
            continue
        if bad is not None:
            reject(bad)
        elif rows:
            yield Sentence(tuple(rows), tuple(places), tuple(heads))
        if rows or bad is not None:
            rows, places, heads, bad = [], [], [], None
    if bad is not None:
        reject(bad)
    elif rows:
        yield Sentence(tuple(rows), tuple(places), tuple(heads))


def check_tags(tags: Sequence[str], places: Sequence[str]) -> None:
    """Raise DataError unless tags are `O`, `B-TYPE` or `I-TYPE`, and every `I-TYPE` goes on with an entity."""
    before = "O"
    for tag, where in zip(tags, places, strict=True):
        if not _TAG.fullmatch(tag):
            raise problem(where, f"{tag!r} is no BIO tag.", "Allowed are O, B-TYPE and I-TYPE (for example B-PER).")
        if tag.startswith("I-") and before[2:] != tag[2:]:
            what = f"{tag} goes on with nothing: the tag before it is {before}."
            raise problem(where, what, f"An entity begins with B-{tag[2:]}.")
        before = tag


def is_iob1(sequences: Sequence[Sequence[str]]) -> bool:
    """Whether tags are in the older scheme, in which `B-` only parts neighbours of one type.

    CoNLL-2003 was published so. It is recognised by entities that begin with `I-`, and no `B-` without need.
    """
    begins_inside = False
    for tags in sequences:
        before = "O"
        for tag in tags:
            if tag.startswith("B-") and before[2:] != tag[2:]:
                return False
            begins_inside |= tag.startswith("I-") and before[2:] != tag[2:]
            before = tag
    return begins_inside


def from_iob1(tags: Sequence[str]) -> tuple[str, ...]:
    """The same entities with every first word tagged `B-`."""
    found, before = [], "O"
    for tag in tags:
        found.append(f"B-{tag[2:]}" if tag.startswith("I-") and before[2:] != tag[2:] else tag)
        before = tag
    return tuple(found)
