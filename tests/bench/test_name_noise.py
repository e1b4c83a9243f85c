"""Name noise: what changes in a training sentence, what stays, and how often."""

import random

import pytest

from bimodal.collate import Encoded
from bimodal.errors import DataError
from bimodal.name_noise import CONSONANTS, VOWELS, noisy, with_name_noise
from bimodal.tags import tagged_example
from bimodal.types import Example

EXAMPLE = tagged_example(
    "a", ["Then", "Haldric", "of", "Glyn", "went", "home", "."], ["O", "B-PER", "I-PER", "I-PER", "O", "O", "O"]
)


def encoded(example: Example) -> Encoded:
    return Encoded(example, (1, 2), 2, word_starts=(1,), tags=(0,))


def shape(text: str) -> str:
    """Vowels, consonants and everything else, with their case."""
    kinds = {**dict.fromkeys(VOWELS, "a"), **dict.fromkeys(CONSONANTS, "b")}
    return "".join(kinds.get(c, kinds.get(c.lower(), c).upper()) for c in text)


def drawn(probability: float) -> list[Example]:
    rng = random.Random(0)
    return [noisy(EXAMPLE, probability, rng) for _ in range(400)]


def test_names_get_other_letters_of_the_same_kind_and_case() -> None:
    for example in drawn(1.0):
        _, name, particle, place, *_ = example.text.split()
        assert (shape(name), particle, shape(place)) == (shape("Haldric"), "of", shape("Glyn"))
    assert len({example.text.split()[1] for example in drawn(1.0)}) > 390


def test_ordinary_words_stay() -> None:
    texts = [example.text.split() for example in drawn(1.0)]
    assert {(words[0], *words[4:]) for words in texts} == {("Then", "went", "home", ".")}


def test_tags_stay_and_the_target_marks_the_new_words() -> None:
    for example in drawn(1.0):
        words = example.text.split()
        assert example.tags == EXAMPLE.tags
        assert f"[PER {' '.join(words[1:4])}]" in example.target


def test_it_happens_as_often_as_was_asked_for() -> None:
    changed = sum(example.text.split()[1] != "Haldric" for example in drawn(0.3))
    assert 0.24 < changed / 400 < 0.36


def test_the_same_seed_draws_the_same() -> None:
    rows = [encoded(EXAMPLE)] * 5
    once, again = (with_name_noise(rows, 0.5, 7, encoded) for _ in range(2))
    assert once == again != with_name_noise(rows, 0.5, 8, encoded)


def test_nothing_happens_by_default() -> None:
    rows = [encoded(EXAMPLE)]
    assert with_name_noise(rows, 0.0, 7, encoded) == rows


def test_a_row_that_would_outgrow_the_model_stays_as_it_was() -> None:
    def too_long(example: Example) -> Encoded:
        raise DataError("needs 300 positions; the model has 256")

    rows = [encoded(EXAMPLE)]
    assert with_name_noise(rows, 1.0, 7, too_long) == rows


@pytest.mark.parametrize("words", [["."], ["日本"], ["", "a"]])
def test_words_without_letters_or_of_none_are_no_trouble(words: list[str]) -> None:
    example = tagged_example("b", words, ["O"] * len(words))
    assert noisy(example, 1.0, random.Random(0)).tags == example.tags
