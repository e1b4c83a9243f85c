"""Rows that are easy to reckon with, and outputs that look like captions."""

from __future__ import annotations

import numpy as np

from bimodal import metrics
from bimodal.statistics import FloatArray
from bimodal.types import Example, Prediction


def mean(sums: FloatArray) -> FloatArray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def scores(*values: float) -> FloatArray:
    return np.array([(value, 1.0) for value in values])


def two_systems(examples: int = 120) -> tuple[list[str], list[str], list[str]]:
    """Targets and two sets of outputs that keep 66 % and 70 % of the words."""
    rng = np.random.default_rng(1)
    words = [
        "person",
        "woman",
        "man",
        "light",
        "dark",
        "skin",
        "tone",
        "running",
        "biking",
        "medium",
        "hair",
        "curly",
    ]
    targets = [list(rng.choice(words, size=6)) for _ in range(examples)]

    def corrupt(keep: float) -> list[str]:
        return [" ".join(w if rng.random() < keep else rng.choice(words) for w in row) for row in targets]

    return [" ".join(row) for row in targets], corrupt(0.66), corrupt(0.70)


def bleu_rows(texts: list[str], targets: list[str]) -> FloatArray:
    examples = [Example(str(i), "", target) for i, target in enumerate(targets)]
    return metrics.BLEU4.statistics([Prediction(str(i), text) for i, text in enumerate(texts)], examples)
