"""What every row goes through, whatever its format: usable files, unique ids, known tags, splits without overlap."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bimodal import store
from bimodal.errors import DataError
from bimodal.schema import Modality, Split
from bimodal.tags import entity_types
from bimodal.types import Example, Progress, Reject, Row
from bimodal_tasks.own.reading import problem

MAX_SIDE_PX = 16_384
"""A picture that is longer than this is a scan, a strip or a mistake, and slow to decode for every epoch."""
_TELL_EVERY = 100


class CheckedFiles:
    """sha256 of pictures and sounds that were decoded once and have not changed since (by size and time)."""

    def __init__(self, home: Path) -> None:
        """Args: home: the folder that remembers what was checked, and keeps what was no file."""
        self._record, self._embedded = home / "checked.json", home / "embedded"
        try:
            self._known: dict[str, str] = json.loads(self._record.read_bytes())
        except (OSError, ValueError):
            self._known = {}

    def sha256(self, path: Path, kind: Modality, where: str) -> str:
        """The hash of a picture or sound, after decoding it; raises DataError."""
        status = path.stat()
        key = f"{kind}|{path}|{status.st_size}|{status.st_mtime_ns}"
        if key not in self._known:
            try:
                _CHECKS[kind](path)
            except DataError as error:
                raise DataError(f"{where}: {str(error).replace(str(path), path.name)}") from error
            self._known[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._known[key]

    def with_files(self, row: Row) -> Row:
        """The row with its embedded picture and sound as files, which are named by their content."""
        if not row.embedded:
            return row
        image, audio = (self._kept(row, "image"), self._kept(row, "audio"))
        return replace(row, example=replace(row.example, image=image, audio=audio), embedded={})

    def _kept(self, row: Row, kind: Modality) -> Path | None:
        if (content := row.embedded.get(kind)) is None:
            return row.example.image if kind == "image" else row.example.audio
        name = hashlib.sha256(content).hexdigest()
        path = self._embedded / name[:2] / f"{name}{_suffix(content, kind)}"
        if not path.exists():
            store.write_bytes(path, content)
        return path

    def remember(self) -> None:
        """Write down what was checked."""
        store.write_json(self._record, self._known)


_SUFFIXES: dict[Modality, dict[bytes, str]] = {
    "image": {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"RIFF": ".webp"},
    "audio": {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"\xff": ".mp3"},
}
"""By their first bytes. Only pages that show them go by it: decoders look for themselves."""


def _suffix(content: bytes, kind: Modality) -> str:
    return next((suffix for start, suffix in _SUFFIXES[kind].items() if content.startswith(start)), "")


def _check_picture(path: Path) -> None:
    from PIL import Image, UnidentifiedImageError

    from bimodal.pictures import read_picture

    try:
        with Image.open(path) as opened:
            longest = max(opened.size)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        longest = 0  # the reader below says what is wrong
    if longest > MAX_SIDE_PX:
        raise DataError(
            f"{path}: {longest:,} pixels in one direction; at most {MAX_SIDE_PX:,} are allowed. Scale the picture down."
        )
    read_picture(path, 8)


def _check_sound(path: Path) -> None:
    from bimodal.sound import read_header, read_sound

    read_sound(path, read_header(path).sample_rate_hz)


_CHECKS: dict[Modality, Callable[[Path], None]] = {"image": _check_picture, "audio": _check_sound}
_UNUSABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters but tab and line ends, and halves of surrogate pairs, which no file can hold as UTF-8."""


def _check_characters(row: Row) -> None:
    example = row.example
    for part, text in (("id", example.id), ("text", example.text), ("target", example.target), *example.meta.items()):
        if found := _UNUSABLE.search(text):
            what = f"the {part} has the character U+{ord(found[0]):04X} at position {found.start() + 1}."
            raise problem(row.where, what, "Remove it: control characters are no text.")


def usable(rows: Iterable[Row], checked: CheckedFiles, reject: Reject, progress: Progress) -> Iterator[tuple[Row, str]]:
    """Rows whose files can be used, whose target is not empty and whose id is new, each with its files' hashes."""
    first: dict[str, str] = {}
    for number, found_row in enumerate(rows, start=1):
        if number % _TELL_EVERY == 0:
            progress("check", number, number + _TELL_EVERY)
        try:
            row = checked.with_files(found_row)
            example = row.example
            _check_characters(row)
            if example.id in first:
                what = f"the id {example.id!r} was used before ({first[example.id]})."
                raise problem(row.where, what, "Ids must be unique.")
            if not example.target.strip():
                raise problem(row.where, "nothing to be produced: the target is empty.", "Fill it, or remove the row.")
            if not example.text and example.image is None and example.audio is None:
                raise problem(row.where, "no text, no picture and no sound.", "There must be something to go by.")
            found: tuple[tuple[Modality, Path | None], ...] = (("image", example.image), ("audio", example.audio))
            media = [checked.sha256(path, kind, row.where) for kind, path in found if path is not None]
        except DataError as error:
            reject(error)
            continue
        first[example.id] = row.where
        yield row, "\t".join(media)


def without_overlap(rows: Sequence[tuple[Row, str, Split]], reject: Reject) -> list[tuple[Row, str, Split]]:
    """Rows without those of training (or validation) that a later split has, too.

    The same picture and sound count, and the same text with the same target.
    """
    owners: dict[str, tuple[Split, str]] = {}
    for owner in _BEFORE_TRAINING:
        for row, media, split in rows:
            if split == owner:
                for key in _shown(row.example, media):
                    owners.setdefault(key, (split, row.where))
    kept = []
    for row, media, split in rows:
        others = [found for key in _shown(row.example, media) if (found := owners[key])[0] != split]
        if others:
            other, where = others[0]
            what = f"is in the {split} split and, at {where}, in the {other} split."
            reject(problem(row.where, what, f"Remove it from {split}: a score on seen examples says nothing."))
            continue
        kept.append((row, media, split))
    return kept


_BEFORE_TRAINING: tuple[Split, ...] = ("test", "validation", "train")


def _shown(example: Example, media: str) -> list[str]:
    """What two examples may not share: picture and sound, and the text (without case and spaces) with its target."""
    text, target = (" ".join(part.casefold().split()) for part in (example.text, example.target))
    return [*([media] if media else []), *([f"{text}\0{target}"] if text else [])]


def with_known_tags(rows: Sequence[tuple[Row, str, Split]], reject: Reject) -> list[tuple[Row, str, Split]]:
    """Rows without those whose entity types never occur in training, where nobody could have learnt them."""
    known = set(entity_types(row.example.tags or () for row, _, split in rows if split == "train"))
    kept = []
    for row, media, split in rows:
        unknown = sorted(set(entity_types([row.example.tags or ()])) - known)
        if unknown:
            what = (
                f"unknown tag type {unknown[0]!r}: it never occurs in training, which has {', '.join(sorted(known))}."
            )
            reject(problem(row.where, what, "Correct the tag, or remove the sentence."))
            continue
        kept.append((row, media, split))
    return kept
