"""ngrams: Kneser-Ney against nltk's, against its definition, and as a distribution."""

from itertools import product
from math import log2

import pytest

from bimodal.ngrams import KneserNey

BEGIN, VOCABULARY = 0, 6
TEXTS = ((1, 2, 3, 1, 2, 4), (2, 3, 1, 1, 2), (4, 4, 1, 2, 3), (1, 2, 3, 1, 2, 4, 5))
NO_UNIFORM = (0.0, 0.0, 0.0)


def model(order: int, *, discount: float | None = None) -> KneserNey:
    fixed = None if discount is None else (NO_UNIFORM, *[(discount,) * 3] * (order - 1))
    return KneserNey.train(TEXTS, order=order, begin=BEGIN, vocab_size=VOCABULARY, discounts=fixed)


def test_equals_nltks_interpolated_kneser_ney() -> None:
    from nltk.lm import KneserNeyInterpolated
    from nltk.lm.preprocessing import padded_everygrams

    order = 3
    texts = [[f"{token}" for token in text] for text in TEXTS]
    theirs = KneserNeyInterpolated(order, discount=0.7)
    # nltk predicts begin and end tokens, too; here nobody writes them.
    grams = [
        [gram for gram in padded_everygrams(order, text) if gram[-1] != "<s>" and "</s>" not in gram] for text in texts
    ]
    theirs.fit(grams, vocabulary_text=["<s>", *"12345"])
    ours = model(order, discount=0.7)
    for context in product((1, 2, 3, 4), repeat=order - 1):
        if theirs.counts[[*map(str, context)]].N() == 0:
            continue
        for token in range(1, VOCABULARY):
            expected = theirs.score(str(token), [str(c) for c in context])
            assert ours.probability(token, context) == pytest.approx(expected, abs=1e-12), (token, context)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [(1, 2, 3, 1), (5, 5, 5, 5), (0, 0, 0, 0), (4, 1, 2, 3)])
def test_probabilities_of_all_tokens_sum_to_one(order: int, context: tuple[int, ...]) -> None:
    found = model(order)
    total = sum(found.probability(token, context[: order - 1]) for token in range(VOCABULARY))
    assert total == pytest.approx(1.0)


def test_a_single_token_is_as_likely_as_the_number_of_tokens_it_followed() -> None:
    # Before 1: begin, 3, 1, 4; before 2: 1, begin; before 3: 2; before 4: 2, begin, 4; before 5: 4. Eleven in all.
    unigrams = model(2, discount=0.5).seen[0][()]
    assert dict(unigrams.counts) == {1: 4, 2: 2, 3: 1, 4: 3, 5: 1}


def test_a_token_never_seen_is_possible() -> None:
    assert 0.0 < model(3).probability(0, (1, 2)) < 0.2


def test_bits_are_of_the_tokens_asked_for_with_those_before_as_context() -> None:
    found = model(3)
    expected = -log2(found.probability(3, (1, 2))) - log2(found.probability(1, (2, 3)))
    assert found.bits((1, 2, 3, 1), first=2) == pytest.approx(expected)
    assert found.bits((1, 2), first=0) == pytest.approx(
        -log2(found.probability(1, (0, 0))) - log2(found.probability(2, (0, 1)))
    )


def test_what_was_seen_is_likelier_than_what_was_not() -> None:
    found = model(3)
    assert found.bits((1, 2, 3), first=0) < found.bits((3, 2, 1), first=0)


def test_discounts_are_those_of_chen_and_goodman() -> None:
    # 8 tokens once, 4 twice, 2 three times, 1 four times: Y = 8 / 16.
    texts = [(token,) for token, times in enumerate([1] * 8 + [2] * 4 + [3] * 2 + [4]) for _ in range(times)]
    found = KneserNey.train(texts, order=1, begin=99, vocab_size=20)
    assert found.discounts[0] == pytest.approx((1 - 2 * 0.5 * 4 / 8, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 * 1 / 2))
