"""Scores by words: exact match, ROUGE-L, unigram F1, length."""

from __future__ import annotations

import re
import string
from collections import Counter
from importlib.metadata import version

from rouge_score.tokenize import tokenize as rouge_tokens

from bimodal.metrics.corpus import CorpusMetric, always, mean, mean_over_examples, mean_points

_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


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


def unigram_f1(prediction: str, target: str) -> float:
    """F1 (0 to 1) of the bags of words, lower-cased, without articles and ASCII punctuation, as ParlAI counts it.

    Source: Dinan et al. (2019), The Second Conversational Intelligence Challenge (ConvAI2), sec. 3.2; Rajpurkar et
    al. (2016), SQuAD, sec. 6.1, for the normalisation.
    """
    hypothesis, reference = Counter(_normalised(prediction)), Counter(_normalised(target))
    common = sum((hypothesis & reference).values())
    if common == 0:
        return 0.0
    return 2.0 * common / (hypothesis.total() + reference.total())


def _normalised(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split()


def length_difference(prediction: str, target: str) -> float:
    """By how many words (between spaces) a text is too long or too short."""
    return float(abs(len(prediction.split()) - len(target.split())))


EXACT_MATCH = CorpusMetric(
    name="exact_match",
    unit="points",
    higher_is_better=True,
    signature=always("case:mixed|strip:yes"),
    statistics=mean_over_examples(exactly_matches),
    aggregate=mean_points,
)
ROUGE_L = CorpusMetric(
    name="rouge_l",
    unit="points",
    higher_is_better=True,
    signature=always(f"f:1|stem:no|case:lc|mean:examples|version:rouge-score-{version('rouge-score')}"),
    statistics=mean_over_examples(rouge_l_f_measure),
    aggregate=mean_points,
)
UNIGRAM_F1 = CorpusMetric(
    name="unigram_f1",
    unit="points",
    higher_is_better=True,
    signature=always("f:1|case:lc|articles:no|punct:no|mean:examples"),
    statistics=mean_over_examples(unigram_f1),
    aggregate=mean_points,
)
LENGTH_DIFFERENCE = CorpusMetric(
    name="length_difference",
    unit="words",
    higher_is_better=False,
    signature=always("abs:yes|tok:spaces|mean:examples"),
    statistics=mean_over_examples(length_difference),
    aggregate=mean,
)
