"""What an emoji is made of: its concept, skin tones and genders, read from its code points.

Unicode composes people from parts (Unicode Technical Standard #51, sections 2.3 and 2.4): a base, skin tone
modifiers U+1F3FB to U+1F3FF, gender signs or gendered bases, joined by U+200D. Taking the parts away leaves
the concept, which is written with gender-neutral bases: "woman farmer: dark skin tone" and "farmer" are both
`1F9D1-1F33E`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

JOINER = "200D"
NO_TONE = "none"
NO_GENDER = "none"
NEUTRAL = "person"

TONES: Mapping[str, str] = {
    "1F3FB": "light",
    "1F3FC": "medium-light",
    "1F3FD": "medium",
    "1F3FE": "medium-dark",
    "1F3FF": "dark",
}
SIGNS: Mapping[str, str] = {"2640": "woman", "2642": "man"}

# Gendered bases: (base of the concept, gender). Neutral ones are listed too, so that couples spell all parts.
BASES: Mapping[str, tuple[str, str]] = {
    "1F9D1": ("1F9D1", NEUTRAL),
    "1F468": ("1F9D1", "man"),
    "1F469": ("1F9D1", "woman"),
    "1F9D2": ("1F9D2", "child"),
    "1F466": ("1F9D2", "boy"),
    "1F467": ("1F9D2", "girl"),
    "1F9D3": ("1F9D3", NEUTRAL),
    "1F474": ("1F9D3", "man"),
    "1F475": ("1F9D3", "woman"),
    "1FAC5": ("1FAC5", NEUTRAL),
    "1F934": ("1FAC5", "man"),
    "1F478": ("1FAC5", "woman"),
    "1FAC4": ("1FAC4", NEUTRAL),
    "1FAC3": ("1FAC4", "man"),
    "1F930": ("1FAC4", "woman"),
    "1F57A": (
        "1F483",
        "man",
    ),  # dancers: there is no neutral one, the woman's code point stands for the concept
    "1F483": ("1F483", "woman"),
}

# Older, single code points for what is otherwise spelled as a sequence.
SPELLED_OUT: Mapping[str, tuple[str, ...]] = {
    "1F46B": ("1F469", JOINER, "1F91D", JOINER, "1F468"),  # woman and man holding hands
    "1F46C": ("1F468", JOINER, "1F91D", JOINER, "1F468"),  # men holding hands
    "1F46D": ("1F469", JOINER, "1F91D", JOINER, "1F469"),  # women holding hands
    "1F46F": ("1F9D1", JOINER, "1F430", JOINER, "1F9D1"),  # people with bunny ears
    "1F48F": ("1F9D1", JOINER, "2764", JOINER, "1F48B", JOINER, "1F9D1"),  # kiss
    "1F491": ("1F9D1", JOINER, "2764", JOINER, "1F9D1"),  # couple with heart
    "1F93C": ("1F9D1", JOINER, "1FAEF", JOINER, "1F9D1"),  # people wrestling
    "1F385": ("1F468", JOINER, "1F384"),  # Santa Claus
    "1F936": ("1F469", JOINER, "1F384"),  # Mrs. Claus
}
RIGHT_HAND, LEFT_HAND, HANDSHAKE = "1FAF1", "1FAF2", "1F91D"


@dataclass(frozen=True, slots=True)
class Combination:
    """The parts of one emoji."""

    concept: str
    """Code points without tones, genders and joiners, in gender-neutral form."""
    tone: str
    """`none`, one tone, or two different ones joined by `+` (couples)."""
    gender: str
    """`none` where the concept has no genders, else `person`, `man`, ...; `+` joins several."""


@cache  # splits and names both ask for every emoji
def parse(code_points: str) -> Combination:
    """Take one emoji apart.

    Args:
        code_points: Hexadecimal code points joined by `-`, without U+FE0F, as in `1F469-1F3FF-200D-1F33E`.
    """
    parts = code_points.split("-")
    tones = [TONES[part] for part in parts if part in TONES]
    bare = [part for part in parts if part not in TONES]
    if bare == [RIGHT_HAND, JOINER, LEFT_HAND]:  # a handshake of two tones is spelled as two hands
        bare = [HANDSHAKE]
    spelled = [out for part in bare for out in SPELLED_OUT.get(part, (part,))]
    signs = [SIGNS[part] for part in spelled if part in SIGNS]
    concept, genders = [], []
    for part in spelled:
        if part == JOINER or (part in SIGNS and len(spelled) > 1):
            continue
        base, gender = BASES.get(part, (part, ""))
        concept.append(base)
        if gender:
            genders.append(gender)
    if signs and len(spelled) > 1:  # one sign speaks for everybody in the picture
        genders = signs[:1] * max(len(genders), 1)
    return Combination(
        concept="-".join(concept),
        tone="+".join(tones if len(set(tones)) > 1 else tones[:1]) or NO_TONE,
        gender="+".join(genders) or NO_GENDER,
    )


def parse_all(ids: Iterable[str]) -> dict[str, Combination]:
    """Take emoji apart, knowing the others: a base without a sign is `person` where its concept has genders.

    A police officer (`1F46E`) has none of the gender code points, but stands beside a man and a woman who do.
    """
    combinations = {code_points: parse(code_points) for code_points in ids}
    genders: dict[str, set[str]] = defaultdict(set)
    for combination in combinations.values():
        genders[combination.concept].add(combination.gender)
    return {
        code_points: replace(combination, gender=NEUTRAL)
        if combination.gender == NO_GENDER and len(genders[combination.concept]) > 1
        else combination
        for code_points, combination in combinations.items()
    }
