"""Scores of n-gram overlap and of edits, as sacrebleu computes them: BLEU, chrF and TER.

Texts are cut into words by the tokenizer that is right for the language of their target; the signature says which.
Shape legend: example, statistic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from bimodal.metrics.corpus import CorpusMetric, Statistics
from bimodal.statistics import FloatArray
from bimodal.types import Example, Prediction

_Scorer = BLEU | CHRF | TER
_PREFERRED_TOKENIZER = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab", "th": "char", "lo": "char", "km": "char"}
"""By language, where it is not 13a: languages without spaces between words, and Korean, whose words are phrases."""


@lru_cache(maxsize=64)
def bleu_tokenizer(language: str) -> str:
    """Sacrebleu's tokenizer for a language; `char` where the right one needs a dictionary that is not installed.

    Source: Post (2018), A Call for Clarity in Reporting BLEU Scores, sec. 4; sacrebleu's README, "tokenization".
    """
    preferred = _PREFERRED_TOKENIZER.get(language, "13a")
    try:
        BLEU(tokenize=preferred)
    except (ImportError, RuntimeError):
        return "char"
    return preferred


# --- BLEU (Papineni et al. 2002, sec. 2) ---

_BLEU_ORDER = 4


def _bleu_scorer(language: str) -> BLEU:
    return BLEU(tokenize=bleu_tokenizer(language), smooth_method="exp", force=True)


def _bleu_metric() -> CorpusMetric:
    """Corpus BLEU with exponential smoothing, as sacrebleu computes it.

    Statistics: system length, reference length, matching n-grams of order 1 to 4, n-grams of order 1 to 4.

    Source: Papineni et al. (2002), BLEU, sec. 2; Post (2018), A Call for Clarity in Reporting BLEU Scores.
    """
    return CorpusMetric(
        name="bleu",
        unit="points",
        higher_is_better=True,
        signature=_signatures(_bleu_scorer),
        statistics=_by_language(_bleu_scorer),
        aggregate=_bleu_of_sums,
    )


def _bleu_of_sums(sums: FloatArray) -> FloatArray:
    system_length, reference_length = sums[..., 0], sums[..., 1]
    correct, total = sums[..., 2 : 2 + _BLEU_ORDER], sums[..., 2 + _BLEU_ORDER :]
    # Exponential smoothing (NIST): the k-th order without a match counts as 1 / 2^k matches.
    smoothed = np.where(correct > 0, correct, np.exp2(-np.cumsum(correct == 0, axis=-1)))
    log_precision = np.log(smoothed / np.maximum(total, 1)).mean(axis=-1)
    # exp(1 - r/s) for a system shorter than its reference; one with no words at all scores 0 below anyway.
    log_brevity = np.minimum(0.0, 1.0 - reference_length / np.maximum(system_length, 1))
    # No match of any order, or not one n-gram of some order: 0 by definition.
    defined = (correct > 0).any(axis=-1) & (total > 0).all(axis=-1) & (system_length > 0)
    return np.where(defined, 100.0 * np.exp(log_brevity + log_precision), 0.0)


# --- chrF (Popović 2015) ---

_CHRF_BETA = 2


def _chrf_scorer(language: str) -> CHRF:
    return CHRF(beta=_CHRF_BETA)  # characters are the same in every language


def _chrf_metric() -> CorpusMetric:
    """Corpus chrF2 over character n-grams of order 1 to 6 with effective order, as sacrebleu computes it.

    Statistics: for each order the n-grams of the hypothesis, of the reference, and of both.

    Source: Popović (2015), chrF: character n-gram F-score for automatic MT evaluation, sec. 2.
    """
    return CorpusMetric(
        name="chrf",
        unit="points",
        higher_is_better=True,
        signature=_signatures(_chrf_scorer),
        statistics=_by_language(_chrf_scorer),
        aggregate=_chrf_of_sums,
    )


def _chrf_of_sums(sums: FloatArray) -> FloatArray:
    hypothesis, reference, match = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    effective = (hypothesis > 0) & (reference > 0)
    order = np.maximum(effective.sum(axis=-1), 1)
    precision = np.where(effective, match / np.maximum(hypothesis, 1), 0.0).sum(axis=-1) / order
    recall = np.where(effective, match / np.maximum(reference, 1), 0.0).sum(axis=-1) / order
    denominator = _CHRF_BETA**2 * precision + recall
    f_score = (1 + _CHRF_BETA**2) * precision * recall / np.where(denominator > 0, denominator, 1.0)
    return np.asarray(100.0 * f_score)


# --- TER (Snover et al. 2006) ---

_ASIAN = frozenset({"zh", "ja"})


def _ter_scorer(language: str) -> TER:
    asian = language in _ASIAN  # characters are then words
    return TER(normalized=asian, asian_support=asian)


def _ter_metric() -> CorpusMetric:
    """Translation edit rate in percent: insertions, deletions, substitutions and shifts per word of the reference.

    Statistics: edits, words of the reference.

    Source: Snover et al. (2006), A Study of Translation Edit Rate with Targeted Human Annotation, sec. 2.
    """
    return CorpusMetric(
        name="ter",
        unit="percent",
        higher_is_better=False,
        signature=_signatures(_ter_scorer),
        statistics=_by_language(_ter_scorer),
        aggregate=_ter_of_sums,
    )


def _ter_of_sums(sums: FloatArray) -> FloatArray:
    edits, words = sums[..., 0], sums[..., 1]
    # Edits and nothing to be right about: 100 %, as sacrebleu has it.
    return np.asarray(100.0 * np.where(words > 0, edits / np.maximum(words, 1.0), np.minimum(edits, 1.0)))


# --- what sacrebleu gives ---


def _by_language(scorer_of: Callable[[str], _Scorer]) -> Statistics:
    """Statistics of each example by the scorer of its target's language."""

    def statistics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
        rows: dict[int, Sequence[float]] = {}
        for language in languages_of(examples):
            mine = [index for index, example in enumerate(examples) if example.language == language]
            texts, targets = [predictions[index].text for index in mine], [examples[index].target for index in mine]
            found = scorer_of(language)._extract_corpus_statistics(texts, [targets])
            rows.update(zip(mine, found, strict=True))
        return np.array([rows[index] for index in range(len(examples))], dtype=np.float64)

    return statistics


def _signatures(scorer_of: Callable[[str], _Scorer]) -> Callable[[Sequence[Example]], str]:
    """Sacrebleu's own signature; one per language where there are several that differ."""

    def signature(examples: Sequence[Example]) -> str:
        written = {language: _signature(scorer_of(language)) for language in languages_of(examples) or ("en",)}
        if len(set(written.values())) == 1:
            return next(iter(written.values()))
        return "; ".join(f"{language}: {text}" for language, text in written.items())

    return signature


def _signature(scorer: _Scorer) -> str:
    # sacrebleu knows the number of references only after it has seen some.
    scorer._extract_corpus_statistics([""], [[""]])
    return str(scorer.get_signature())


def languages_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """The languages of the targets, sorted."""
    return tuple(sorted({example.language for example in examples}))


BLEU4 = _bleu_metric()
CHRF2 = _chrf_metric()
TER_RATE = _ter_metric()
