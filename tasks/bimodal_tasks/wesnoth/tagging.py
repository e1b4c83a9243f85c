"""Turns with their names tagged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bimodal.schema import Split
from bimodal.tags import entities, tagged_example, tags_of, words_of
from bimodal.types import Example
from bimodal_tasks.wesnoth.examples import name_of
from bimodal_tasks.wesnoth.names import Names
from bimodal_tasks.wesnoth.portraits import Portraits
from bimodal_tasks.wesnoth.scenes import Scene
from bimodal_tasks.wesnoth.words import split_words

MIN_WORDS, MAX_WORDS = 3, 80
"""Words and punctuation marks of a turn; 98 % of all turns have at most 80."""


def tagged_turns(scenes: Sequence[Scene], portraits: Portraits, names: Names) -> Iterator[Example]:
    """Every different turn of a campaign of 3 to 80 words, tagged, with the face of who speaks."""
    seen = set()
    for scene in scenes:
        for at, turn in enumerate(scene.turns):
            words = split_words(turn.text)
            if not MIN_WORDS <= len(words) <= MAX_WORDS or (scene.campaign, words) in seen:
                continue
            seen.add((scene.campaign, words))
            yield tagged_example(
                f"{scene.campaign}/{scene.file}/{scene.number}/{at}",
                words,
                names.tags(words, scene.campaign),
                image=portraits.of(turn, scene.campaign),
                meta={"campaign": scene.campaign, "speaker": name_of(turn)},
            )


def with_novelty(splits: Mapping[Split, tuple[Example, ...]]) -> dict[Split, tuple[Example, ...]]:
    """The examples, each saying of its names (`meta["names"]`) whether training has them: known, some new, or none."""
    known = {name for example in splits["train"] for name in names_in(example)}

    def said(example: Example) -> str:
        found = names_in(example)
        return "none" if not found else "known" if found <= known else "some new"

    return {
        split: tuple(replace(row, meta={**row.meta, "names": said(row)}) for row in rows)
        for split, rows in splits.items()
    }


def names_in(example: Example) -> set[str]:
    """The names tagged in an example, as they are written."""
    words = words_of(example.text)
    return {" ".join(words[entity.start : entity.end]) for entity in entities(tags_of(example))}
