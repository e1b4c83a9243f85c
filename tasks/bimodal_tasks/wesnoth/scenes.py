"""Scenes out of scenarios: what is said, by whom, in WML, the game's markup language.

A scene is a run of `[message]` blocks that no event, choice or macro border interrupts. Messages are written as
`message= _ "..."`, where `_` marks a text that is translated; quotes inside are doubled, parts are joined by `+`.
Source: https://wiki.wesnoth.org/SyntaxWML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"\[message\](.*?)\[/message\]|\[/?(?:event|then|else|case|if|option|command)\]|#define|#enddef", re.DOTALL
)
_SPEAKER = re.compile(r'^\s*(?:speaker|id|type)\s*=\s*"?([^"\n]+)"?', re.MULTILINE)
_MESSAGE = re.compile(r'message\s*=\s*(_?\s*"(?:[^"]|"")*"(?:\s*\+\s*_?\s*"(?:[^"]|"")*")*)')
_TRANSLATABLE = re.compile(r'_\s*"((?:[^"]|"")*)"')
_IMAGE = re.compile(r'^\s*image\s*=\s*"?([^"\n]+)', re.MULTILINE)
_DOMAIN = re.compile(r"#textdomain\s+(\S+)")
_COMMENT = re.compile(r"^\s*#(?!define|enddef|textdomain).*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    speaker: str
    """Id in the scenario; the ids of characters are their names."""
    strings: tuple[str, ...]
    """Its translatable parts as they are in the catalogues."""
    image: str | None
    """A picture that the message itself names."""

    @property
    def text(self) -> str:
        """What the player reads."""
        return " ".join(readable(string) for string in self.strings)


@dataclass(frozen=True, slots=True)
class Scene:
    """Messages that follow each other."""

    campaign: str
    file: str
    number: int
    domain: str
    """Of the translations."""
    turns: tuple[Turn, ...]


def readable(string: str) -> str:
    """A catalogue's text without its context (`context^text`), markup and line breaks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", string.split("^")[-1])).strip()


def scenes(campaigns: Path) -> Iterator[Scene]:
    """All scenes of all campaigns, by campaign, file and place."""
    for path in sorted(campaigns.rglob("*.cfg")):
        source = path.read_text(encoding="utf-8")
        domain = _DOMAIN.search(source)
        campaign, *_, file = path.relative_to(campaigns).parts
        for number, turns in enumerate(_runs(_COMMENT.sub("", source))):
            yield Scene(campaign, file.removesuffix(".cfg"), number, domain[1] if domain else "wesnoth", turns)


def _runs(source: str) -> Iterator[tuple[Turn, ...]]:
    turns: list[Turn] = []
    for block in _BLOCK.finditer(source):
        if block[1] is None:
            if turns:
                yield tuple(turns)
            turns = []
        elif (turn := _turn(block[1])) is not None:
            turns.append(turn)
    if turns:
        yield tuple(turns)


def _turn(block: str) -> Turn | None:
    message, speaker, image = _MESSAGE.search(block), _SPEAKER.search(block), _IMAGE.search(block)
    if message is None:
        return None
    strings = tuple(text.replace('""', '"') for text in _TRANSLATABLE.findall(message[1]))
    if not strings:
        return None
    return Turn(speaker[1].strip() if speaker else "narrator", strings, image[1] if image else None)
