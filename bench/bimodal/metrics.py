"""Scores of generated text, each with its signature and a bootstrap interval.

A score is modelled as sums over examples and a function of those sums (`CorpusMetric`), because that is what
can be resampled: `bimodal.statistics` draws test sets from the rows without scoring a text twice.

Shape legend: example, statistic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType

import numpy as np
from rouge_score.tokenize import tokenize as rouge_tokens
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bimodal.schema import Metric
from bimodal.statistics import FloatArray, bootstrap_interval
from bimodal.types import Example, Prediction

Statistics = Callable[[Sequence[Prediction], Sequence[Example]], FloatArray]


@dataclass(frozen=True, slots=True)
class CorpusMetric:
    """A score that is a function of sums over examples."""

    name: str
    unit: str
    """`points` (0 to 100) or `bits/byte`."""
    higher_is_better: bool
    signature: str
    """Everything needed to reproduce the score."""
    statistics: Statistics
    """Sufficient statistics [example, statistic] of predictions and examples in the same order."""
    aggregate: Callable[[FloatArray], FloatArray]
    """Scores [...] of sums [..., statistic]."""


def text_metrics(predictions: Sequence[Prediction], examples: Sequence[Example], *, seed: int = 0) -> dict[str, Metric]:
    """All text scores of predictions by name, each with a 95 % percentile bootstrap interval over examples.

    Keys: `bleu`, `chrf`, `exact_match`, `rouge_l` in points (0 to 100) and, where every prediction has
    `target_bits`, `bits_per_byte`.

    Raises:
        ValueError: No predictions, or predictions and examples that do not belong together.
    """
    _check_aligned(predictions, examples)
    metrics = {}
    for metric in applicable_metrics(predictions):
        statistics = metric.statistics(predictions, examples)
        metrics[metric.name] = Metric(
            value=float(metric.aggregate(statistics.sum(axis=0))),
            unit=metric.unit,
            higher_is_better=metric.higher_is_better,
            signature=metric.signature,
            ci95=bootstrap_interval(statistics, metric.aggregate, seed=seed),
        )
    return metrics


def applicable_metrics(predictions: Sequence[Prediction]) -> tuple[CorpusMetric, ...]:
    """The metrics these predictions have data for: bits per byte needs `target_bits` in every one of them."""
    with_bits = all(prediction.target_bits is not None for prediction in predictions)
    return tuple(metric for metric in CORPUS_METRICS.values() if with_bits or metric.name != BITS_PER_BYTE.name)


def _check_aligned(predictions: Sequence[Prediction], examples: Sequence[Example]) -> None:
    if not predictions:
        raise ValueError("There is nothing to score: no predictions.")
    if len(predictions) != len(examples):
        raise ValueError(
            f"{len(predictions)} predictions for {len(examples)} examples: each example needs exactly one."
        )
    for position, (prediction, example) in enumerate(zip(predictions, examples, strict=True)):
        if prediction.id != example.id:
            raise ValueError(
                f"Prediction {position} answers example {prediction.id!r}, but example {position} is "
                f"{example.id!r}: both must be in the same order."
            )


# --- BLEU (Papineni et al. 2002, sec. 2) ---

_BLEU_ORDER = 4


def bleu_metric(tokenize: str = "13a") -> CorpusMetric:
    """Corpus BLEU with exponential smoothing, as sacrebleu computes it.

    Statistics: system length, reference length, matching n-grams of order 1 to 4, n-grams of order 1 to 4.

    Source: Papineni et al. (2002), BLEU, sec. 2; Post (2018), A Call for Clarity in Reporting BLEU Scores.
    """
    scorer = BLEU(tokenize=tokenize, smooth_method="exp", force=True)
    return CorpusMetric(
        name="bleu",
        unit="points",
        higher_is_better=True,
        signature=_sacrebleu_signature(scorer),
        statistics=_sacrebleu_statistics(scorer),
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


def chrf_metric() -> CorpusMetric:
    """Corpus chrF2 over character n-grams of order 1 to 6 with effective order, as sacrebleu computes it.

    Statistics: for each order the n-grams of the hypothesis, of the reference, and of both.

    Source: Popović (2015), chrF: character n-gram F-score for automatic MT evaluation, sec. 2.
    """
    scorer = CHRF(beta=_CHRF_BETA)
    return CorpusMetric(
        name="chrf",
        unit="points",
        higher_is_better=True,
        signature=_sacrebleu_signature(scorer),
        statistics=_sacrebleu_statistics(scorer),
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


def _sacrebleu_statistics(scorer: BLEU | CHRF) -> Statistics:
    def statistics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
        texts, targets = [p.text for p in predictions], [e.target for e in examples]
        return np.array(scorer._extract_corpus_statistics(texts, [targets]), dtype=np.float64)

    return statistics


def _sacrebleu_signature(scorer: BLEU | CHRF) -> str:
    # sacrebleu knows the number of references only after it has seen some.
    scorer._extract_corpus_statistics([""], [[""]])
    return str(scorer.get_signature())


# --- means over examples ---


def _mean_of_points(sums: FloatArray) -> FloatArray:
    return 100.0 * sums[..., 0] / sums[..., 1]


def _score_and_count(score: Callable[[str, str], float]) -> Statistics:
    def statistics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
        pairs = zip(predictions, examples, strict=True)
        return np.array([(score(p.text, e.target), 1.0) for p, e in pairs])

    return statistics


def exactly_matches(prediction: str, target: str) -> bool:
    """Whether two texts are the same, white space around them aside."""
    return prediction.strip() == target.strip()


def rouge_l_f_measure(prediction: str, target: str) -> float:
    """F-measure (0 to 1) of the longest common subsequence of lower-cased ASCII words, without stemming.

    The same as `RougeScorer(["rougeL"])` of rouge-score, whose module costs two seconds to import. Like that
    one it sees no words in scripts other than Latin: such texts score 0.

    Source: Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries, sec. 3.1.
    """
    hypothesis, reference = rouge_tokens(prediction, None), rouge_tokens(target, None)
    if not hypothesis or not reference:
        return 0.0
    previous = [0] * (len(reference) + 1)
    for token in hypothesis:
        current = [0]
        for column, other in enumerate(reference):
            longest = previous[column] + 1 if token == other else max(previous[column + 1], current[column])
            current.append(longest)
        previous = current
    return float(2.0 * previous[-1] / (len(hypothesis) + len(reference)))


# --- bits per byte ---


def _bits_and_bytes(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
    rows = []
    for prediction, example in zip(predictions, examples, strict=True):
        if prediction.target_bits is None:
            raise ValueError(f"Prediction {prediction.id!r} has no target_bits: bits per byte need them.")
        rows.append((prediction.target_bits, len(example.target.encode())))
    return np.array(rows, dtype=np.float64)


def _bits_per_byte(sums: FloatArray) -> FloatArray:
    # At least one byte: a resample of empty targets only has a value too.
    return sums[..., 0] / np.maximum(sums[..., 1], 1.0)


BLEU_13A = bleu_metric()
CHRF2 = chrf_metric()
EXACT_MATCH = CorpusMetric(
    name="exact_match",
    unit="points",
    higher_is_better=True,
    signature="case:mixed|strip:yes",
    statistics=_score_and_count(exactly_matches),
    aggregate=_mean_of_points,
)
ROUGE_L = CorpusMetric(
    name="rouge_l",
    unit="points",
    higher_is_better=True,
    signature=f"f:1|stem:no|case:lc|mean:examples|version:rouge-score-{version('rouge-score')}",
    statistics=_score_and_count(rouge_l_f_measure),
    aggregate=_mean_of_points,
)
BITS_PER_BYTE = CorpusMetric(
    name="bits_per_byte",
    unit="bits/byte",
    higher_is_better=False,
    signature="sum:bits/sum:bytes|teacher-forced|utf-8",
    statistics=_bits_and_bytes,
    aggregate=_bits_per_byte,
)

CORPUS_METRICS: Mapping[str, CorpusMetric] = MappingProxyType(
    {metric.name: metric for metric in (BLEU_13A, CHRF2, EXACT_MATCH, ROUGE_L, BITS_PER_BYTE)}
)
"""All metrics that can be resampled, by name."""
