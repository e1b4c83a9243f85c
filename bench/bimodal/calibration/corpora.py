"""Simulated test sets: per-example sufficient statistics like those of real outputs, with the true score known.

An answer is right, word by word or entity by entity, with probability sigmoid(ability + what the example adds). An
example adds its difficulty, which all share; its favour, which is the same for every training of a contestant (some
pictures help one architecture); and noise, which is new for every training. Abilities differ between training seeds.

Shape legend: contestant (baseline, contestant), seed, example, statistic, order (of an n-gram, 1 to 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from bimodal.metrics import BLEU4
from bimodal.statistics import Aggregate, FloatArray

_DIFFICULTY, _FAVOUR, _NOISE = 1.0, 0.5, 0.5
"""Standard deviations of what an example adds, on the logit scale."""
_LENGTHS = np.arange(3, 17)
"""Words of a reference; all equally frequent."""
_LENGTH_ERRORS = np.array([-1, 0, 1])
"""Words that an answer has too many; all equally frequent."""
_ENTITIES = 1.5
"""Mean number of entities of a sentence."""
_SPURIOUS = 1.0
"""Mean number of false entities where nothing is known."""
_HERMITE = np.polynomial.hermite_e.hermegauss(60)


@dataclass(frozen=True, slots=True)
class Corpus:
    """A kind of test set and metric."""

    name: str
    draw: Callable[[FloatArray, np.random.Generator], FloatArray]
    """Statistics of one test set from the probabilities [contestant, seed, example] of being right."""
    expected: Callable[[Callable[[int], FloatArray]], FloatArray]
    """Expected statistics of one example, from the moments of that probability by power."""
    aggregate: Aggregate

    def statistics(self, abilities: FloatArray, examples: int, rng: np.random.Generator) -> FloatArray:
        """One test set [contestant, seed, example, statistic] answered with these abilities [contestant, seed]."""
        difficulty = rng.normal(scale=_DIFFICULTY, size=examples)
        favour = rng.normal(scale=_FAVOUR, size=(2, 1, examples))
        noise = rng.normal(scale=_NOISE, size=(*abilities.shape, examples))
        return self.draw(expit(abilities[..., None] + difficulty + favour + noise), rng)

    def true_score(self, ability: float | FloatArray) -> FloatArray:
        """The score [...] on endlessly many examples, exactly, of contestants of these abilities [...]."""
        spread = (_DIFFICULTY**2 + _FAVOUR**2 + _NOISE**2) ** 0.5
        nodes, weights = _HERMITE
        right = expit(np.asarray(ability)[..., None] + spread * nodes)
        return self.aggregate(self.expected(lambda power: (right**power) @ weights / weights.sum()))

    def mean_score(self, ability: float, seed_spread: float) -> float:
        """The same, averaged over all trainings there could be."""
        nodes, weights = _HERMITE
        return float(self.true_score(ability + seed_spread * nodes) @ weights / weights.sum())


def _draw_n_grams(right: FloatArray, rng: np.random.Generator) -> FloatArray:
    """BLEU's statistics of texts whose words are right with these probabilities; n-grams overlap as in real texts."""
    examples = right.shape[-1]
    reference = rng.choice(_LENGTHS, size=examples)
    length = np.maximum(1, reference + rng.choice(_LENGTH_ERRORS, size=right.shape))
    comparable = np.minimum(reference, length)
    words = rng.random((*right.shape, int(_LENGTHS.max()))) < right[..., None]
    words &= np.arange(words.shape[-1]) < comparable[..., None]
    correct, windows = [], words
    for order in range(1, 5):
        correct.append(windows.sum(axis=-1))
        windows = windows[..., :-1] & words[..., order:]
    total = [np.maximum(length - order, 0) for order in range(4)]
    columns = [length, np.broadcast_to(reference, length.shape), *correct, *total]
    return np.stack(columns, axis=-1).astype(np.float64)


def _expected_n_grams(moment: Callable[[int], FloatArray]) -> FloatArray:
    reference, error = np.meshgrid(_LENGTHS, _LENGTH_ERRORS)
    length = np.maximum(1, reference + error)
    comparable = np.minimum(reference, length)
    correct = [np.maximum(comparable - order, 0).mean() * moment(order + 1) for order in range(4)]
    total = [np.maximum(length - order, 0).mean() for order in range(4)]
    columns = np.broadcast_arrays(length.mean(), reference.mean(), *correct, *total)
    return np.stack(columns, axis=-1).astype(np.float64)


def _draw_entities(right: FloatArray, rng: np.random.Generator) -> FloatArray:
    """True positives, false positives and false negatives of sentences with few entities, many of them with none."""
    entities = np.broadcast_to(rng.poisson(_ENTITIES, size=right.shape[-1]), right.shape)
    found = rng.binomial(entities, right)
    return np.stack([found, rng.poisson(_SPURIOUS * (1 - right)), entities - found], axis=-1).astype(np.float64)


def _expected_entities(moment: Callable[[int], FloatArray]) -> FloatArray:
    right = moment(1)
    return np.stack([_ENTITIES * right, _SPURIOUS * (1 - right), _ENTITIES * (1 - right)], axis=-1)


def f1_of_sums(sums: FloatArray) -> FloatArray:
    """Micro-averaged F1 in points of sums [..., (true positives, false positives, false negatives)]."""
    true_positives, errors = sums[..., 0], sums[..., 1] + sums[..., 2]
    return np.asarray(100.0 * 2.0 * true_positives / np.maximum(2.0 * true_positives + errors, 1.0))


BLEU_LIKE = Corpus("BLEU", _draw_n_grams, _expected_n_grams, BLEU4.aggregate)
F1_LIKE = Corpus("entity F1", _draw_entities, _expected_entities, f1_of_sums)
CORPORA = (BLEU_LIKE, F1_LIKE)
