"""How well the tags that the table of names gives agree with a reader: 200 turns were read one by one (`readings.tsv`).

Columns: the example's id, the first 16 digits of the sha256 of its text, and its names as `start-end:TYPE` in words,
`end` not included. 100 turns were drawn from the test split, 50 each from validation and training. The reader is who
typed the table, so this measures what projecting it gets wrong, not what two people would dispute.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources

from bimodal.errors import DataError
from bimodal.metrics.entities import ENTITY_F1
from bimodal.schema import Metric
from bimodal.tags import BEGIN, INSIDE, OUTSIDE, entities, tags_of
from bimodal.types import Example, Prediction

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found in one turn."""

    id: str
    digest: str
    """First digits of the sha256 of the text that was read."""
    names: tuple[tuple[int, int, str], ...]
    """First word, word after the last, type."""

    def tags(self, num_words: int) -> tuple[str, ...]:
        """As BIO tags."""
        tags = [OUTSIDE] * num_words
        for start, end, kind in self.names:
            tags[start:end] = [BEGIN + kind, *[INSIDE + kind] * (end - start - 1)]
        return tuple(tags)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Between the table and the reader."""

    turns: int
    names: int
    """That the reader found."""
    entity_f1: Metric
    """Of the table, held against the reader: boundaries and type alike."""
    kappa: float
    """Cohen's, over the tags of all words."""

    def __str__(self) -> str:
        return (
            f"Held against {self.turns} turns read one by one ({self.names} names), the tags have entity F1 "
            f"{self.entity_f1.value:.3f} and kappa {self.kappa:.3f}."
        )


def read_readings() -> tuple[Reading, ...]:
    """The readings of this package."""
    source = resources.files("bimodal_tasks.wesnoth") / "readings.tsv"
    rows = csv.DictReader(source.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(
        Reading(row["id"], row["sha256"], tuple(_name(part) for part in row["entities"].split())) for row in rows
    )


def agreement(examples: Iterable[Example], readings: Sequence[Reading]) -> Agreement:
    """Compare tagged examples with what a reader found in the same texts.

    Raises:
        DataError: a turn that was read is not there, or its text is another.
    """
    from sklearn.metrics import cohen_kappa_score

    by_id: Mapping[str, Example] = {example.id: example for example in examples}
    projected = [_same_turn(by_id.get(reading.id), reading) for reading in readings]
    read = [
        replace(row, tags=reading.tags(len(tags_of(row)))) for row, reading in zip(projected, readings, strict=True)
    ]
    flat = ([tag for row in rows for tag in tags_of(row)] for rows in (projected, read))
    return Agreement(
        turns=len(read),
        names=sum(len(entities(tags_of(row))) for row in read),
        entity_f1=ENTITY_F1.score([Prediction(row.id, "", tags=row.tags) for row in projected], read),
        kappa=float(cohen_kappa_score(*flat)),
    )


def digest_of(text: str) -> str:
    """By which a text is known again."""
    return sha256(text.encode()).hexdigest()[:_DIGITS]


def _same_turn(example: Example | None, reading: Reading) -> Example:
    if example is None or digest_of(example.text) != reading.digest:
        raise DataError(
            f"wesnoth: the turn {reading.id} is not as it was when it was read for agreement. "
            "Fetch the data again: bench data get wesnoth --force"
        )
    return example


def _name(written: str) -> tuple[int, int, str]:
    span, _, kind = written.partition(":")
    start, _, end = span.partition("-")
    return int(start), int(end), kind
