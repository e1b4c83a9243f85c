"""JSONL: one object a line with `text`, `target`, and if you like `image`, `audio`, `id`, `tags`, `speaker`.

    {"text": "A dog runs .", "target": "Ein Hund rennt .", "image": "images/dog.jpg"}
    {"text": "Ann likes Rome .", "tags": ["B-PER", "O", "B-LOC", "O"]}

Files whose names say the split, `train.jsonl`, `validation.jsonl`, `test.jsonl`, or one file. For tagging, `tags` has
one tag for each word of `text`; for dialogue, `text` is the turns so far, one a line, and `speaker` who answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.tags import tagged_example, words_of
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.bio import check_tags
from bimodal_tasks.own.reading import counted, files, media_of, member, numbered_lines, place, problem, split_of, typed


def detects(folder: Path) -> bool:
    """A `*.jsonl`."""
    return bool(files(folder, "*.jsonl"))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per line."""
    for path in files(folder, "*.jsonl"):
        for number, line in numbered_lines(path, reject):
            if not line.strip():
                continue
            where = place(path, number)
            try:
                example = _example(folder, path, number, _object(line, where), data)
            except DataError as error:
                reject(error)
                continue
            group = str(example.image or example.audio or example.text)
            yield Row(example, where, split_of(path), group)


def _object(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        what = f"not JSON ({error.msg} at column {error.colno})."
        raise problem(where, what, "Each line is one object, without line breaks in it.") from error
    except (RecursionError, ValueError) as error:  # nested too deep; a number of thousands of digits
        raise problem(where, f"not JSON that can be read ({error}).", "Correct the line, or remove it.") from error


def _example(folder: Path, path: Path, number: int, entry: Any, data: DataConfig) -> Example:
    where = place(path, number)
    typed(entry, dict, "the line", where)
    identifier = entry.get("id", f"{path.name}:{number}")
    if not isinstance(identifier, int):  # numbers may be ids
        identifier = typed(identifier, str, "'id'", where)
    image, audio = media_of(entry, folder, where)
    text = member(entry, "text", str, where) if "text" in entry else ""
    if data.task == "ner":
        words = words_of(text)
        tags = [typed(tag, str, "a tag", where) for tag in member(entry, "tags", list, where)]
        if len(words) != len(tags):
            what = f"{counted(len(tags), 'tag')} for {counted(len(words), 'word')}."
            raise problem(where, what, "Each word (what single spaces separate) needs one.")
        check_tags(tags, [where] * len(tags))
        return tagged_example(str(identifier), words, tags, image=image, audio=audio)
    return Example(
        str(identifier),
        text,
        member(entry, "target", str, where),
        image,
        audio,
        language=typed(entry.get("language", data.language or "en"), str, "'language'", where),
        meta={"speaker": typed(entry.get("speaker", "B"), str, "'speaker'", where)} if data.task == "dialogue" else {},
    )


FORMAT = Format(
    "jsonl",
    "JSONL: objects with text, target, image, audio",
    ("captioning", "translation", "dialogue", "ner"),
    detects,
    read,
)
