"""Scores of named-entity tagging: entities found with the right boundaries and type, and the tags of single words.

Entities are counted per sentence as found, spurious and missed, so that every F1 can be resampled. A test holds the
scores against those of seqeval (its default mode) and nervaluate (its strict and exact schemes).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from bimodal.metrics.corpus import CorpusMetric, always
from bimodal.schema import Metric
from bimodal.statistics import FloatArray
from bimodal.tags import Entity, entities, entity_types, tags_of
from bimodal.types import Example, Prediction

_SIGNATURE = "match:boundaries+type|scheme:bio|stray-inside:begins|source:conlleval"


def _tags(prediction: Prediction) -> tuple[str, ...]:
    if prediction.tags is None:
        raise ValueError(f"Prediction {prediction.id!r} has no tags: entity metrics need them.")
    return prediction.tags


def _counts(
    key: Callable[[Entity], Hashable], *, only: str | None = None
) -> Callable[[Sequence[Prediction], Sequence[Example]], FloatArray]:
    """Statistics (found, spurious, missed) of each sentence; entities with one key are the same."""

    def counted(tags: Sequence[str]) -> Counter[Hashable]:
        return Counter(key(entity) for entity in entities(tags) if only in (None, entity.type))

    def statistics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
        rows = []
        for prediction, example in zip(predictions, examples, strict=True):
            predicted, true = counted(_tags(prediction)), counted(tags_of(example))
            found = (predicted & true).total()
            rows.append((found, predicted.total() - found, true.total() - found))
        return np.array(rows, dtype=np.float64)

    return statistics


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """A share of counts; 0 of nothing is 0, as conlleval has it."""
    return np.asarray(np.where(whole > 0, part / np.maximum(whole, 1.0), 0.0))


def _f1(sums: FloatArray) -> FloatArray:
    found, spurious, missed = sums[..., 0], sums[..., 1], sums[..., 2]
    return _share(2.0 * found, 2.0 * found + spurious + missed)


def _precision(sums: FloatArray) -> FloatArray:
    return _share(sums[..., 0], sums[..., 0] + sums[..., 1])


def _recall(sums: FloatArray) -> FloatArray:
    return _share(sums[..., 0], sums[..., 0] + sums[..., 2])


def _same(entity: Entity) -> Hashable:
    return entity


def _same_span(entity: Entity) -> Hashable:
    return entity.start, entity.end


def _fraction(
    name: str,
    signature: str,
    statistics: Callable[[Sequence[Prediction], Sequence[Example]], FloatArray],
    aggregate: Callable[[FloatArray], FloatArray],
) -> CorpusMetric:
    return CorpusMetric(name, "fraction", True, always(signature), statistics, aggregate)


ENTITY_F1 = _fraction("entity_f1", f"f:1|average:micro|{_SIGNATURE}", _counts(_same), _f1)
"""Micro-averaged, strict: boundaries and type must be right (Tjong Kim Sang & De Meulder 2003, sec. 2.3)."""
ENTITY_PRECISION = _fraction("entity_precision", f"average:micro|{_SIGNATURE}", _counts(_same), _precision)
ENTITY_RECALL = _fraction("entity_recall", f"average:micro|{_SIGNATURE}", _counts(_same), _recall)
SPAN_F1 = _fraction("span_f1", f"f:1|average:micro|{_SIGNATURE.replace('+type', '')}", _counts(_same_span), _f1)
"""Boundaries alone: what is missing from here to entity F1 is lost by wrong types (nervaluate's `exact`)."""


def _counts_by_type(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
    """Found, spurious and missed of each type of the references, one type after the other."""
    types = entity_types(tags_of(example) for example in examples)
    columns = [_counts(_same, only=kind)(predictions, examples) for kind in types]
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(examples), 3))


def _macro_f1(sums: FloatArray) -> FloatArray:
    by_type = sums.reshape(*sums.shape[:-1], -1, 3)
    # A resample may lack a type altogether: it is then no part of the mean.
    present = by_type[..., 0] + by_type[..., 2] > 0
    total = np.where(present, _f1(by_type), 0.0).sum(axis=-1)
    return np.asarray(total / np.maximum(present.sum(axis=-1), 1))


ENTITY_F1_MACRO = _fraction(
    "entity_f1_macro", f"f:1|average:macro|types:references|{_SIGNATURE}", _counts_by_type, _macro_f1
)


def _right_and_all(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
    pairs = [(_tags(prediction), tags_of(example)) for prediction, example in zip(predictions, examples, strict=True)]
    return np.array([(sum(a == b for a, b in zip(*pair, strict=True)), len(pair[1])) for pair in pairs], np.float64)


TOKEN_ACCURACY = _fraction(
    "token_accuracy", "average:micro|tokens:words", _right_and_all, lambda sums: _share(sums[..., 0], sums[..., 1])
)


def _bits_and_tags(predictions: Sequence[Prediction], examples: Sequence[Example]) -> FloatArray:
    rows = []
    for prediction, example in zip(predictions, examples, strict=True):
        if prediction.target_bits is None:
            raise ValueError(f"Prediction {prediction.id!r} has no target_bits: bits per tag need them.")
        rows.append((prediction.target_bits, len(tags_of(example))))
    return np.array(rows, dtype=np.float64)


BITS_PER_TAG = CorpusMetric(
    name="bits_per_tag",
    unit="bits/tag",
    higher_is_better=False,
    signature=always("sum:bits/sum:tags|independent:given-the-text"),
    statistics=_bits_and_tags,
    aggregate=lambda sums: np.asarray(sums[..., 0] / np.maximum(sums[..., 1], 1.0)),
)
"""How likely a contestant finds the right tags: moves before F1 does."""


def entity_f1_by_type(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, Metric]:
    """Strict F1 of each entity type of the references: `entity_f1_PER`, ..."""
    metrics = (
        _fraction(f"entity_f1_{kind}", f"f:1|type:{kind}|{_SIGNATURE}", _counts(_same, only=kind), _f1)
        for kind in entity_types(tags_of(example) for example in examples)
    )
    return {metric.name: metric.score(predictions, examples) for metric in metrics}


def token_report(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, Metric]:
    """scikit-learn's classification report over words, without `O`: macro and weighted F1 of the tags."""
    from sklearn import __version__
    from sklearn.metrics import classification_report

    true = _flat(tags_of(example) for example in examples)
    predicted = _flat(_tags(prediction) for prediction in predictions)
    labels = sorted(set(true) - {"O"})
    if not labels:
        return {}
    report = classification_report(true, predicted, labels=labels, output_dict=True, zero_division=0)
    return {
        f"token_f1_{average}": Metric(
            value=float(report[f"{average} avg"]["f1-score"]),
            unit="fraction",
            higher_is_better=True,
            signature=f"f:1|average:{average}|tags:references,without-O|version:scikit-learn-{__version__}",
            ci95=None,
        )
        for average in ("macro", "weighted")
    }


def _flat(sequences: Iterable[Sequence[str]]) -> list[str]:
    return [tag for tags in sequences for tag in tags]
