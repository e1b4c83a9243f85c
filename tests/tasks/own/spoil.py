"""How folders are spoilt: small edits of files, and what is to be said about each."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import own_folders

Edit = Callable[[Path], object]
WAY_AROUND = " (--on-bad-example skip leaves such rows out and counts them)"
ABSENT = object()


@dataclass(frozen=True)
class Bad:
    """A folder that was spoilt, and the whole message; `...` in it stands for what libraries and machines say."""

    message: str
    edits: tuple[Edit, ...]
    skipped: int
    """Rows that `--on-bad-example skip` leaves out; 0: the file as a whole is unusable, and cannot be skipped."""
    options: dict[str, object] = field(default_factory=dict)

    def says(self, text: str) -> bool:
        """Whether a text is the whole message."""
        return re.fullmatch(re.escape(self.message).replace(r"\.\.\.", ".+"), text, re.DOTALL) is not None


def row(message: str, *edits: Edit, skipped: int = 1, **options: object) -> Bad:
    """Something wrong with a row."""
    return Bad(message, edits, skipped, options)


def whole(message: str, *edits: Edit, **options: object) -> Bad:
    """Something wrong with a file, or with all of them."""
    return Bad(message, edits, 0, options)


def line(file: str, number: int, new: str | bytes) -> Edit:
    def edit(folder: Path) -> None:
        lines = (folder / file).read_bytes().split(b"\n")
        lines[number - 1] = new if isinstance(new, bytes) else new.encode()
        (folder / file).write_bytes(b"\n".join(lines))

    return edit


def content(file: str, new: str | bytes) -> Edit:
    return lambda folder: (folder / file).write_bytes(new if isinstance(new, bytes) else new.encode())


def added(file: str, text: str) -> Edit:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes() + text.encode())


def cut(file: str, num_bytes: int) -> Edit:
    """The end of a file is missing."""
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:-num_bytes])


def utf16(file: str) -> Edit:
    return lambda folder: (folder / file).write_text((folder / file).read_text(), encoding="utf-16")


def gone(*files: str) -> Edit:
    return lambda folder: [(folder / file).unlink() for file in files]


def same(file: str, other: str) -> Edit:
    """A file has the content of another."""
    return lambda folder: (folder / file).write_bytes((folder / other).read_bytes())


def entry(file: str, path: str, value: Any) -> Edit:
    """An entry of a JSON file, `images/0/id`, has another value, or is ABSENT."""

    def edit(folder: Path) -> None:
        document = json.loads((folder / file).read_text())
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("/"))
        inner = document
        for part in parents:
            inner = inner[part]
        if value is ABSENT:
            del inner[last]
        else:
            inner[last] = value
        (folder / file).write_text(json.dumps(document))

    return edit


def picture(file: str, size: tuple[int, int]) -> Edit:
    return lambda folder: own_folders.picture(folder / file, 1, size)


def sound(file: str, **how: Any) -> Edit:
    return lambda folder: own_folders.sound(folder / file, **how)


def linked_outside(file: str) -> Edit:
    def edit(folder: Path) -> None:
        outside = folder.parent / f"outside{Path(file).suffix}"
        (folder / file).rename(outside)
        (folder / file).symlink_to(outside)

    return edit
