"""BIO tags: which there are, the entities they spell, and a sentence with its entities marked for reading.

`B-X` begins an entity of type X, `I-X` goes on with it, `O` is outside of all (Ramshaw & Marcus 1995; the IOB2 form of
Tjong Kim Sang & Veenstra 1999). An `I-X` that goes on with nothing begins an entity, as conlleval reads it, so that
every sequence a model may predict means something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bimodal.errors import DataError
from bimodal.types import Example

OUTSIDE = "O"
BEGIN, INSIDE = "B-", "I-"


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """The words from `start` up to, not including, `end`."""

    start: int
    end: int
    type: str


def entities(tags: Sequence[str]) -> tuple[Entity, ...]:
    """The entities a tag sequence spells, from left to right.

    Source: conlleval, Tjong Kim Sang & De Meulder (2003), CoNLL-2003 shared task, sec. 2.3.
    """
    found: list[Entity] = []
    start, current = 0, ""
    for position, tag in enumerate([*tags, OUTSIDE]):
        kind = tag[len(BEGIN) :] if tag != OUTSIDE else ""
        if current and (kind != current or tag.startswith(BEGIN)):
            found.append(Entity(start, position, current))
            current = ""
        if kind and not current:
            start, current = position, kind
    return tuple(found)


def entity_types(sequences: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The types that occur, sorted."""
    return tuple(sorted({tag[len(BEGIN) :] for tags in sequences for tag in tags if tag != OUTSIDE}))


def tag_names(examples: Iterable[Example]) -> tuple[str, ...]:
    """Every tag a model may give: `O`, then `B-` and `I-` of each type that occurs, sorted.

    Raises:
        DataError: an example has no tags.
    """
    types = entity_types(tags_of(example) for example in examples)
    return (OUTSIDE, *(prefix + kind for kind in types for prefix in (BEGIN, INSIDE)))


def tags_of(example: Example) -> tuple[str, ...]:
    """An example's tags.

    Raises:
        DataError: it has none, or not one for each word.
    """
    if example.tags is None:
        raise DataError(f"Example {example.id!r} has no tags: its data set is not for tagging.")
    if len(example.tags) != len(words_of(example.text)):
        raise DataError(
            f"Example {example.id!r} has {len(example.tags)} tags for {len(words_of(example.text))} words: "
            "each word needs one."
        )
    return example.tags


def words_of(text: str) -> list[str]:
    """The words of a text that is to be tagged: what single spaces separate (other white space may be part of one)."""
    return text.split(" ") if text else []


def marked(words: Sequence[str], tags: Sequence[str]) -> str:
    """A sentence with its entities in brackets, to be read: `[PER Jordan] lives in [LOC Paris]`."""
    pieces: list[str] = []
    position = 0
    for entity in entities(tags):
        pieces += words[position : entity.start]
        pieces.append(f"[{entity.type} {' '.join(words[entity.start : entity.end])}]")
        position = entity.end
    return " ".join([*pieces, *words[position:]])


def tagged_example(
    identifier: str,
    words: Sequence[str],
    tags: Sequence[str],
    *,
    image: Path | None = None,
    audio: Path | None = None,
    language: str = "en",
    meta: Mapping[str, str] = MappingProxyType({}),
) -> Example:
    """An example for tagging; its target is the sentence with the entities marked."""
    return Example(
        id=identifier,
        text=" ".join(words),
        target=marked(words, tags),
        image=image,
        audio=audio,
        language=language,
        tags=tuple(tags),
        meta=meta,
    )
