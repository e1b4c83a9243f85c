"""TSV: text, target, and if you like picture and sound, with tabs between.

    A dog runs .	Ein Hund rennt .	images/dog.jpg

Files whose names say the split, `train.tsv`, `validation.tsv`, `test.tsv`, or one file. A first line `text	target` (and
so on) names the columns; without it they are text, target, image, audio in that order. No quoting: a tab always parts
columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import counted, files, first_lines, media_of, numbered_lines, place, problem, split_of

_COLUMNS = ("text", "target", "image", "audio")


def detects(folder: Path) -> bool:
    """A `*.tsv` that is not Common Voice's."""
    heads = [first_lines(path, 1) for path in files(folder, "*.tsv")]
    return bool(heads) and not any("client_id" in head[0].split("\t") for head in heads if head)


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per line."""
    for path in files(folder, "*.tsv"):
        named: tuple[str, ...] = ()
        for number, line in numbered_lines(path, reject):
            if not line.strip():
                continue
            fields, where = tuple(line.split("\t")), place(path, number)
            if not named:
                is_head = {"text", "target"} <= set(fields)
                named = _checked_head(fields, where) if is_head else _COLUMNS[: max(2, len(fields))]
                if is_head:
                    continue
            try:
                if len(fields) != len(named):
                    what = f"{counted(len(fields), 'column')} instead of {len(named)} ({', '.join(named)})."
                    raise problem(where, what, "Put tabs between the columns, or remove the line.")
                row = _row(folder, path, number, dict(zip(named, fields, strict=True)), data.language)
            except DataError as error:
                reject(error)
                continue
            yield row


def _checked_head(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The columns that a first line names; raises DataError if one is unknown, or there twice."""
    wrong = [name for at, name in enumerate(names) if name not in _COLUMNS or name in names[:at]]
    if wrong:
        what = f"the column {wrong[0]!r} is {'there twice' if wrong[0] in _COLUMNS else 'unknown'}."
        raise problem(where, what, f"Allowed, once each: {', '.join(_COLUMNS)}.")
    return names


def _row(folder: Path, path: Path, number: int, fields: dict[str, str], language: str | None) -> Row:
    where = place(path, number)
    image, audio = media_of(fields, folder, where)
    example = Example(
        f"{path.name}:{number}", fields["text"], fields["target"], image, audio, language=language or "en"
    )
    return Row(example, where, split_of(path), fields.get("image") or fields["text"] or f"{path.name}:{number}")


FORMAT = Format("tsv", "TSV: text, target, picture, sound", ("translation", "captioning"), detects, read)
