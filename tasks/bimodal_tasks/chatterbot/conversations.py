"""The English conversations of the package `chatterbot-corpus`, read, cleaned and cut into a turn and its reply.

A file is a topic, a list in it a conversation. What follows the first two lines is a dialogue in some topics, other
answers to the first line in others, and the rest of a mistake in one (88 questions and answers in one list).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bimodal.errors import DataError
from bimodal_tasks.grouping import normalised

DIALOGUES = frozenset({"conversations", "health"})
"""Topics whose conversations go on."""
ALTERNATIVES = frozenset({"computers", "emotion"})
"""Topics whose further lines answer the first."""
MAX_WORDS = 40


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was said so far, and the reply."""

    topic: str
    conversation: int
    """Its number in the topic's file."""
    turns: tuple[str, ...]
    reply: str


def exchanges() -> tuple[Exchange, ...]:
    """Every different exchange whose lines are at most 40 words of one line each, in the package's order.

    Raises:
        DataError: the package has no such conversations.
    """
    import chatterbot_corpus
    import yaml

    folder = Path(chatterbot_corpus.__file__).parent / "data" / "english"
    found: dict[tuple[str, str], Exchange] = {}
    for path in sorted(folder.glob("*.yml")):
        conversations = yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]
        for number, lines in enumerate(conversations):
            for turns, reply in pairs(path.stem, [str(line) for line in lines]):
                if all(_speakable(line) for line in (*turns, reply)):
                    cleaned = Exchange(path.stem, number, tuple(_clean(turn) for turn in turns), _clean(reply))
                    found.setdefault((normalised(cleaned.turns[-1]), normalised(cleaned.reply)), cleaned)
    if not found:
        raise DataError(
            f"{folder} holds no conversations. Install the package again: "
            "pip install --force-reinstall chatterbot-corpus"
        )
    return tuple(found.values())


def pairs(topic: str, lines: Sequence[str]) -> list[tuple[tuple[str, ...], str]]:
    """The turns and the reply of every exchange in a conversation of a topic."""
    if topic in DIALOGUES:
        return [(tuple(lines[max(0, at - 2) : at]), lines[at]) for at in range(1, len(lines))]
    if topic in ALTERNATIVES:
        return [((lines[0],), line) for line in lines[1:]]
    return [((lines[0],), lines[1])] if len(lines) > 1 else []


def _speakable(line: str) -> bool:
    return bool(normalised(line)) and "\n" not in line.strip() and len(line.split()) <= MAX_WORDS


def _clean(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()
