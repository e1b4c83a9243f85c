"""Features of words: what is counted in training, and what is told of a word that training does not have."""

import pytest
import torch

from bimodal.collate import NO_LOSS, Collator
from bimodal.name_noise import with_name_noise
from bimodal.schema import ModelConfig
from bimodal.tags import tag_names, tagged_example
from bimodal.tokenizer import train_tokenizer
from bimodal.word_features import WINDOW, Lexicon, begins_sentence

TRAIN = [
    ["The", "king", "went", "to", "Weldyn", "."],
    ["the", "Council", "of", "Weldyn", "heard", "the", "king", "."],
    ["Hail", "Kalenz", "!", "Hail", "king", "Haldric", "of", "weldyn", "!"],
]
CENTRE = WINDOW.index(0)
UNKNOWN = Lexicon.of(TRAIN).sizes.unknown_word


def which(word: str) -> int:
    """The index of a word that stands alone."""
    (features,) = Lexicon.of(TRAIN).features([word])
    return features.words[CENTRE]


def shape(*words: str, at: int) -> int:
    return Lexicon.of(TRAIN).features(words)[at].shapes[CENTRE]


def test_a_word_is_the_same_however_it_is_written() -> None:
    assert which("the") == which("The") == which("THE") != which("king")


@pytest.mark.parametrize("word", ["Kalenz", "Haldric", "heard", "Asheviere", "日本", ""])
def test_words_of_which_training_has_none_or_one_are_the_same_unknown_one(word: str) -> None:
    assert which(word) == UNKNOWN


def test_a_word_is_told_of_its_neighbours_and_where_the_sentence_ends() -> None:
    first, second, third = Lexicon.of(TRAIN).features(["the", "king", "Asheviere"])
    nothing = 0
    assert first.words == (nothing, nothing, which("the"), which("king"), UNKNOWN)
    assert second.words == (nothing, which("the"), which("king"), UNKNOWN, nothing)
    assert third.words == (which("the"), which("king"), UNKNOWN, nothing, nothing)


def test_a_capital_looks_different_on_a_word_that_is_usually_small() -> None:
    assert shape("a", "King", at=1) != shape("a", "Kalenz", at=1) == shape("a", "Asheviere", at=1)


def test_a_name_written_small_once_stays_a_name() -> None:
    assert "weldyn" not in Lexicon.of(TRAIN).usually_small
    assert shape("to", "Weldyn", at=1) == shape("to", "Asheviere", at=1)


def test_capitals_that_a_sentence_asks_for_do_not_count_as_such() -> None:
    assert "the" in Lexicon.of(TRAIN).usually_small
    assert "hail" not in Lexicon.of(TRAIN).usually_small  # never seen small


@pytest.mark.parametrize(
    ("words", "at", "expected"),
    [(["A"], 0, True), (["!", "A"], 1, True), (["a", "A"], 1, False), (["", "A"], 1, False)],
)
def test_sentences_begin_at_the_start_and_after_what_ends_them(words: list[str], at: int, expected: bool) -> None:
    assert begins_sentence(words, at) is expected


def test_words_with_the_same_ending_share_an_affix_and_rare_ones_are_none() -> None:
    lexicon = Lexicon.of([["running", "going", "Xu"]])
    running, singing, rare = lexicon.features(["running", "singing", "Xu"])
    assert running.affixes[5] == singing.affixes[5] > 0  # -ing
    assert set(rare.affixes) == {0}


def test_all_indices_are_within_the_sizes() -> None:
    lexicon = Lexicon.of(TRAIN)
    sizes = lexicon.sizes
    for words in [*TRAIN, ["Q", "QQ", "q1", "1"]]:
        for word in lexicon.features(words):
            assert max(word.words) < sizes.words
            assert max(word.shapes) < sizes.shapes
            assert max(word.affixes) < sizes.affixes
            assert len(word.words) == len(word.shapes) == sizes.window


def test_the_order_of_the_sentences_is_no_matter() -> None:
    assert Lexicon.of(TRAIN) == Lexicon.of(TRAIN[::-1])


EXAMPLES = [
    tagged_example("a", ["the", "king", "Haldric"], ["O", "O", "B-PER"]),
    tagged_example("b", ["Hail"], ["O"]),
]


@pytest.fixture(scope="module")
def collator() -> Collator:
    tokens = train_tokenizer([" ".join(words) for words in TRAIN], 300)
    config = ModelConfig(name="gpt", max_positions=48)
    names = tag_names(EXAMPLES)
    return Collator.create(tokens, lambda example: example.text, config, (), names, Lexicon.of(TRAIN))


def test_a_batch_holds_the_features_at_each_words_first_token(collator: Collator) -> None:
    rows = [collator.encode(example) for example in EXAMPLES]
    batch = collator.training_batch(rows)
    assert batch.features is not None
    for index, (row, example) in enumerate(zip(rows, EXAMPLES, strict=True)):
        expected = collator.lexicon.features(example.text.split())  # type: ignore[union-attr]
        at = list(row.word_starts)
        assert batch.features.words[index, at].tolist() == [list(word.words) for word in expected]
        assert batch.features.shapes[index, at].tolist() == [list(word.shapes) for word in expected]
        assert batch.features.affixes[index, at].tolist() == [list(word.affixes) for word in expected]
    elsewhere = batch.targets == NO_LOSS
    assert all(torch.all(feature[elsewhere] == 0) for feature in batch.features)


def test_what_is_to_be_tagged_is_told_the_same_as_in_training(collator: Collator) -> None:
    rows = [collator.encode(example) for example in EXAMPLES]
    asked, trained = collator.prompt_batch(rows).features, collator.training_batch(rows).features
    assert asked is not None
    assert trained is not None
    assert all(torch.equal(one, other) for one, other in zip(asked, trained, strict=True))


def test_a_name_with_other_letters_has_the_features_of_those(collator: Collator) -> None:
    row = collator.encode(EXAMPLES[0])
    (changed,) = with_name_noise([row], 1.0, 0, collator.encode)
    assert changed.features == collator.lexicon.features(changed.example.text.split())  # type: ignore[union-attr]
    assert changed.features != row.features
