"""Levels of the game: who can say what in them, in which words, and with which voices.

A level has `code.lua`, which plans who speaks when, and for each language `dialogs_XX.lua`:

    dialogId("let-v-oko", "font_big", "Can you see that eye?")
    dialogStr("Vidíš to oko?")

The font of a subtitle tells the speaker; the voice is `sound/<level>/cs/let-v-oko.ogg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bimodal_tasks.fillets.packages import LANGUAGES, VOICES

_LINE = re.compile(
    r'dialogId\(\s*"([^"]+)"\s*,\s*"([^"]*)"\s*,\s*"((?:[^"\\]|\\.)*)"\s*\)'
    r'(?:\s*dialogStr\(\s*"((?:[^"\\]|\\.)*)"\s*\))?'
)
_SHARED = {
    "borejokes": ("borejokes", "bore_"),
    "blackjokes": ("blackjokes", "black_"),
    "border": ("prog_border", "border_"),
}
"""What is said in every level: name of the voices' folder, of the script, and start of the dialogues' names."""
_SPEAKERS = {"small": "Small fish", "big": "Big fish", "both": "Both fish"}


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody can say."""

    speaker: str
    texts: Mapping[str, str]
    """Subtitles by language."""
    voices: Mapping[str, Path]
    """Recordings by language."""


@dataclass(frozen=True, slots=True)
class Level:
    """A level, or the jokes that are told in all of them."""

    name: str
    code: str
    lines: Mapping[str, Line]
    """By id."""


def levels(root: Path) -> Iterator[Level]:
    """All levels, by name."""
    scripts, shared = root / "script", root / "script" / "share"
    for folder in sorted(path for path in scripts.iterdir() if (path / "code.lua").is_file()):
        yield _level(folder.name, folder / "code.lua", folder / "dialogs_", root / "sound" / folder.name)
    for name, (script, start) in sorted(_SHARED.items()):
        yield _level(name, shared / f"{script}.lua", shared / f"{start}dialogs_", root / "sound" / "share" / name)


def _level(name: str, script: Path, dialogues: Path, sounds: Path) -> Level:
    texts: dict[str, dict[str, str]] = {}
    speakers: dict[str, str] = {}
    for language in LANGUAGES:
        path = dialogues.with_name(f"{dialogues.name}{language}.lua")
        if not path.is_file():
            continue
        for identifier, font, english, translation in _LINE.findall(path.read_text(encoding="utf-8")):
            text = _readable(english if language == "en" else translation)
            if text and font:
                texts.setdefault(identifier, {})[language] = text
                speakers.setdefault(identifier, name_of(font))
    lines = {
        identifier: Line(
            speakers[identifier],
            texts[identifier],
            {code: path for code in VOICES if (path := sounds / code / f"{identifier}.ogg").is_file()},
        )
        for identifier in texts
    }
    return Level(name, script.read_text(encoding="utf-8"), lines)


def name_of(font: str) -> str:
    """Who speaks in a font: `font_small` is the small fish, `font_viking3` is Viking 3."""
    kind = font.removeprefix("font_")
    return _SPEAKERS.get(kind) or re.sub(r"(\d+)$", r" \1", kind).capitalize()


def _readable(text: str) -> str:
    """A text of a script, without escapes and line breaks."""
    return " ".join(re.sub(r"\\(.)", lambda found: " " if found[1] == "n" else found[1], text).split())
