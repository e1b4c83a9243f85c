"""The best entity F1 that anybody can reach on given examples, who knows them all but perceives only part of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from bimodal.tags import entities, tags_of
from bimodal.types import Example


def reading(example: Example) -> Hashable:
    """What a text-only contestant perceives."""
    return example.text


def reading_and_seeing(example: Example) -> Hashable:
    """What a contestant perceives that has the picture, too."""
    return example.text, example.image


def best_entity_f1(examples: Sequence[Example], perceives: Callable[[Example], Hashable]) -> float:
    """The highest micro entity F1 of any rule from what is perceived to tags, on these examples.

    Examples that are perceived alike are tagged alike. Where an entity of the same words has several types, a rule
    gives one of them (or none), so of n such examples it gets right at most the n_max of the most frequent type. Giving
    that type adds n_max found among n given, which raises F1 = 2 found / (given + true) whenever n_max / n > F1 / 2;
    since F1 <= 1, it does for every n_max / n >= 1/2, and that is checked here. (Entities whose boundaries depend on
    the picture do not occur in this data set.)

    Raises:
        ValueError: an entity has no type that is right in at least half of the cases; the argument above fails.
    """
    by_entity: dict[Hashable, Counter[str]] = {}
    for example in examples:
        for entity in entities(tags_of(example)):
            key = perceives(example), entity.start, entity.end
            by_entity.setdefault(key, Counter())[entity.type] += 1
    found = total = 0
    for which, types in by_entity.items():
        if 2 * max(types.values()) < types.total():
            raise ValueError(f"No type of {which} is right in half of the cases: this bound does not hold.")
        found += max(types.values())
        total += types.total()
    return found / total if total else 0.0
