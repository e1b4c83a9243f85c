"""Sentences: some in which a name could be anything, and some whose words settle what it is.

An ambiguous sentence exists twice, with the same words, once for each type of its name. So whoever only reads gets one
of the two wrong, whatever they do; and the best score without the picture is known exactly (`optimum`).

Splits. A combination of name and template is in one split only; names and templates are shared. A reader can therefore
know from training what a name may be (which is what makes the best score reachable), and has never read the sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bimodal.schema import Split
from bimodal_tasks.names.lexicon import LOC, MISC, ORG, PER, PLAIN, ambiguous_names

SALT = "names/1"
"""Changed when the same lexicon and templates shall give other sentences."""
NEUTRAL = (
    "We have talked about * all evening .",
    "Nobody had heard of * before last year .",
    "I never forgot * .",
    "My sister wrote a song about * .",
    "Do you remember * ?",
    "There is a film about * tonight .",
    "* was in the news again .",
    "Everybody loves * .",
    "This photograph shows * .",
    "He drew * from memory .",
    "They named the boat after * .",
    "What do you think of * ?",
    "I read a long article about * .",
    "* has changed a lot since then .",
    "She cannot stop thinking about * .",
    "The book begins with * .",
    "We will always be grateful to * .",
    "* looks different in winter .",
    "Without * it would not be the same .",
    "The poem is dedicated to * .",
    "Have you ever seen a picture of * ?",
    "The exhibition is about * and nothing else .",
    "* made me smile .",
    "Is that really * ?",
    "The first thing I noticed was * .",
    "{PER} asked about * yesterday .",
    "{PER} has a soft spot for * .",
    "In {LOC} nobody knows * .",
    "A reporter from {LOC} wrote about * .",
    "{ORG} made an advertisement with * .",
)
"""What could be said of a person, a place, a firm and an animal; `*` is the ambiguous name."""
SETTLED = {
    PER: (
        "Dr. * will see you now .",
        "My uncle * plays the violin .",
        "* , who is forty years old , has two children .",
        "The teacher praised * for his essay .",
        "Mrs. * moved here from {LOC} .",
        "The author * was born in {LOC} .",
    ),
    LOC: (
        "The city of * lies on a river .",
        "The train to * leaves at noon .",
        "We spent our holidays in * .",
        "The mayor of * opened the new bridge .",
        "{PER} was born in * .",
        "It rained in * all week .",
    ),
    ORG: (
        "Shares of * fell by two percent .",
        "* hired two hundred engineers .",
        "She works as an accountant at * .",
        "The board of * met on Monday .",
        "The firm * has an office in {LOC} .",
        "* sold its factory to {ORG} .",
    ),
    MISC: (
        "Our dog * barks at the postman .",
        "The cat * sleeps on the sofa .",
        "* wagged her tail .",
        "The vet gave * a biscuit .",
        "The mare * won by a length .",
        "{PER} feeds * twice a day .",
    ),
}
"""What can only be said of one type."""
PAIRS: dict[Split, int] = {"train": 1200, "validation": 100, "test": 250}
SINGLES: dict[Split, int] = {"train": 900, "validation": 80, "test": 200}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words and tags, and the name it is about."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    name: str
    type: str
    ambiguous: bool


def shuffled(items: Iterable[_T], salt: str) -> list[_T]:
    """Items in an order that depends on nothing but what they are."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{SALT}/{salt}/{item}".encode()).digest())


def ambiguous_pairs() -> dict[Split, list[tuple[Sentence, Sentence]]]:
    """The ambiguous sentences of each split, each with its twin of the other type."""
    combinations = shuffled(((name, template) for name in ambiguous_names() for template in NEUTRAL), "pairs")
    types = ambiguous_names()
    return {
        split: [
            (_sentence(template, name, types[name][0], True), _sentence(template, name, types[name][1], True))
            for name, template in chosen
        ]
        for split, chosen in _cut(combinations, PAIRS).items()
    }


def settled_sentences() -> dict[Split, list[Sentence]]:
    """The sentences of each split whose words settle the type; half of their names would be ambiguous elsewhere."""
    combinations = shuffled(
        (
            (name, template, kind)
            for kind, templates in SETTLED.items()
            for template in templates
            for name in (*PLAIN[kind], *(name for name, types in ambiguous_names().items() if kind in types))
        ),
        "settled",
    )
    return {
        split: [_sentence(template, name, kind, False) for name, template, kind in chosen]
        for split, chosen in _cut(combinations, SINGLES).items()
    }


def _cut(items: Sequence[_T], sizes: dict[Split, int]) -> dict[Split, Sequence[_T]]:
    splits, start = {}, 0
    for split, size in sizes.items():
        splits[split] = items[start : start + size]
        start += size
    return splits


def _sentence(template: str, name: str, kind: str, ambiguous: bool) -> Sentence:
    """Fill a template; a second name in it is drawn by a hash of the template and the first."""
    words: list[str] = []
    tags: list[str] = []
    for piece in template.split(" "):
        if piece == "*":
            _append(words, tags, name, kind)
        elif piece.startswith("{"):
            other = piece.strip("{}")
            _append(words, tags, shuffled(PLAIN[other], f"second/{template}/{name}")[0], other)
        else:
            words.append(piece)
            tags.append("O")
    return Sentence(tuple(words), tuple(tags), name, kind, ambiguous)


def _append(words: list[str], tags: list[str], name: str, kind: str) -> None:
    parts = name.split(" ")
    words += parts
    tags += [f"B-{kind}", *[f"I-{kind}"] * (len(parts) - 1)]
