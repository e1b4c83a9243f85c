"""CIDEr-D: n-grams in common, weighted by how much they say. Legend: example, order (of an n-gram, 1 to 4)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bimodal.metrics.corpus import CorpusMetric, always, mean
from bimodal.statistics import FloatArray
from bimodal.types import Example, Prediction

_ORDER = 4
_SIGMA = 6.0
_SCALE = 10.0
_WORD = re.compile(r"[\w'-]+")
_NGram = tuple[str, ...]


class _Vector(NamedTuple):
    """The tf-idf weights of one text, by order."""

    weights: tuple[Mapping[_NGram, float], ...]
    norms: tuple[float, ...]
    length: int
    """In bigrams, as the authors' implementation counts it."""


def cider_d_scores(texts: Sequence[str], references: Sequence[str]) -> list[float]:
    """CIDEr-D (0 to 10) of each text against its one reference; words are what stands between spaces.

    How much an n-gram says depends on how many of the references hold it. The mean over examples is the corpus score.

    Source: Vedantam et al. (2015), CIDEr: Consensus-based Image Description Evaluation, sec. 4 and 7 (CIDEr-D); agrees
    with the authors' implementation in `pycocoevalcap`.
    """
    frequencies = Counter(ngram for reference in references for ngram in _ngrams(reference))
    weigh = _Weights(frequencies, float(np.log(len(references))))
    return [_similarity(weigh(text), weigh(target)) for text, target in zip(texts, references, strict=True)]


@dataclass(frozen=True, slots=True)
class _Weights:
    document_frequencies: Mapping[_NGram, int]
    log_documents: float

    def __call__(self, text: str) -> _Vector:
        weights: tuple[dict[_NGram, float], ...] = tuple({} for _ in range(_ORDER))
        counts = _ngrams(text)
        for ngram, count in counts.items():
            log_frequency = float(np.log(max(1, self.document_frequencies.get(ngram, 0))))
            weights[len(ngram) - 1][ngram] = count * (self.log_documents - log_frequency)
        norms = tuple(float(np.sqrt(sum(weight**2 for weight in part.values()))) for part in weights)
        return _Vector(weights, norms, sum(count for ngram, count in counts.items() if len(ngram) == 2))


def _ngrams(text: str) -> Counter[_NGram]:
    words = text.split()
    return Counter(
        tuple(words[at : at + order]) for order in range(1, _ORDER + 1) for at in range(len(words) - order + 1)
    )


def _similarity(text: _Vector, reference: _Vector) -> float:
    """Mean over orders of the clipped cosine, damped where the lengths differ."""
    total = 0.0
    for mine, theirs, my_norm, their_norm in zip(
        text.weights, reference.weights, text.norms, reference.norms, strict=True
    ):
        if my_norm and their_norm:
            product = sum(
                min(weight, theirs.get(ngram, 0.0)) * theirs.get(ngram, 0.0) for ngram, weight in mine.items()
            )
            total += product / (my_norm * their_norm)
    damping = np.exp(-((text.length - reference.length) ** 2) / (2 * _SIGMA**2))
    return float(_SCALE * damping * total / _ORDER)


def _statistics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
    texts = [_words(prediction.text) for prediction in predictions]
    references = [_words(example.target) for example in examples]
    return np.array([(score, 1.0) for score in cider_d_scores(texts, references)])


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


CIDER_D = CorpusMetric(
    name="cider_d",
    unit="of 10",
    higher_is_better=True,
    # Resampling keeps the document frequencies of the whole test set.
    signature=always("n:4|sigma:6|nrefs:1|case:lc|tok:words|df:test references|mean:examples"),
    statistics=_statistics,
    aggregate=mean,
)
