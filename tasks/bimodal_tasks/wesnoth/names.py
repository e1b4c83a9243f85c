"""The names of the game, each typed by hand (`names.tsv`), and sentences tagged by them.

The types: PER, whoever has a name of their own, gods and dragons too; LOC, places and realms; GRP, peoples, clans,
councils and gods as a body, also as adjectives; MISC, things, books, tales and times. Titles before a name are no part
of it (King *Haldric*), what follows it is (*Malin the Damned*). Peoples such as elves are common nouns and no names.

Columns: name; type, `-` for what looks like a name and is none, or could not be decided; rule, which must hold (all
of its parts: `mid` not where a sentence begins, `in:A,B` in these campaigns, `after:a,b` after one of these words);
note. The longest name wins, then the first row whose rule holds.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources

from bimodal.tags import BEGIN, INSIDE, OUTSIDE
from bimodal.word_features import begins_sentence
from bimodal_tasks.wesnoth.words import split_words

TYPES = ("PER", "LOC", "GRP", "MISC")
NO_NAME = "-"


@dataclass(frozen=True, slots=True)
class Name:
    """A row of the table."""

    words: tuple[str, ...]
    type: str
    """One of `TYPES`, or `NO_NAME`."""
    mid: bool = False
    """Only where no sentence begins."""
    campaigns: frozenset[str] = frozenset()
    """Only there; empty: everywhere."""
    after: frozenset[str] = frozenset()
    """Only after one of these words; empty: after any."""

    @staticmethod
    def of(name: str, kind: str, rule: str = "") -> Name:
        """A row as it is written; raises ValueError for a type or rule that does not exist."""
        if kind not in (*TYPES, NO_NAME):
            raise ValueError(f"Name {name!r} has the type {kind!r}; allowed: {', '.join((*TYPES, NO_NAME))}.")
        values: dict[str, frozenset[str]] = {"in": frozenset(), "after": frozenset()}
        parts = rule.split()
        for key, colon, listed in (part.partition(":") for part in parts if part != "mid"):
            if key not in values or not colon:
                raise ValueError(f"Name {name!r} has the rule {rule!r}; its parts are mid, in:A,B and after:a,b.")
            values[key] = frozenset(listed.split(","))
        return Name(split_words(name), kind, "mid" in parts, values["in"], values["after"])

    def fits(self, words: Sequence[str], at: int, campaign: str) -> bool:
        """Whether this name stands there and its rule holds."""
        return (
            tuple(words[at : at + len(self.words)]) == self.words
            and not (self.mid and begins_sentence(words, at))
            and (not self.campaigns or campaign in self.campaigns)
            and (not self.after or (at > 0 and words[at - 1] in self.after))
        )


@dataclass(frozen=True, slots=True)
class Names:
    """The table, in the order in which names are tried."""

    rows: tuple[Name, ...]
    _by_first_word: dict[str, list[Name]] = field(repr=False)

    @staticmethod
    def of(rows: Iterable[Name]) -> Names:
        """A table of these rows: longer names first, else as they stand."""
        ordered = tuple(sorted(rows, key=lambda name: -len(name.words)))
        found: dict[str, list[Name]] = defaultdict(list)
        for name in ordered:
            found[name.words[0]].append(name)
        return Names(ordered, dict(found))

    def tags(self, words: Sequence[str], campaign: str) -> tuple[str, ...]:
        """The BIO tag of every word."""
        tags: list[str] = []
        while len(tags) < len(words):
            at = len(tags)
            name = next((n for n in self._by_first_word.get(words[at], ()) if n.fits(words, at, campaign)), None)
            if name is None:
                tags.append(OUTSIDE)
            elif name.type == NO_NAME:
                tags += [OUTSIDE] * len(name.words)
            else:
                tags += [BEGIN + name.type, *[INSIDE + name.type] * (len(name.words) - 1)]
        return tuple(tags)


def read_names() -> Names:
    """The table of this package."""
    source = resources.files("bimodal_tasks.wesnoth") / "names.tsv"
    lines = source.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return Names.of(Name.of(row["name"], row["type"], row["rule"]) for row in rows)
