"""Who answers whom: the order in which a level's script plans its lines.

    addm(20, "let-m-divna")                      the small fish says so
    addv(5, "let-v-vrak" .. random(3))           the big fish answers, with one of three lines
    if random(100) < 30 then addm(0, "x") end    may be said after that

What stands in a branch follows what was planned before the branch. What stands after one follows that, too: whether the
branch was taken is not known. Nothing follows over the border of a function, of which each event has its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bimodal.types import Example
from bimodal_tasks.fillets.levels import Level, Line
from bimodal_tasks.fillets.packages import VOICES

MAX_WORDS = 40
"""Of a turn."""
MAX_CONTEXT_WORDS = 60
_TOKEN = re.compile(
    r"--\[\[.*?\]\]|--[^\n]*"
    r"|\b(?P<border>function|if|do|repeat|elseif|else|end|until)\b"
    r'|\b(?:addm|addv|planDialog|planDialogSet|planTalk|talk)\s*\([^"\n]*?"(?P<id>[^"]*)"(?P<joined>\s*\.\.)?'
    r'|"(?:[^"\\\n]|\\.)*"',
    re.DOTALL,
)
Planned = tuple[str, ...]
"""The ids of which one is said: of `"let-v-vrak" .. random(3)` three."""


def heard(target: str) -> str:
    """The language of the voices beside replies in a language: never that one."""
    return next(code for code in VOICES if code != target)


def replies(level: Level, language: str) -> Iterator[Example]:
    """For every change of speaker with turns of 1 to 40 words: up to two turns, the last one's voice, the reply."""
    seen = set()
    for number, (before, said) in enumerate(exchanges(level.code, level.lines)):
        for choice in range(max(len(said), len(before[-1]))):
            reply = level.lines[said[choice % len(said)]]
            context = [level.lines[one[choice % len(one)]] for one in before[-2:]]
            example = _example(f"{level.name}/{number}/{choice}", context, reply, language, level.name)
            if example is not None and (example.text, example.target) not in seen:
                seen.add((example.text, example.target))
                yield example


def _example(identifier: str, context: Sequence[Line], reply: Line, language: str, level: str) -> Example | None:
    """The example of a reply; None if its speaker has spoken last, or a text is not there or too long."""
    last, target = context[-1], reply.texts.get(language, "")
    text = last.texts.get(language, "")
    if last.speaker == reply.speaker or not all(1 <= _words(part) <= MAX_WORDS for part in (text, target)):
        return None
    shown = [line for line in context if language in line.texts]
    if sum(_words(line.texts[language]) for line in shown) > MAX_CONTEXT_WORDS:
        shown = [last]
    spoken = heard(language)
    return Example(
        identifier,
        "\n".join(f"{line.speaker}: {line.texts[language]}" for line in shown),
        target,
        audio=last.voices.get(spoken),
        language=language,
        meta={"level": level, "speaker": reply.speaker, "last_turn": text, "speech": spoken},
    )


def exchanges(code: str, lines: Mapping[str, Line]) -> Iterator[tuple[Sequence[Planned], Planned]]:
    """What is planned in a script, each with what was planned before it (at least one)."""
    before: tuple[Planned, ...] = ()
    outside: list[tuple[Planned, ...]] = []
    for token in _TOKEN.finditer(code):
        match token["border"]:
            case "function":
                outside.append(before)
                before = ()
            case "if" | "do" | "repeat":
                outside.append(before)
            case "else" | "elseif":
                before = outside[-1]
            case "end" | "until":
                before = outside.pop()
            case None if token["id"] is not None:
                if said := _planned(token["id"], token["joined"] is not None, lines):
                    if before:
                        yield before, said
                    before = (*before, said)


def _planned(start: str, joined: bool, lines: Mapping[str, Line]) -> Planned:
    if not joined:
        return (start,) if start in lines else ()
    return tuple(sorted(one for one in lines if re.fullmatch(re.escape(start) + r"\d+", one)))


def _words(text: str) -> int:
    return len(text.split())
