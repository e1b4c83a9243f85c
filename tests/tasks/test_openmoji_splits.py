from collections import Counter

from bimodal_tasks.openmoji.combinations import TONES, parse_all
from bimodal_tasks.openmoji.splits import MIN_NAMES, Item, compositional, draw, hard, is_flag_or_keycap

JOBS = {
    "1F33E": "farmer",
    "1F373": "cook",
    "1F393": "student",
    "1F3A8": "artist",
    "1F3A4": "singer",
    "1F3EB": "teacher",
    "1F3ED": "worker",
    "1F37C": "feeder",
    "1F384": "claus",
    "1F527": "mechanic",
    "1F52C": "scientist",
    "1F680": "astronaut",
    "1F692": "firefighter",
}
PEOPLE = {"1F9D1": "", "1F468": "man ", "1F469": "woman "}


def people() -> list[Item]:
    """All jobs in three genders and six tones: 234 emoji, each with a look of its own."""
    items = []
    for job, job_name in JOBS.items():
        for person, gender in PEOPLE.items():
            for tone, tone_name in {"": "", **TONES}.items():
                code_points = "-".join(filter(None, (person, tone, "200D", job)))
                name = f"{gender}{job_name}" + (f" {tone_name} skin tone" if tone else "")
                items.append(Item(code_points, name, look=code_points))
    return items


def test_compositional_holds_out_what_is_known_in_parts() -> None:
    items = people()
    splits = compositional(items)
    parts = parse_all(item.id for item in items)
    held_out = [item for item in items if splits[item.id] != "train"]
    training = [item for item in items if splits[item.id] == "train"]
    words = Counter(word for item in training for word in set(item.name.split()))
    assert {splits[item.id] for item in held_out} == {"validation", "test"}
    for item in held_out:
        combination = parts[item.id]
        known = [parts[other.id] for other in training]
        assert combination not in known
        assert combination.concept in {other.concept for other in known}
        assert sum(other.tone == combination.tone for other in known) >= MIN_NAMES
        assert sum(other.gender == combination.gender for other in known) >= MIN_NAMES
        assert all(words[word] >= MIN_NAMES for word in item.name.split())


def test_what_has_a_rare_word_returns_to_training() -> None:
    drawn = next(item for item in people() if compositional(people())[item.id] == "test")
    renamed = [
        Item(item.id, f"{item.name} zymurgist" if item.id == drawn.id else item.name, item.look) for item in people()
    ]
    assert compositional(renamed)[drawn.id] == "train"


def test_lookalikes_are_never_held_out() -> None:
    for rule in (compositional, hard):
        held_out = [item for item in people() if rule(people())[item.id] != "train"]
        assert held_out
        twins = {item.id: held_out[0].id for item in held_out}
        same = [Item(item.id, item.name, twins.get(item.id, item.look)) for item in people()]
        splits = rule(same)
        assert {splits[item.id] for item in held_out} == {"train"}


def test_the_order_of_the_emoji_does_not_matter() -> None:
    for rule in (compositional, hard):
        assert rule(people()) == rule(people()[::-1])


def test_hard_keeps_the_members_of_a_concept_together() -> None:
    items = people()
    splits = hard(items)
    parts = parse_all(item.id for item in items)
    by_concept = {(parts[item.id].concept, splits[item.id]) for item in items}
    assert len(by_concept) == len(JOBS)
    assert {split for _, split in by_concept} > {"train"}


def test_single_emoji_are_not_held_out_as_combinations() -> None:
    apples = [Item(f"1F{index:X}", f"fruit {index}", f"1F{index:X}") for index in range(0x300, 0x3F0)]
    assert set(compositional(apples).values()) == {"train"}


def test_flags_and_keycaps_are_not_held_out_as_concepts() -> None:
    flags = [f"1F1E6-1F1{index:X}" for index in range(0xE6, 0x100)] + [f"003{digit}-20E3" for digit in range(10)]
    assert all(map(is_flag_or_keycap, flags))
    assert set(hard([Item(flag, flag, flag) for flag in flags]).values()) == {"train"}
    assert not is_flag_or_keycap("1F34E")


def test_the_draw_has_the_asked_probabilities_and_stays() -> None:
    drawn = Counter(draw("salt", str(key), test=0.15, validation=0.1) for key in range(10_000))
    assert abs(drawn["test"] - 1500) < 150
    assert abs(drawn["validation"] - 1000) < 130
    assert draw("salt", "1", test=0.15, validation=0.1) == draw("salt", "1", test=0.15, validation=0.1)
