from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from bimodal import metrics, statistics
from bimodal.calibration.corpora import BLEU_LIKE

from .rows import bleu_rows, mean, scores, two_systems


def test_pairing_cancels_what_is_common_to_both() -> None:
    hard_and_easy = np.random.default_rng(0).normal(scale=10.0, size=50)
    difference = statistics.paired_difference(
        scores(*hard_and_easy)[None], scores(*hard_and_easy + 1.0)[None], mean, seed=0, resamples=500
    )
    assert difference.ci95 == pytest.approx((1.0, 1.0))


def test_the_difference_of_a_contestant_to_itself_is_nothing() -> None:
    rows = scores(1, 5, 2, 8)[None]
    difference = statistics.paired_difference(rows, rows, mean, seed=0, resamples=200)
    assert (difference.value, difference.ci95, difference.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_paired_interval_agrees_with_resampling_through_sacrebleu() -> None:
    targets, baseline, contestant = two_systems()
    rows = [bleu_rows(texts, targets) for texts in (baseline, contestant)]
    ours = statistics.paired_difference(rows[0][None], rows[1][None], metrics.BLEU4.aggregate, seed=0)
    scorer, rng = BLEU(), np.random.default_rng(99)
    theirs = []
    for _ in range(2000):
        drawn = rng.integers(0, len(targets), len(targets))
        low, high = (scorer._compute_score_from_stats([int(x) for x in side[drawn].sum(0)]).score for side in rows)
        theirs.append(high - low)
    assert ours.ci95 == pytest.approx(np.quantile(theirs, [0.025, 0.975]), abs=0.8)


def test_examples_of_different_number_are_not_paired() -> None:
    with pytest.raises(ValueError, match=r"same examples .* both sides, got \(1, 2, 2\) and \(1, 3, 2\)"):
        statistics.paired_difference(scores(1, 2)[None], scores(1, 2, 3)[None], mean, seed=0)


def trained(by_seed: list[float], examples: int = 400, spread: float = 1.0) -> statistics.FloatArray:
    """Rows [seed, example, statistic] whose examples vary alike in every seed around the seed's own level."""
    values = np.random.default_rng(3).normal(scale=spread, size=examples)
    values -= values.mean()
    return np.stack([scores(*values + level) for level in by_seed])


def test_several_seeds_are_averaged_and_kept() -> None:
    found = statistics.paired_difference(trained([1, 1, 1]), trained([2, 3, 7]), mean, seed=0, resamples=200)
    assert found.value == pytest.approx(3.0)
    assert np.subtract(found.contestant_by_seed, found.baseline_by_seed) == pytest.approx([1, 2, 6])


def test_where_only_trainings_vary_the_interval_is_students_of_the_seeds() -> None:
    found = statistics.paired_difference(trained([0, 0, 0, 0]), trained([1, 2, 3, 4]), mean, seed=0, resamples=200)
    # Mean 2.5, standard error sqrt(5/3/4), t with 3 degrees of freedom 3.182.
    half = 3.1824 * (5 / 12) ** 0.5
    assert found.ci95 == pytest.approx((2.5 - half, 2.5 + half), rel=1e-3)
    assert found.p_value == pytest.approx(0.0304, abs=1e-3)


def test_where_trainings_do_not_vary_the_interval_is_the_one_of_the_examples() -> None:
    zero, noisy = trained([0, 0, 0], spread=0.0), trained([0.2, 0.2, 0.2])
    several = statistics.paired_difference(zero, noisy, mean, seed=0)
    one = statistics.paired_difference(zero[:1], noisy[:1], mean, seed=0)
    assert several.ci95 == pytest.approx(one.ci95, abs=0.01)
    assert several.parts is not None
    assert several.parts.seeds == pytest.approx(0.0, abs=1e-9)


def test_one_seed_knows_nothing_of_trainings() -> None:
    found = statistics.paired_difference(trained([0]), trained([1]), mean, seed=0, resamples=200)
    assert (found.seeds, found.parts) == (1, None)


def test_the_interval_excludes_zero_where_the_p_value_is_below_5_percent() -> None:
    base = trained([0, 0, 0, 0])
    found = statistics.paired_difference(base, trained([1, 2, 3, 4]), mean, seed=0, resamples=200)
    half = (found.ci95[1] - found.ci95[0]) / 2
    at_the_edge = trained([level - 2.5 + half for level in (1, 2, 3, 4)])
    assert statistics.paired_difference(base, at_the_edge, mean, seed=0, resamples=200).p_value == pytest.approx(0.05)


def test_statistics_without_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\) are not \[seed, example, statistic\]"):
        statistics.paired_difference(scores(1, 2), scores(1, 2), mean, seed=0)


def test_ten_thousand_resamples_of_five_thousand_examples_and_five_seeds_fit_into_500_mb() -> None:
    baseline, contestant = BLEU_LIKE.statistics(np.full((2, 5), 1.0), 5000, np.random.default_rng(0))
    tracemalloc.start()
    statistics.paired_difference(baseline, contestant, BLEU_LIKE.aggregate, seed=0)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 500e6
