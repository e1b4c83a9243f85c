from __future__ import annotations

import numpy as np
import pytest

from bimodal.calibration.corpora import BLEU_LIKE, CORPORA, F1_LIKE, Corpus
from bimodal.metrics import BLEU4


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.name)
def test_the_true_score_is_what_many_examples_come_to(corpus: Corpus) -> None:
    rows = corpus.statistics(np.array([[0.4], [1.6]]), 60_000, np.random.default_rng(0))
    assert corpus.aggregate(rows.sum(axis=2)).ravel() == pytest.approx(corpus.true_score(np.array([0.4, 1.6])), abs=0.5)


def test_bleu_rows_are_possible_bleu_rows() -> None:
    rows = BLEU_LIKE.statistics(np.full((2, 2), 1.0), 300, np.random.default_rng(0))
    correct, total = rows[..., 2:6], rows[..., 6:]
    assert (correct <= total).all()
    assert (correct[..., 1:] <= np.maximum(correct[..., :-1] - 1, 0)).all()
    assert (total == np.maximum(rows[..., :1] - np.arange(4), 0)).all()
    assert BLEU_LIKE.aggregate is BLEU4.aggregate


def test_references_are_the_same_for_all_trainings_of_both() -> None:
    rows = BLEU_LIKE.statistics(np.full((2, 3), 1.0), 50, np.random.default_rng(0))
    assert (rows[..., 1] == rows[0, 0, :, 1]).all()
    tags = F1_LIKE.statistics(np.full((2, 3), 1.0), 50, np.random.default_rng(0))
    entities = tags[..., 0] + tags[..., 2]
    assert (entities == entities[0, 0]).all()


def test_an_example_that_is_hard_is_hard_for_both() -> None:
    rows = F1_LIKE.statistics(np.full((2, 1), 0.0), 20_000, np.random.default_rng(0))
    wrong = rows[:, 0, :, 1]
    assert np.corrcoef(wrong)[0, 1] > 0.05
