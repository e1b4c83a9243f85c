"""Bits per byte: how likely a contestant finds the targets, with no decoding in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bimodal.metrics.corpus import CorpusMetric, always
from bimodal.statistics import FloatArray
from bimodal.types import Example, Prediction


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


BITS_PER_BYTE = CorpusMetric(
    name="bits_per_byte",
    unit="bits/byte",
    higher_is_better=False,
    signature=always("sum:bits/sum:bytes|teacher-forced|utf-8"),
    statistics=_bits_and_bytes,
    aggregate=_bits_per_byte,
)
