"""BIO tags: the entities they spell, the tags there are, and sentences with their entities marked."""

import pytest

from bimodal.errors import DataError
from bimodal.tags import Entity, entities, marked, tag_names, tagged_example, tags_of, words_of
from bimodal.types import Example


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-PER I-PER O", [Entity(0, 2, "PER")]),
        ("B-PER B-PER", [Entity(0, 1, "PER"), Entity(1, 2, "PER")]),
        ("B-PER I-LOC", [Entity(0, 1, "PER"), Entity(1, 2, "LOC")]),
        ("O I-PER I-PER", [Entity(1, 3, "PER")]),
        ("B-creative-work I-creative-work", [Entity(0, 2, "creative-work")]),
    ],
)
def test_tags_spell_entities(tags: str, expected: list[Entity]) -> None:
    assert list(entities(tags.split())) == expected


def test_a_marked_sentence_has_its_entities_in_brackets() -> None:
    assert (
        marked(["Ann", "Lee", "likes", "Paris", "."], ["B-PER", "I-PER", "O", "B-LOC", "O"])
        == "[PER Ann Lee] likes [LOC Paris] ."
    )


def test_every_type_gives_two_tags_even_if_one_does_not_occur() -> None:
    rows = [tagged_example("a", ["Rome"], ["B-LOC"]), tagged_example("b", ["Ann"], ["I-PER"])]
    assert tag_names(rows) == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_only_a_single_space_parts_words() -> None:
    assert words_of("10\u00a0000 men") == ["10\u00a0000", "men"]
    assert words_of("") == []


def test_an_example_without_tags_is_refused() -> None:
    with pytest.raises(DataError, match="Example 'a' has no tags: its data set is not for tagging"):
        tags_of(Example("a", "Rome", "Rome"))


def test_tags_that_do_not_fit_the_words_are_refused() -> None:
    with pytest.raises(DataError, match="Example 'a' has 1 tags for 2 words: each word needs one"):
        tags_of(Example("a", "in Rome", "", tags=("O",)))
