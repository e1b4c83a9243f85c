from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from bimodal import metrics, statistics
from bimodal.statistics import bootstrap

from .rows import bleu_rows, mean, scores, two_systems


def test_every_resample_draws_as_many_examples_as_there_are() -> None:
    sums = statistics.resample_sums(scores(1, 2, 3, 4, 5), seed=0, resamples=50)
    assert sums[:, 1].tolist() == [5.0] * 50
    assert len(set(sums[:, 0])) > 1


def test_resamples_do_not_depend_on_how_they_are_chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = scores(*range(7))
    whole = statistics.resample_sums(rows, seed=5, resamples=100)
    monkeypatch.setattr(bootstrap, "_CHUNK_DRAWS", 7 * 9)
    assert np.array_equal(statistics.resample_sums(rows, seed=5, resamples=100), whole)


def test_bootstrap_interval_of_a_mean_has_its_known_width() -> None:
    values = np.random.default_rng(0).normal(size=400)
    interval = statistics.bootstrap_interval(scores(*values), mean, seed=0)
    assert interval is not None
    half_width = 1.96 * values.std() / 20.0
    assert interval == pytest.approx((values.mean() - half_width, values.mean() + half_width), abs=0.01)


def test_bootstrap_interval_needs_two_examples() -> None:
    assert statistics.bootstrap_interval(scores(1.0), mean, seed=0) is None


def test_percentile_interval_cuts_equal_tails() -> None:
    assert statistics.percentile_interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))
    with pytest.raises(ValueError, match=r"confidence is 95.*between 0 and 1"):
        statistics.percentile_interval(np.arange(3.0), 95)


def test_bleu_interval_agrees_with_sacrebleu() -> None:
    targets, _, texts = two_systems()
    rows = bleu_rows(texts, targets)
    ours = statistics.bootstrap_interval(rows, metrics.BLEU4.aggregate, seed=0)
    theirs = BLEU().corpus_score(texts, [targets], n_bootstrap=2000)
    assert ours is not None
    # sacrebleu gives the half-width; 2,000 resamples know it to about 4 %.
    assert (ours[1] - ours[0]) / 2 == pytest.approx(theirs._ci, rel=0.08)


def test_nothing_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match=r"Statistics of shape \(0, 2\) cannot be resampled"):
        statistics.resample_sums(np.zeros((0, 2)), seed=0)
    with pytest.raises(ValueError, match="resamples is 0"):
        statistics.resample_sums(scores(1), seed=0, resamples=0)
