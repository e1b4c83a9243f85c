"""Turns of a dialogue to examples: what was said before, who answers, and the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bimodal.types import Example

CONTEXT_TURNS = 3
"""How many turns before the answer are read."""
_SPEAKERS = ("A", "B")


def replies(identifier: str, turns: Sequence[str]) -> Iterator[Example]:
    """An example for every turn but the first; two speakers, A and B, take turns."""
    for at in range(1, len(turns)):
        yield reply(f"{identifier}:{at}", turns[:at], turns[at])


def reply(identifier: str, before: Sequence[str], answer: str) -> Example:
    """The example of one answer; the last of the turns before it was said by the other speaker."""
    shown = before[-CONTEXT_TURNS:]
    first = len(before) - len(shown)
    lines = [f"{_SPEAKERS[(first + offset) % 2]}: {turn}" for offset, turn in enumerate(shown)]
    speaker = _SPEAKERS[len(before) % 2]
    return Example(identifier, "\n".join(lines), answer, meta={"speaker": speaker, "last_turn": shown[-1]})
