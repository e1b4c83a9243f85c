from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from bimodal import metrics
from bimodal.metrics.cider import cider_d_scores
from bimodal.metrics.diversity import distinct, diversity_metrics
from bimodal.metrics.overlap import bleu_tokenizer
from bimodal.metrics.words import rouge_l_f_measure, unigram_f1
from bimodal.types import Example, Prediction

TARGETS = ("red apple", "woman running: dark skin tone", "flag: France", "couple with heart: woman, man")
TRUE_TAGS = (("B-PER", "I-PER", "O"), ("O", "B-LOC", "O"), ("B-PER", "O", "O"), ("O", "O", "O"))
PREDICTED_TAGS = (("B-PER", "I-PER", "O"), ("O", "B-PER", "O"), ("O", "O", "O"), ("B-LOC", "O", "O"))
OUTPUTS = ("red apple", "man running: dark skin tone", "flag: Italy", "couple kissing")


def examples_of(targets: tuple[str, ...]) -> list[Example]:
    return [Example(id=str(i), text="", target=target) for i, target in enumerate(targets)]


def predictions_of(texts: tuple[str, ...], bits: float | None = None) -> list[Prediction]:
    return [Prediction(id=str(i), text=text, target_bits=bits) for i, text in enumerate(texts)]


def corpus_value(metric: metrics.CorpusMetric, texts: tuple[str, ...], targets: tuple[str, ...]) -> float:
    statistics = metric.statistics(predictions_of(texts), examples_of(targets))
    return float(metric.aggregate(statistics.sum(axis=0)))


WORDS = st.lists(
    st.sampled_from(["a", "bb", "cat,", "the", "man:", "woman-a", "dark", "é", "1.5", "."]), max_size=9
).map(" ".join)
CORPUS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6)


@given(CORPUS)
@settings(max_examples=150, deadline=None)
def test_bleu_equals_sacrebleu_on_any_corpus(corpus: list[tuple[str, str]]) -> None:
    texts, targets = zip(*corpus, strict=True)
    expected = BLEU().corpus_score(texts, [targets]).score
    assert corpus_value(metrics.BLEU4, texts, targets) == pytest.approx(expected, abs=1e-9)


@given(CORPUS)
@settings(max_examples=150, deadline=None)
def test_chrf_equals_sacrebleu_on_any_corpus(corpus: list[tuple[str, str]]) -> None:
    texts, targets = zip(*corpus, strict=True)
    expected = CHRF().corpus_score(texts, [targets]).score
    assert corpus_value(metrics.CHRF2, texts, targets) == pytest.approx(expected, abs=1e-9)


@given(CORPUS)
@settings(max_examples=150, deadline=None)
def test_ter_equals_sacrebleu_on_any_corpus(corpus: list[tuple[str, str]]) -> None:
    texts, targets = zip(*corpus, strict=True)
    expected = TER().corpus_score(texts, [targets]).score
    assert corpus_value(metrics.TER_RATE, texts, targets) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 60), min_size=10, max_size=10))
@settings(max_examples=300, deadline=None)
def test_bleu_of_any_sums_equals_sacrebleu(sums: list[int]) -> None:
    correct = [min(a, b) for a, b in zip(sums[2:6], sums[6:], strict=True)]
    sums[0] = max(sums[0], *sums[6:])  # a system with n-grams has words
    expected = BLEU.compute_bleu(list(correct), sums[6:], sums[0], sums[1], smooth_method="exp").score
    value = float(metrics.BLEU4.aggregate(np.array([*sums[:2], *correct, *sums[6:]], dtype=float)))
    assert value == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 60), min_size=18, max_size=18))
@settings(max_examples=300, deadline=None)
def test_chrf_of_any_sums_equals_sacrebleu(sums: list[int]) -> None:
    sums[2::3] = [min(triple) for triple in zip(sums[0::3], sums[1::3], sums[2::3], strict=True)]
    expected = CHRF()._compute_f_score(sums)
    assert float(metrics.CHRF2.aggregate(np.array(sums, dtype=float))) == pytest.approx(expected, abs=1e-9)


def test_bleu_statistics_are_lengths_then_matches_then_totals() -> None:
    rows = metrics.BLEU4.statistics(predictions_of(("the red apple",)), examples_of(("the red big apple",)))
    assert rows.tolist() == [[3, 4, 3, 1, 0, 0, 3, 2, 1, 0]]


@pytest.mark.parametrize("metric", metrics.CORPUS_METRICS.values(), ids=lambda metric: metric.name)
def test_aggregate_scores_many_sums_at_once_as_one_by_one(metric: metrics.CorpusMetric) -> None:
    # Tags beside the texts, so that one pair of lists serves every kind of task.
    predictions = [
        replace(prediction, tags=tags)
        for prediction, tags in zip(predictions_of(OUTPUTS, bits=12.0), PREDICTED_TAGS, strict=True)
    ]
    examples = [
        replace(example, text="a b c", tags=tags) for example, tags in zip(examples_of(TARGETS), TRUE_TAGS, strict=True)
    ]
    rows = metric.statistics(predictions, examples)
    together = metric.aggregate(np.stack([rows, rows + 1.0]))
    one_by_one = [[float(metric.aggregate(row)) for row in block] for block in (rows, rows + 1.0)]
    assert together.tolist() == pytest.approx(np.array(one_by_one))


@given(WORDS, WORDS)
@settings(max_examples=150, deadline=None)
def test_rouge_l_equals_rouge_score(prediction: str, target: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    expected = RougeScorer(["rougeL"], use_stemmer=False).score(target, prediction)["rougeL"].fmeasure
    assert rouge_l_f_measure(prediction, target) == pytest.approx(expected, abs=1e-12)


def test_rouge_l_of_a_missing_word() -> None:
    assert rouge_l_f_measure("red apple", "big red apple") == pytest.approx(2 * 2 / (2 + 3))


def test_exact_match_ignores_white_space_around_and_nothing_else() -> None:
    value = corpus_value(metrics.EXACT_MATCH, (" red apple\n", "Red apple"), ("red apple", "red apple"))
    assert value == 50.0


def test_bits_per_byte_divides_all_bits_by_all_utf8_bytes() -> None:
    predictions = [Prediction("0", "", target_bits=10.0), Prediction("1", "", target_bits=2.0)]
    result = metrics.text_metrics(predictions, examples_of(("é", "ab")))
    assert result["bits_per_byte"].value == pytest.approx(12.0 / 4.0)
    assert not result["bits_per_byte"].higher_is_better


def test_text_metrics_of_perfect_predictions_are_at_the_maximum() -> None:
    targets = ("woman running: dark skin tone", "a couple with a heart")
    result = metrics.text_metrics(predictions_of(targets, bits=0.0), examples_of(targets))
    values = {name: metric.value for name, metric in result.items()}
    assert values == pytest.approx(
        {"bleu": 100.0, "chrf": 100.0, "exact_match": 100.0, "rouge_l": 100.0, "bits_per_byte": 0.0}
    )


def test_text_metrics_carry_sacrebleu_signatures() -> None:
    result = metrics.text_metrics(predictions_of(OUTPUTS), examples_of(TARGETS))
    assert "tok:13a|smooth:exp|version:" in result["bleu"].signature
    assert "nc:6|nw:0|space:no|version:" in result["chrf"].signature


def test_text_metrics_leave_out_bits_per_byte_where_one_prediction_has_no_bits() -> None:
    predictions = [Prediction("0", "a", target_bits=3.0), Prediction("1", "b")]
    assert "bits_per_byte" not in metrics.text_metrics(predictions, examples_of(("a", "b")))


def test_an_interval_contains_the_value_and_repeats() -> None:
    arguments = (predictions_of(OUTPUTS), examples_of(TARGETS))
    first, again = metrics.text_metrics(*arguments), metrics.text_metrics(*arguments)
    assert first == again
    interval = first["chrf"].ci95
    assert interval is not None
    assert interval[0] < first["chrf"].value < interval[1]


def test_one_example_has_no_interval() -> None:
    result = metrics.text_metrics(predictions_of(("a",)), examples_of(("a",)))
    assert result["chrf"].ci95 is None


def test_predictions_in_another_order_than_the_examples_are_refused() -> None:
    examples = examples_of(("a", "b"))
    with pytest.raises(ValueError, match=r"Prediction 0 answers example '1', but example 0 is '0'"):
        metrics.text_metrics(predictions_of(("a", "b"))[::-1], examples)


def test_missing_predictions_are_refused() -> None:
    with pytest.raises(ValueError, match="1 predictions for 2 examples"):
        metrics.text_metrics(predictions_of(("a",)), examples_of(("a", "b")))
    with pytest.raises(ValueError, match="nothing to score"):
        metrics.text_metrics([], [])


def test_bits_per_byte_of_predictions_without_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="Prediction '0' has no target_bits"):
        metrics.BITS_PER_BYTE.statistics(predictions_of(("a",)), examples_of(("a",)))


def test_scoring_text_needs_neither_torch_nor_nltk() -> None:
    code = "import sys, bimodal.metrics; print({'torch', 'nltk'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


CHINESE = ("今天天气很好。", "我喜欢红苹果。")
CHINESE_OUTPUT = ("今天天气不好。", "我喜欢苹果。")


def in_language(targets: tuple[str, ...], language: str) -> list[Example]:
    return [Example(str(i), "", target, language=language) for i, target in enumerate(targets)]


def test_words_are_cut_as_is_right_for_the_language_of_the_target() -> None:
    found = metrics.translation_metrics(predictions_of(CHINESE_OUTPUT), in_language(CHINESE, "zh"))
    expected = BLEU(tokenize="zh").corpus_score(CHINESE_OUTPUT, [CHINESE]).score
    assert found["bleu"].value == pytest.approx(expected)
    assert "tok:zh" in found["bleu"].signature
    ter = TER(normalized=True, asian_support=True).corpus_score(CHINESE_OUTPUT, [CHINESE]).score
    assert found["ter"].value == pytest.approx(ter)
    assert "asian:yes" in found["ter"].signature


def test_several_languages_are_scored_each_by_its_own_tokenizer() -> None:
    targets = (*CHINESE, *TARGETS)
    mixed = [
        Example(str(i), "", target, language="zh" if i < len(CHINESE) else "en") for i, target in enumerate(targets)
    ]
    rows = metrics.BLEU4.statistics(predictions_of((*CHINESE_OUTPUT, *OUTPUTS)), mixed)
    chinese = metrics.BLEU4.statistics(predictions_of(CHINESE_OUTPUT), in_language(CHINESE, "zh"))
    english = metrics.BLEU4.statistics(predictions_of(OUTPUTS), examples_of(TARGETS))
    assert np.array_equal(rows, np.concatenate([chinese, english]))
    assert "en: nrefs" in metrics.BLEU4.signature(mixed)
    assert "zh: nrefs" in metrics.BLEU4.signature(mixed)


@pytest.mark.parametrize(("language", "preferred"), [("ja", "ja-mecab"), ("ko", "ko-mecab")])
def test_a_language_whose_dictionary_is_missing_is_scored_by_characters(
    monkeypatch: pytest.MonkeyPatch, language: str, preferred: str
) -> None:
    bleu_tokenizer.cache_clear()
    assert bleu_tokenizer(language) in (preferred, "char")
    bleu_tokenizer.cache_clear()
    monkeypatch.setitem(sys.modules, "MeCab", None)
    monkeypatch.setitem(sys.modules, "mecab_ko", None)
    for module in ("ja_mecab", "ko_mecab"):
        monkeypatch.delitem(sys.modules, f"sacrebleu.tokenizers.tokenizer_{module}", raising=False)
    assert bleu_tokenizer(language) == "char"
    bleu_tokenizer.cache_clear()


CAPTIONS = st.lists(st.sampled_from(["a", "man", "woman", "farmer", "dark", "skin", "tone"]), max_size=8).map(" ".join)


@given(st.lists(st.tuples(CAPTIONS, CAPTIONS), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_cider_d_equals_its_authors_implementation(corpus: list[tuple[str, str]]) -> None:
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    texts, targets = zip(*corpus, strict=True)
    reference = CiderScorer(n=4, sigma=6.0)
    for text, target in corpus:
        reference += (text, [target])
    reference.compute_doc_freq()
    assert cider_d_scores(texts, targets) == pytest.approx(reference.compute_cider(), abs=1e-9)


def test_unigram_f1_counts_words_in_common() -> None:
    assert unigram_f1("The cat, sat!", "a cat sat down") == pytest.approx(2 * 2 / (2 + 3))
    assert unigram_f1("dog", "cat") == unigram_f1("", "cat") == 0.0


def test_distinct_counts_different_ngrams_of_all_texts_together() -> None:
    assert distinct(["a b a", "A b"], 1) == pytest.approx(2 / 5)
    assert distinct(["a b a", "a b"], 2) == pytest.approx(2 / 3)
    assert distinct(["", "a"], 2) == 0.0


def test_length_distance_is_between_lengths_as_a_whole_and_difference_one_by_one() -> None:
    predictions, examples = predictions_of(("a b", "a")), examples_of(("x", "x y"))
    assert diversity_metrics(predictions, examples)["length_distance"].value == 0.0
    assert metrics.reply_metrics(predictions, examples)["length_difference"].value == 1.0
    assert diversity_metrics(predictions_of(("a b c", "a b c")), examples)["length_distance"].value == 1.5
