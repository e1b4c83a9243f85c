"""gettext catalogues: `.po` or `.mo` files, translated messages of a program.

    msgid "Open file"
    msgstr "Datei öffnen"

Untranslated, fuzzy and obsolete entries and plural forms are left out (they are no mistakes). The language is that of
the catalogue's header, or of its file name (`de.po`); with several, say which with `--set data.language=de`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polib

from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import files, place, problem, split_of


def _files(folder: Path) -> list[Path]:
    return files(folder, "*.po", "*.mo")


def detects(folder: Path) -> bool:
    """A `*.po` or `*.mo`."""
    return bool(_files(folder))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per message, in catalogue order."""
    found = {path: _opened(path) for path in _files(folder)}
    language_of = {
        path: str(catalogue.metadata.get("Language", "")).partition("_")[0] or path.stem.partition("_")[0]
        for path, catalogue in found.items()
    }
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


def _opened(path: Path) -> polib.POFile | polib.MOFile:
    try:
        return polib.mofile(str(path)) if path.suffix == ".mo" else polib.pofile(str(path))
    except UnicodeDecodeError as error:
        fix = f"Convert it: msgconv -t UTF-8 {path.name}."
        raise problem(place(path), "is not in the encoding its header names.", fix) from error
    except (OSError, ValueError) as error:
        raise problem(place(path), f"is no catalogue ({_short(error, path)}).", "Check it: msgfmt --check.") from error


def _short(error: Exception, path: Path) -> str:
    """Polib's message without the path of this machine."""
    return str(error).replace(str(path), path.name).replace("Syntax error in po file ", "")


FORMAT = Format("gettext", "gettext: .po and .mo catalogues", ("translation",), detects, read)
