"""What readers of all formats need: lines that are UTF-8, JSON, files that are named in data, splits by file name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bimodal.errors import DataError
from bimodal.schema import Split
from bimodal.types import Reject
from bimodal_tasks.own.hub import kept_in

_SPLIT_WORDS: dict[Split, frozenset[str]] = {
    "train": frozenset({"train", "training"}),
    "validation": frozenset({"valid", "validation", "val", "dev", "development", "testa"}),
    "test": frozenset({"test", "testb", "testing"}),
}
_MISNAMED_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def place(path: Path, line: int | str | None = None) -> str:
    """Where something stands: `train.txt, line 3`, or an entry of a JSON file."""
    if line is None:
        return path.name
    return f"{path.name}, {f'line {line}' if isinstance(line, int) else line}"


def problem(where: str, what: str, fix: str) -> DataError:
    """The error for something wrong in a file: place, what is wrong, what to do."""
    return DataError(f"{where}: {what} {fix}")


def numbered_lines(path: Path, reject: Reject) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file with their numbers from 1, without line ends; what is not UTF-8 is rejected.

    Raises:
        DataError: the file cannot be read, is empty, or is UTF-16.
    """
    content = read_bytes(path)
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"not UTF-8 (byte 0x{raw[error.start]:02X} at column {error.start + 1})."
            fix = f"Convert the file: iconv -f LATIN1 -t UTF-8 {path.name} (or whatever it was written in)."
            reject(problem(place(path, number), what, fix))
            continue
        yield number, line.removesuffix("\r")


def read_bytes(path: Path) -> bytes:
    """The content of a file that is expected to be text; raises DataError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise problem(place(path), f"cannot be read ({error.strerror}).", "Check that it is there.") from error
    if not content.strip():
        raise problem(place(path), "is empty.", "Fetch or export it again, or remove it.")
    if (encoding := _MISNAMED_BOMS.get(content[:2])) is not None:
        fix = f"Convert it: iconv -f {encoding} -t UTF-8 {path.name}."
        raise problem(place(path), f"is {encoding}, not UTF-8.", fix)
    return content


def read_json(path: Path) -> Any:
    """The content of a JSON file; raises DataError with the line."""
    content = read_bytes(path)
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise problem(place(path, line), "not UTF-8.", f"Convert: iconv -f LATIN1 -t UTF-8 {path.name}.") from error
    except json.JSONDecodeError as error:
        what = f"not JSON ({error.msg} at column {error.colno})."
        raise problem(place(path, error.lineno), what, "Correct or export it again.") from error
    except (RecursionError, ValueError) as error:  # nested too deep; a number of thousands of digits
        raise problem(place(path), f"not JSON that can be read ({error}).", "Correct or export it again.") from error


_CALLED: dict[type, str] = {str: "a string", int: "a whole number", list: "a list", dict: "an object"}
_SHOWN_CHARS = 40


def shown(value: Any) -> str:
    """A JSON value as it is in the file, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."


def typed(value: Any, kind: type, called: str, where: str) -> Any:
    """A JSON value that must be of that type; raises DataError, in which it is `called` so."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise problem(
            where, f"{called} is {shown(value)}.", f"It must be {_CALLED[kind]}; docs/data.md has the format."
        )
    return value


def member(value: Any, key: str, kind: type, where: str) -> Any:
    """`value[key]`, which must be there and of that type; raises DataError."""
    if key not in typed(value, dict, "the entry", where):
        raise problem(where, f"{key!r} is missing.", f"It must be {_CALLED[kind]}; docs/data.md has the format.")
    return typed(value[key], kind, repr(key), where)


def counted(number: int, noun: str) -> str:
    """`1 column`, `3 columns`."""
    return f"{number} {noun}{'s' if number != 1 else ''}"


def columns(line: str, count: int, where: str, names: str, separator: str = "\t") -> list[str]:
    """The columns of a line, of which there must be exactly so many; raises DataError."""
    found = line.split(separator)
    if len(found) != count:
        called = {"\t": "tabs", "|": "'|'", " ": "spaces"}.get(separator, separator)
        what = f"{counted(len(found), 'column')} instead of {count} ({names}, with {called} between)."
        raise problem(where, what, "Put the separators in, or remove the line.")
    return found


def file_in(folders: Iterable[Path], root: Path, name: str, where: str) -> Path:
    """The file of that name in one of the folders; it must lie inside the data folder `root`.

    Raises:
        DataError: the name leads out of the folder, or there is no such file.
    """
    looked = []
    for folder in folders:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise _outside(name, where)
        path = inside(root, folder / name, where)
        if path.is_file():
            return path
        looked.append(str(folder.relative_to(root)) if folder != root else "the data folder")
    what = f"the file {name!r} is not there (looked in {', '.join(looked) or 'the data folder'})."
    raise problem(where, what, "Add it, or remove the line.")


def inside(root: Path, path: Path, where: str) -> Path:
    """The path without links and `..`, which must then lie inside the data folder `root`; raises DataError."""
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    try:
        found = path.resolve()
        found.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, half a surrogate pair; links in a ring
        fix = "Correct it, or remove the line."
        raise problem(where, f"{name[:_SHOWN_CHARS]!r} cannot be the name of a file.", fix) from error
    if not any(found.is_relative_to(home) for home in kept_in(root)):
        raise _outside(name, where)
    return found


def _outside(name: str, where: str) -> DataError:
    fix = "Files must lie in the data folder and be named relative to it."
    return problem(where, f"the file name {name!r} leads out of the folder.", fix)


def media_of(named: Mapping[str, Any], root: Path, where: str) -> tuple[Path | None, Path | None]:
    """The files that `image` and `audio` name, relative to the data folder; None where they name none."""
    image, audio = (
        file_in([root], root, member(named, kind, str, where), where) if named.get(kind) else None
        for kind in ("image", "audio")
    )
    return image, audio


def folders_with(root: Path, *names: str) -> list[Path]:
    """Those of the subfolders that exist, and the folder itself."""
    return [*(root / name for name in names if (root / name).is_dir()), root]


def split_of(path: Path) -> Split | None:
    """The split a file's name says: `train.txt`, `eng.testa`, `captions_val2017.json`; None if it says none, or two."""
    words = set(re.findall(r"[a-z]+", path.name.lower()))
    found: list[Split] = [split for split, known in _SPLIT_WORDS.items() if words & known]
    return found[0] if len(found) == 1 else None


def files(root: Path, *patterns: str) -> list[Path]:
    """The files that fit one of the patterns, by name."""
    return sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})


def num_lines(path: Path) -> int:
    """How many lines a file has, without empty ones at its end; raises DataError."""
    return read_bytes(path).rstrip().count(b"\n") + 1


def first_lines(path: Path, count: int = 50) -> list[str]:
    """The first lines of a file, for guessing its format; none if it is no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as stream:
            return [line.rstrip("\r\n") for line, _ in zip(stream, range(count), strict=False)]
    except (OSError, UnicodeDecodeError):
        return []
