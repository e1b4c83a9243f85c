"""gettext catalogues: `.po` or `.mo` files, translated messages of a program.

    msgid "Open file"
    msgstr "Datei öffnen"

Untranslated, fuzzy and obsolete entries and plural forms are left out (they are no mistakes). The language is that of
the catalogue's header, or of its file name (`de.po`); with several, say which with `--set data.language=de`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import polib

from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import files, place, problem, read_bytes, split_of


def _files(folder: Path) -> list[Path]:
    """All catalogues; of one that is there in both forms, the `.po`."""
    found = files(folder, "*.po", "*.mo")
    return [path for path in found if path.suffix == ".po" or path.with_suffix(".po") not in found]


_FIX = "Correct it; msgfmt --check shows all that is wrong."


def detects(folder: Path) -> bool:
    """A `*.po` or `*.mo`."""
    return bool(_files(folder))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per message, in catalogue order."""
    found = {path: _opened(path) for path in _files(folder)}
    language_of = {path: _language(path, catalogue, data.language) for path, catalogue in found.items()}
    known = sorted(set(language_of.values()))
    wanted = data.language or (known[0] if len(known) == 1 else None)
    if wanted not in known:
        what = f"catalogues in {', '.join(known)}" + (f", none in {wanted}." if wanted else ".")
        raise problem(folder.name, what, "Say which with --set data.language=..., or keep one language per folder.")
    for path, catalogue in found.items():
        if language_of[path] != wanted:
            continue
        for number, entry in enumerate(catalogue):
            line = getattr(entry, "linenum", None) or f"message {number + 1}"
            text, translation = " ".join(entry.msgid.split()), " ".join(entry.msgstr.split())
            if entry.obsolete or "fuzzy" in entry.flags or entry.msgid_plural or not text or not translation:
                continue
            identifier = f"{path.name}:{number}"
            example = Example(identifier, text, translation, language=wanted)
            yield Row(example, place(path, line), split_of(path), text)


def _language(path: Path, catalogue: polib.POFile | polib.MOFile, wanted: str | None) -> str:
    named = str(catalogue.metadata.get("Language") or path.stem)
    language = re.split("[_@.]", named)[0]
    if re.fullmatch("[a-z]{2,3}", language):
        return language
    if wanted is not None:
        return wanted
    what = f"no language: neither the header ('Language:') nor the file's name says one, but {named!r}."
    raise problem(place(path), what, "Name it by its language: de.po.")


_SYNTAX = re.compile(
    rb'\s*(?:#.*|(?:(?:domain|msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)\s+)?"(?:[^"\\]|\\.)*"\s*)?', re.DOTALL
)
"""A line of a `.po` file: a comment, or a text in quotes with or without a keyword; or nothing."""


def _opened(path: Path) -> polib.POFile | polib.MOFile:
    content = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if path.suffix == ".po":
        # Polib repairs a text without its last quote by cutting it.
        for number, line in enumerate(content.splitlines(), start=1):
            if not _SYNTAX.fullmatch(line):
                raise problem(place(path, number), "no keyword and text in quotes.", _FIX)
    try:
        return polib.mofile(str(path)) if path.suffix == ".mo" else polib.pofile(str(path))
    except UnicodeDecodeError as error:
        fix = f"Convert it: msgconv -t UTF-8 {path.name}."
        raise problem(place(path), "is not in the encoding its header names.", fix) from error
    except (OSError, ValueError, struct.error) as error:
        raise problem(place(path), f"no catalogue ({str(error).replace(str(path), path.name)}).", _FIX) from error


FORMAT = Format("gettext", "gettext: .po and .mo catalogues", ("translation",), detects, read)
