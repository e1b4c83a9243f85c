"""Rows of a table as examples: one function per task finds the columns, and gives back the reader of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bimodal.schema import DataConfig
from bimodal.tags import tagged_example
from bimodal.types import Example
from bimodal_tasks.own.bio import check_tags
from bimodal_tasks.own.columns import TAGS, TARGETS, TURNS, WORDS, Table, names_of
from bimodal_tasks.own.pairs import language_pair
from bimodal_tasks.own.reading import counted, member, problem, typed
from bimodal_tasks.own.turns import replies

Values = Mapping[str, Any]
"""What a row has in each column."""
Reader = Callable[[Example, Values, str], Iterator[Example]]
"""`reader(example, values, where)`: the examples of a row; the one given has the id, the picture and the sound."""


def _captions(table: Table, data: DataConfig) -> Reader:
    target = table.need("target", TARGETS, table.texts())
    text = table.find("text", ("text",) if target != "text" else ())

    def read(example: Example, values: Values, where: str) -> Iterator[Example]:
        said = _texts(table, target, values, where)
        for number, caption in enumerate(said):
            identifier = f"{example.id}:{number}" if len(said) > 1 else example.id
            shown = _texts(table, text, values, where)[0] if text else ""
            yield replace(example, id=identifier, text=shown, target=caption, language=data.language or "en")

    return read


def _translations(table: Table, data: DataConfig) -> Reader:
    (column, *_) = [*table.of_kind("Translation"), None]
    languages = sorted(table.features[column].languages if column else table.languages())
    if len(languages) < 2 or (table.told.text and table.told.target):
        text, target = table.need("text", ("text", "source")), table.need("target", ("target",))
        return _pairs(table, text, target, data.language or "en")
    source, wanted = language_pair(languages, data.language, table.where)

    def read(example: Example, values: Values, where: str) -> Iterator[Example]:
        pair = values[column] if column else values
        texts = [member(pair, language, str, where).strip() for language in (source, wanted)]
        yield replace(example, text=texts[0], target=texts[1], language=wanted)

    return read


def _pairs(table: Table, text: str, target: str, language: str) -> Reader:
    def read(example: Example, values: Values, where: str) -> Iterator[Example]:
        texts = [_texts(table, column, values, where)[0] for column in (text, target)]
        yield replace(example, text=texts[0], target=texts[1], language=language)

    return read


def _tagged(table: Table, data: DataConfig) -> Reader:
    words, tags = table.need("text", WORDS), table.need("tags", TAGS)
    names = names_of(table.features[tags])

    def read(example: Example, values: Values, where: str) -> Iterator[Example]:
        found = [typed(word, str, "a word", where) for word in typed(values[words], list, f"{words!r}", where)]
        marks = [_name(tag, names, where) for tag in typed(values[tags], list, f"{tags!r}", where)]
        if wrong := [word for word in found if not word or " " in word]:
            raise problem(where, f"the word {wrong[0]!r} is empty or has a space in it.", "Remove the row.")
        if len(found) != len(marks):
            what = f"{counted(len(marks), 'tag')} for {counted(len(found), 'word')}."
            raise problem(where, what, "Each word needs one.")
        check_tags(marks, [where] * len(marks))
        yield tagged_example(example.id, found, marks, image=example.image, audio=example.audio)

    return read


def _answers(table: Table, data: DataConfig) -> Reader:
    turns = table.find("turns", TURNS)
    if turns is None:
        return _answer(table)

    def read(example: Example, values: Values, where: str) -> Iterator[Example]:
        said = typed(values[turns], list, f"{turns!r}", where)
        texts = [member(turn, "content", str, where) if isinstance(turn, dict) else turn for turn in said]
        texts = [typed(text, str, "a turn", where).strip() for text in texts]
        if len(texts) < 2 or not all(texts):
            raise problem(where, "fewer than two turns, or an empty one.", "Remove the row.")
        yield from replies(example.id, texts)

    return read


def _answer(table: Table) -> Reader:
    text, target = table.need("text", ("text", "context")), table.need("target", ("target",))
    speaker = "speaker" if "speaker" in table.features else None

    def read(example: Example, values: Values, where: str) -> Iterator[Example]:
        texts = [_texts(table, column, values, where)[0] for column in (text, target)]
        name = _texts(table, speaker, values, where)[0] if speaker else "B"
        yield replace(example, text=texts[0], target=texts[1], meta={"speaker": name})

    return read


def _texts(table: Table, column: str, values: Values, where: str) -> list[str]:
    """The texts of a column: one, or those of a list; of a ClassLabel its name."""
    value, names = values[column], names_of(table.features[column])
    several = value if isinstance(value, list) else [value]
    if not several:
        raise problem(where, f"{column!r} is an empty list.", "Remove the row.")
    return [
        " ".join(_name(one, names, where).split()) if names else typed(one, str, repr(column), where).strip()
        for one in several
    ]


def _name(value: Any, names: list[str] | None, where: str) -> str:
    """The name of a class; a text as it is."""
    if names is None or isinstance(value, str):
        return str(typed(value, str, "a tag", where))
    number: int = typed(value, int, "a class", where)
    if not 0 <= number < len(names):
        raise problem(where, f"the class {number} has no name.", f"There are {len(names)}: 0 to {len(names) - 1}.")
    return names[number]


READERS: dict[str, Callable[[Table, DataConfig], Reader]] = {
    "captioning": _captions,
    "translation": _translations,
    "ner": _tagged,
    "dialogue": _answers,
}
