"""Scores of text and of tags, each with its signature and a bootstrap interval. A task picks those that fit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bimodal.metrics.cider import CIDER_D
from bimodal.metrics.corpus import CorpusMetric, check_aligned
from bimodal.metrics.diversity import diversity_metrics
from bimodal.metrics.entities import (
    BITS_PER_TAG,
    ENTITY_F1,
    ENTITY_F1_MACRO,
    ENTITY_PRECISION,
    ENTITY_RECALL,
    SPAN_F1,
    TOKEN_ACCURACY,
    entity_f1_by_type,
    token_report,
)
from bimodal.metrics.likelihood import BITS_PER_BYTE
from bimodal.metrics.overlap import BLEU4, CHRF2, TER_RATE
from bimodal.metrics.words import EXACT_MATCH, LENGTH_DIFFERENCE, ROUGE_L, UNIGRAM_F1
from bimodal.schema import Metric
from bimodal.types import Example, Prediction

CORPUS_METRICS: Mapping[str, CorpusMetric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            BLEU4,
            CHRF2,
            TER_RATE,
            EXACT_MATCH,
            ROUGE_L,
            CIDER_D,
            UNIGRAM_F1,
            LENGTH_DIFFERENCE,
            BITS_PER_BYTE,
            ENTITY_F1,
            ENTITY_PRECISION,
            ENTITY_RECALL,
            ENTITY_F1_MACRO,
            SPAN_F1,
            TOKEN_ACCURACY,
            BITS_PER_TAG,
        )
    }
)
"""All metrics that can be resampled, by name."""

Scorer = Callable[[Sequence[Prediction], Sequence[Example]], dict[str, Metric]]


def scorer(*metrics: CorpusMetric) -> Scorer:
    """A task's `score`: these metrics by name, in this order.

    Bits per byte or tag are left out where a prediction has no `target_bits`. The scorer raises ValueError for no
    predictions, or for predictions and examples that do not belong together.
    """

    def score(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, Metric]:
        check_aligned(predictions, examples)
        with_bits = all(prediction.target_bits is not None for prediction in predictions)
        wanted = [metric for metric in metrics if with_bits or metric not in (BITS_PER_BYTE, BITS_PER_TAG)]
        return {metric.name: metric.score(predictions, examples) for metric in wanted}

    return score


text_metrics = scorer(BLEU4, CHRF2, EXACT_MATCH, ROUGE_L, BITS_PER_BYTE)
"""For text of any kind: `bleu`, `chrf`, `exact_match`, `rouge_l` in points (0 to 100), and `bits_per_byte`."""

caption_metrics = scorer(BLEU4, CHRF2, EXACT_MATCH, ROUGE_L, CIDER_D, BITS_PER_BYTE)
"""For what a picture shows."""

translation_metrics = scorer(BLEU4, CHRF2, TER_RATE, EXACT_MATCH, BITS_PER_BYTE)
"""For translations; words are cut as is right for the target's language."""

_reply_metrics = scorer(BITS_PER_BYTE, CHRF2, BLEU4, UNIGRAM_F1, LENGTH_DIFFERENCE)


def reply_metrics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, Metric]:
    """For replies in a dialogue: likelihood first, overlap, and whether all replies are the same."""
    return _reply_metrics(predictions, examples) | diversity_metrics(predictions, examples)


_tag_metrics = scorer(
    ENTITY_F1, ENTITY_PRECISION, ENTITY_RECALL, ENTITY_F1_MACRO, SPAN_F1, TOKEN_ACCURACY, BITS_PER_TAG
)


def tag_metrics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, Metric]:
    """For named-entity tagging: strict entity F1 (micro, macro, of each type), boundaries alone, single words."""
    scores = _tag_metrics(predictions, examples)
    return scores | entity_f1_by_type(predictions, examples) | token_report(predictions, examples)


__all__ = [
    "BITS_PER_BYTE",
    "BITS_PER_TAG",
    "BLEU4",
    "CHRF2",
    "CIDER_D",
    "CORPUS_METRICS",
    "ENTITY_F1",
    "ENTITY_F1_MACRO",
    "ENTITY_PRECISION",
    "ENTITY_RECALL",
    "EXACT_MATCH",
    "LENGTH_DIFFERENCE",
    "ROUGE_L",
    "SPAN_F1",
    "TER_RATE",
    "TOKEN_ACCURACY",
    "UNIGRAM_F1",
    "CorpusMetric",
    "caption_metrics",
    "reply_metrics",
    "scorer",
    "tag_metrics",
    "text_metrics",
    "translation_metrics",
]
