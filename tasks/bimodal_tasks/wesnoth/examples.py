"""From scenes to examples: a reply to what was said, or a translation of what is said."""

from __future__ import annotations

import gettext
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from bimodal.types import Example
from bimodal_tasks.wesnoth.packages import LANGUAGES
from bimodal_tasks.wesnoth.portraits import Portraits
from bimodal_tasks.wesnoth.scenes import Scene, Turn, readable

MAX_WORDS = 40
"""Of a turn, of a text to translate, and of its translation."""
MAX_CONTEXT_WORDS = 60
MIN_WORDS = 3
UNNAMED = {"narrator": "Narrator", "unit": "Soldier", "second_unit": "Other soldier"}
"""Speakers that are nobody in particular."""


def replies(scenes: Sequence[Scene], portraits: Portraits) -> Iterator[Example]:
    """For every change of speaker with turns of 1 to 40 words: up to two turns, the reply, the face of who gives it."""
    for scene in scenes:
        for at in range(1, len(scene.turns)):
            last, reply = scene.turns[at - 1 : at + 1]
            if last.speaker == reply.speaker or not (_fits(last) and _fits(reply)):
                continue
            context = [last]
            if at > 1 and _words(scene.turns[at - 2].text) + _words(last.text) <= MAX_CONTEXT_WORDS:
                context.insert(0, scene.turns[at - 2])
            yield Example(
                id=f"{scene.campaign}/{scene.file}/{scene.number}/{at}",
                text="\n".join(f"{name_of(turn)}: {turn.text}" for turn in context),
                target=reply.text,
                image=portraits.of(reply, scene.campaign),
                meta={"campaign": scene.campaign, "speaker": name_of(reply), "last_turn": last.text},
            )


def translations(scenes: Sequence[Scene], portraits: Portraits, language: str, locale: Path) -> Iterator[Example]:
    """Every different text of 3 to 40 words that somebody says, with its translation and the speaker's face."""
    seen = set()
    for scene in scenes:
        catalogue = _catalogue(locale, LANGUAGES[language], scene.domain)
        for at, turn in enumerate(scene.turns):
            for part, string in enumerate(turn.strings):
                text, target = readable(string), readable(catalogue.get(string, ""))
                fits = MIN_WORDS <= _words(text) <= MAX_WORDS and 0 < _words(target) <= MAX_WORDS
                if not fits or (text, scene.campaign) in seen or target == text:
                    continue
                seen.add((text, scene.campaign))
                yield Example(
                    id=f"{scene.campaign}/{scene.file}/{scene.number}/{at}/{part}",
                    text=text,
                    target=target,
                    image=portraits.of(turn, scene.campaign),
                    language=language,
                    meta={"campaign": scene.campaign, "speaker": name_of(turn)},
                )


def name_of(turn: Turn) -> str:
    """Who speaks, as a reader would call them."""
    return UNNAMED.get(turn.speaker, turn.speaker.split("$")[0].strip() or "Soldier")


def _fits(turn: Turn) -> bool:
    return 1 <= _words(turn.text) <= MAX_WORDS


def _words(text: str) -> int:
    return len(text.split())


@lru_cache(maxsize=64)
def _catalogue(locale: Path, language: str, domain: str) -> dict[str, str]:
    """The translations of a text domain; empty without a catalogue."""
    path = locale / language / "LC_MESSAGES" / f"{domain}.mo"
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        found = gettext.GNUTranslations(file)
    entries: dict[str, str] = found._catalog  # type: ignore[attr-defined]  # gettext() cannot say "not there"
    return {key: value for key, value in entries.items() if isinstance(key, str)}
