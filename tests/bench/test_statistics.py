from __future__ import annotations

import os
import time
from unittest import mock

import numpy as np
import pytest
from sacrebleu.significance import PairedTest

from bimodal import metrics, statistics
from bimodal.statistics import PairedDifference, decide
from bimodal.types import Example, Prediction


def mean(sums: statistics.FloatArray) -> statistics.FloatArray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def scores(*values: float) -> statistics.FloatArray:
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


def bleu_rows(texts: list[str], targets: list[str]) -> statistics.FloatArray:
    examples = [Example(str(i), "", target) for i, target in enumerate(targets)]
    return metrics.BLEU_13A.statistics([Prediction(str(i), text) for i, text in enumerate(texts)], examples)


def test_every_resample_draws_as_many_examples_as_there_are() -> None:
    sums = statistics.resample_sums(scores(1, 2, 3, 4, 5), seed=0, resamples=50)
    assert sums[:, 1].tolist() == [5.0] * 50
    assert len(set(sums[:, 0])) > 1


def test_resamples_do_not_depend_on_how_they_are_chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = scores(*range(7))
    whole = statistics.resample_sums(rows, seed=5, resamples=100)
    monkeypatch.setattr(statistics, "_CHUNK_DRAWS", 7 * 9)
    assert np.array_equal(statistics.resample_sums(rows, seed=5, resamples=100), whole)


def test_p_value_does_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = scores(*range(9)), scores(*np.arange(9) + 0.4 * np.array([1, -1, 1, 1, 1, -1, 1, 1, 1]))
    whole = statistics.randomisation_p_value(a, b, mean, seed=5, trials=500)
    monkeypatch.setattr(statistics, "_CHUNK_DRAWS", 9 * 7)
    assert statistics.randomisation_p_value(a, b, mean, seed=5, trials=500) == whole


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


def test_pairing_cancels_what_is_common_to_both() -> None:
    hard_and_easy = np.random.default_rng(0).normal(scale=10.0, size=50)
    difference = statistics.paired_difference(
        scores(*hard_and_easy), scores(*hard_and_easy + 1.0), mean, seed=0, resamples=500
    )
    assert difference.ci95 == pytest.approx((1.0, 1.0))


def test_the_difference_of_a_contestant_to_itself_is_nothing() -> None:
    rows = scores(1, 5, 2, 8)
    difference = statistics.paired_difference(rows, rows, mean, seed=0, resamples=200)
    assert (difference.value, difference.ci95, difference.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_p_value_of_few_examples_is_the_share_of_swaps() -> None:
    # All four differences have one sign, so of 16 swaps only "none" and "all" are as different: p = 2/16.
    p_value = statistics.randomisation_p_value(scores(0, 0, 0, 0), scores(1, 1, 1, 1), mean, seed=0, trials=20_000)
    assert p_value == pytest.approx(2 / 16, abs=0.01)


def test_p_value_is_never_zero() -> None:
    a, b = scores(*np.zeros(60)), scores(*np.ones(60))
    assert statistics.randomisation_p_value(a, b, mean, seed=0, trials=99) == 1 / 100


def test_p_values_are_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    small = sum(
        statistics.randomisation_p_value(
            scores(*rng.normal(size=30)), scores(*rng.normal(size=30)), mean, seed=i, trials=199
        )
        <= 0.05
        for i in range(400)
    )
    # 5 % of 400 is 20, with a standard deviation of 4.4.
    assert 7 <= small <= 33


def test_bleu_interval_agrees_with_sacrebleu() -> None:
    targets, _, texts = two_systems()
    rows = bleu_rows(texts, targets)
    ours = statistics.bootstrap_interval(rows, metrics.BLEU_13A.aggregate, seed=0)
    theirs = metrics.BLEU().corpus_score(texts, [targets], n_bootstrap=2000)
    assert ours is not None
    # sacrebleu gives the half-width; 2,000 resamples know it to about 4 %.
    assert (ours[1] - ours[0]) / 2 == pytest.approx(theirs._ci, rel=0.08)


@pytest.mark.parametrize(("kind", "trials"), [("ar", 2000), ("bs", 2000)])
def test_p_value_agrees_with_sacrebleus_paired_test(kind: str, trials: int) -> None:
    targets, baseline, contestant = two_systems()
    ours = statistics.randomisation_p_value(
        bleu_rows(baseline, targets), bleu_rows(contestant, targets), metrics.BLEU_13A.aggregate, seed=0
    )
    with mock.patch.dict(os.environ, {"SACREBLEU_SEED": "12345"}):
        test = PairedTest(
            [("baseline", baseline), ("contestant", contestant)],
            {"BLEU": metrics.BLEU()},
            [targets],
            test_type=kind,
            n_samples=trials,
        )
        theirs = test()[1]["BLEU"][1].p_value
    # Three standard deviations of a share of 2,000 trials; the two tests agree only roughly on one sample.
    noise = 3 * (ours * (1 - ours) / trials) ** 0.5
    assert 0.001 < ours < 0.2
    assert theirs == pytest.approx(ours, abs=noise if kind == "ar" else noise + 0.5 * ours)


def test_paired_interval_agrees_with_resampling_through_sacrebleu() -> None:
    targets, baseline, contestant = two_systems()
    rows = [bleu_rows(texts, targets) for texts in (baseline, contestant)]
    ours = statistics.paired_difference(*rows, metrics.BLEU_13A.aggregate, seed=0)
    scorer, rng = metrics.BLEU(), np.random.default_rng(99)
    theirs = []
    for _ in range(2000):
        drawn = rng.integers(0, len(targets), len(targets))
        low, high = (scorer._compute_score_from_stats([int(x) for x in side[drawn].sum(0)]).score for side in rows)
        theirs.append(high - low)
    assert ours.ci95 == pytest.approx(np.quantile(theirs, [0.025, 0.975]), abs=0.8)


def test_ten_thousand_resamples_of_five_thousand_examples_are_quick_and_small() -> None:
    rows = np.random.default_rng(0).integers(0, 9, size=(5000, 20)).astype(float)
    started = time.process_time()
    sums = statistics.resample_sums(rows, seed=0)
    assert sums.shape == (10_000, 20)
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize(
    ("ci95", "ci90", "outcome"),
    [
        ((0.2, 3.0), (0.4, 2.8), "better"),
        ((-3.0, -0.2), (-2.8, -0.4), "worse"),
        ((-0.9, 0.8), (-0.7, 0.6), "equivalent"),
        ((-1.2, 1.3), (-0.9, 0.9), "equivalent"),
        ((-0.9, 1.4), (-0.6, 1.1), "inconclusive"),
        ((0.0, 0.0), (0.0, 0.0), "equivalent"),
        ((0.1, 0.5), (0.2, 0.4), "better"),
    ],
)
def test_verdict_rule(ci95: tuple[float, float], ci90: tuple[float, float], outcome: str) -> None:
    assert decide(ci95, ci90, margin=1.0, higher_is_better=True) == outcome


def test_a_rise_of_what_should_be_low_is_worse() -> None:
    assert decide((0.2, 3.0), (0.4, 2.8), margin=1.0, higher_is_better=False) == "worse"


def test_a_real_difference_can_be_inside_the_margin() -> None:
    assert statistics.inside_margin((0.2, 0.4), 1.0)
    assert not statistics.inside_margin((0.2, 1.0), 1.0)


def test_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match=r"margin is -1.*0 or more"):
        decide((0, 1), (0, 1), margin=-1, higher_is_better=True)


def difference_of(value: float, half95: float, half90: float) -> PairedDifference:
    ci95, ci90 = (value - half95, value + half95), (value - half90, value + half90)
    return PairedDifference(10.0, 10.0 + value, value, ci95, ci90, 0.2, examples=100, resamples=10)


def test_examples_to_settle_takes_the_nearer_of_zero_and_margin() -> None:
    # To exclude 0, the half-width 2 must shrink to 1 (4 times the examples); to fit +-9, it fits already.
    assert statistics.examples_to_settle(difference_of(1.0, 2.0, 1.7), margin=0.0) == 400
    assert statistics.examples_to_settle(difference_of(0.5, 2.0, 1.0), margin=1.0) == 400


def test_no_number_of_examples_settles_a_zero_against_a_zero_margin() -> None:
    assert statistics.examples_to_settle(difference_of(0.0, 2.0, 1.7), margin=0.0) is None


def test_examples_of_different_number_are_not_paired() -> None:
    with pytest.raises(ValueError, match=r"same examples .* both sides, got \(2, 2\) and \(3, 2\)"):
        statistics.paired_difference(scores(1, 2), scores(1, 2, 3), mean, seed=0)


def test_nothing_cannot_be_resampled() -> None:
    with pytest.raises(ValueError, match=r"Statistics of shape \(0, 2\) cannot be resampled"):
        statistics.resample_sums(np.zeros((0, 2)), seed=0)
    with pytest.raises(ValueError, match="resamples is 0"):
        statistics.resample_sums(scores(1), seed=0, resamples=0)
