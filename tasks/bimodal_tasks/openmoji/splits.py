"""Which emoji are for training, validation and test: pure functions of code points, names and look-alikes.

Both variants draw by a hash of the code points, so that they are the same everywhere, whatever the order,
and hardly move when a release adds emoji. An emoji that looks (all but) the same as another is never held
out: its picture does not tell its name, and its twin in training would suggest a wrong one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bimodal.schema import Split
from bimodal_tasks.openmoji.combinations import Combination, parse_all

MIN_NAMES = 3
"""How many training names must hold every word, tone and gender of a held-out combination."""
REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
FLAGS = frozenset({0x1F38C, 0x1F3C1, 0x1F3F3, 0x1F3F4, 0x1F6A9})
KEYCAP = 0x20E3


@dataclass(frozen=True, slots=True)
class Item:
    """What the split rules need to know of an emoji."""

    id: str
    name: str
    look: str
    """Id of the first emoji that looks the same; its own where there is no other."""


def compositional(items: Sequence[Item]) -> dict[str, Split]:
    """Hold out unseen combinations of concept, skin tone and gender whose parts are all known from training.

    What is drawn returns to training unless its concept occurs there (with another tone or gender) and its
    tone, its gender and every word of its name occur in at least `MIN_NAMES` names of what was never drawn.
    Counting only those makes the outcome independent of the order; what returns can only add to the evidence.
    """
    parts = parse_all(item.id for item in items)
    unmistakable = _unmistakable(items)
    members = Counter(combination.concept for combination in parts.values())
    drawn = {
        item.id: draw("openmoji/compositional/1", item.id, test=0.15, validation=0.10)
        if item.id in unmistakable and members[parts[item.id].concept] > 1
        else "train"
        for item in items
    }
    kept = [item for item in items if drawn[item.id] == "train"]
    words = Counter(word for item in kept for word in set(item.name.split()))
    concepts = Counter(parts[item.id].concept for item in kept)
    tones = Counter(parts[item.id].tone for item in kept)
    genders = Counter(parts[item.id].gender for item in kept)

    def known(name: str, combination: Combination) -> bool:
        return (
            concepts[combination.concept] > 0
            and tones[combination.tone] >= MIN_NAMES
            and genders[combination.gender] >= MIN_NAMES
            and all(words[word] >= MIN_NAMES for word in name.split())
        )

    return {item.id: drawn[item.id] if known(item.name, parts[item.id]) else "train" for item in items}


def hard(items: Sequence[Item]) -> dict[str, Split]:
    """Hold out whole concepts, in all their tones and genders; flags and keycaps stay in training.

    A concept with a member that looks like another emoji stays in training as a whole.
    """
    parts = parse_all(item.id for item in items)
    unmistakable = _unmistakable(items)
    bound = {parts[item.id].concept for item in items if item.id not in unmistakable or is_flag_or_keycap(item.id)}
    return {
        item.id: "train"
        if parts[item.id].concept in bound
        else draw("openmoji/hard/1", parts[item.id].concept, test=0.08, validation=0.05)
        for item in items
    }


def draw(salt: str, key: str, *, test: float, validation: float) -> Split:
    """The split of a key: a fixed draw with the given probabilities."""
    digest = hashlib.sha256(f"{salt}:{key}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < test:
        return "test"
    return "validation" if share < test + validation else "train"


def is_flag_or_keycap(code_points: str) -> bool:
    """Whether an emoji is one whose name no other emoji helps to guess."""
    points = [int(part, 16) for part in code_points.split("-")]
    return points[0] in REGIONAL_INDICATORS or points[0] in FLAGS or KEYCAP in points


def _unmistakable(items: Sequence[Item]) -> frozenset[str]:
    """Ids of the emoji whose picture is nobody else's."""
    looks = Counter(item.look for item in items)
    return frozenset(item.id for item in items if looks[item.look] == 1)


VARIANTS: Mapping[str, Callable[[Sequence[Item]], dict[str, Split]]] = {
    "compositional": compositional,
    "hard": hard,
}
"""Split rules by name; the first is the default."""
