from __future__ import annotations

import re
from typing import Any

import pytest

from bimodal.schema import CostRatio, ProbeDrop, Variance
from bimodal_reports.verdicts import cost_clause, deranged_of, outcome_of, probe_sentence, sentence, subject

from .factories import make_difference, make_seeds

COSTS = (
    CostRatio(name="train_wall_s", unit="s", baseline_value=100, contestant_value=340, ratio=3.4),
    CostRatio(name="end_to_end_ms", unit="ms", baseline_value=10, contestant_value=21, ratio=2.1),
)


def drop(value: float, ci95: tuple[float, float]) -> ProbeDrop:
    return ProbeDrop(
        contestant="multimodal",
        probe="deranged",
        metric="bleu",
        true_value=73.0,
        probe_value=73.0 - value,
        drop=value,
        ci95=ci95,
    )


def test_a_gain_is_said_with_interval_scores_examples_and_cost() -> None:
    assert sentence("seeing the picture", make_difference(62.1, 4.1), 1.0, COSTS, None) == (
        "Seeing the picture raised BLEU by 62.1 points (95 % interval 58.0 to 66.2; 73.0 against 10.9) "
        "on 269 test examples and one training seed; it costs 3.4× the training time and 2.1× the latency."
    )


def test_a_loss_has_positive_numbers_after_lowered() -> None:
    text = sentence("seeing the picture", make_difference(-3.0, 1.0), 1.0, (), None)
    assert text == (
        "Seeing the picture lowered BLEU by 3.0 points (95 % interval 2.0 to 4.0; 7.9 against 10.9) "
        "on 269 test examples and one training seed."
    )


def test_a_real_gain_below_the_margin_is_called_both() -> None:
    found = make_difference(0.4, 0.2)
    assert outcome_of(found, 1.0) == "better"
    assert "a real gain but below the margin of 1 point declared before the run" in sentence("x", found, 1.0, (), None)


def test_a_gain_that_may_be_below_the_margin_says_so() -> None:
    text = sentence("x", make_difference(1.5, 1.0), 1.0, (), None)
    assert "but whether that reaches the declared margin of 1 point is open" in text


def test_an_equivalent_pair_is_said_with_its_90_percent_interval() -> None:
    text = sentence("hearing the sound", make_difference(0.1, 0.6, 0.5), 1.0, (), None)
    assert text.startswith("Hearing the sound made no difference to BLEU worth paying for (+0.1 points, 90 % interval")
    assert "−0.4 to +0.6, inside the declared margin of ±1 point" in text


def test_an_inconclusive_pair_says_what_would_settle_it() -> None:
    text = sentence("seeing the picture", make_difference(1.0, 2.0), 0.5, (), None)
    assert text.startswith("Too close to call whether seeing the picture changes BLEU (+1.0 points")
    # (2.80 / 1.96)^2 more than the 1,076 whose interval would just end at 0.
    assert text.endswith(
        "about 2,199 test examples would settle it (with 80 % power, if the true difference is this one)."
    )


def several(value: float, half95: float, **parts: float) -> str:
    found = make_difference(
        value, half95, by_seed=make_seeds(value, value, value), variance=Variance(degrees_of_freedom=50.0, **parts)
    )
    return sentence("seeing the picture", found, 0.1, (), None)


def test_several_seeds_are_said() -> None:
    assert "on 269 test examples and 3 training seeds" in several(62.1, 4.0, examples=4, noise=0, seeds=0.1)


def test_an_inconclusive_pair_of_several_seeds_says_which_of_seeds_and_examples_binds() -> None:
    # t_0.975 + t_0.8 is 3.15 with 9 degrees of freedom: 3.15^2 * 0.9 / 10 < 1, and with 9 seeds it is not.
    assert "; about 10 seeds would settle it (with" in several(1.0, 1.2, examples=0.001, noise=0, seeds=0.3)
    assert "more seeds alone would not settle it, about" in several(1.0, 2.0, examples=1.0, noise=0, seeds=0.01)
    assert "more seeds alone would not settle it, nor would more examples" in several(
        0.6, 2.0, examples=0.5, noise=0, seeds=0.5
    )


def test_noise_is_settled_by_either() -> None:
    assert re.search(
        r"; about \d+ seeds, or about \d+ test examples, would", several(1, 1.2, examples=0, noise=0.3, seeds=0)
    )


def test_bits_per_byte_say_that_less_is_better() -> None:
    found = make_difference(
        -0.4, 0.1, metric="bits_per_byte", unit="bits/byte", higher_is_better=False, baseline_value=1.6,
        contestant_value=1.2,
    )  # fmt: skip
    assert outcome_of(found, 0.05) == "better"
    assert sentence("x", found, 0.05, (), None) == (
        "X lowered bits per byte by 0.400 (95 % interval 0.300 to 0.500; 1.200 against 1.600) "
        "on 269 test examples and one training seed, where less is better."
    )


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(3.42, "3.4× the latency"), (1.02, "about the same latency"), (0.52, "0.52× the latency")],
)
def test_cost_clause(ratio: float, words: str) -> None:
    assert cost_clause([COSTS[1].model_copy(update={"ratio": ratio})]) == words


def test_cost_clause_is_empty_without_costs() -> None:
    assert cost_clause([]) == ""


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("image",), "seeing the picture"),
        (("image", "audio"), "seeing the picture and hearing the sound"),
        ((), "using b instead of a"),
    ],
)
def test_subject(extra: tuple[Any, ...], words: str) -> None:
    assert subject("a", "b", extra, outcome="better") == words


@pytest.mark.parametrize(
    ("outcome", "drop_ci95", "words"),
    [
        ("better", (49.0, 57.2), "seeing the picture"),
        ("better", (-0.3, 0.5), "using b instead of a"),
        ("worse", (-6.0, -2.0), "using b instead of a"),
        ("equivalent", (-0.3, 0.5), "seeing the picture"),
    ],
)
def test_a_picture_that_nobody_misses_is_given_no_credit(outcome: Any, drop_ci95: Any, words: str) -> None:
    assert subject("a", "b", ("image",), outcome=outcome, deranged=drop(1.0, drop_ci95)) == words


def test_the_probe_that_counts_is_the_contestants_own_on_the_metric() -> None:
    found = drop(1.0, (0.0, 2.0))
    others = [
        found.model_copy(update=change) for change in ({"probe": "blank"}, {"metric": "chrf"}, {"true_value": 0.0})
    ]
    assert deranged_of(found.contestant, found.metric, [*others, found]) == found
    assert deranged_of("somebody else", found.metric, [found]) is None


def test_a_drop_above_zero_shows_that_the_input_is_used() -> None:
    assert probe_sentence(drop(53.4, (49.0, 57.2)), "points", 1.0, ("image",)) == (
        "With somebody else's picture, it loses 53.4 points of BLEU (49.0 to 57.2) and scores 19.6: "
        "it does use its picture."
    )


def test_a_narrow_drop_around_zero_shows_that_it_is_not() -> None:
    text = probe_sentence(drop(0.1, (-0.3, 0.5)), "points", 1.0, ("image", "audio"))
    assert "no loss that can be told from 0 (−0.3 to +0.5): it does not use its picture and sound." in text


def test_a_wide_drop_around_zero_shows_nothing() -> None:
    text = probe_sentence(drop(2.0, (-5.0, 9.0)), "points", 1.0, ("image",))
    assert text.endswith("nothing shows that it uses its picture.")


def test_doing_better_on_deranged_input_is_said() -> None:
    text = probe_sentence(drop(-4.0, (-6.0, -2.0)), "points", 1.0, ("image",))
    assert "it does better, by 4.0 points of BLEU (2.0 to 6.0): its own picture misleads it." in text


def test_two_that_score_nothing_are_not_called_equivalent() -> None:
    found = make_difference(0.0, 0.0, baseline_value=0.0, contestant_value=0.0)
    assert outcome_of(found, 1.0) == "inconclusive"
    assert sentence("seeing the picture", found, 1.0, COSTS, None) == (
        "Neither contestant scores above 0 BLEU on 269 test examples and one training seed, so nothing can be said "
        "about what separates them; seeing the picture costs 3.4× the training time and 2.1× the latency."
    )


def test_no_bits_at_all_is_no_floor() -> None:
    found = make_difference(0.0, 0.0, baseline_value=0.0, contestant_value=0.0, higher_is_better=False)
    assert outcome_of(found, 1.0) == "equivalent"
