from __future__ import annotations

from typing import Any

import pytest

from bimodal.schema import CostRatio, Difference, ProbeDrop
from bimodal_reports.verdicts import cost_clause, outcome_of, probe_sentence, sentence, subject

COSTS = (
    CostRatio(name="train_wall_s", unit="s", baseline_value=100, contestant_value=340, ratio=3.4),
    CostRatio(name="end_to_end_ms", unit="ms", baseline_value=10, contestant_value=21, ratio=2.1),
)


def difference(value: float, half95: float, half90: float | None = None, **changes: Any) -> Difference:
    half90 = half95 * 0.84 if half90 is None else half90
    values: dict[str, Any] = {
        "metric": "bleu",
        "unit": "points",
        "higher_is_better": True,
        "baseline_value": 10.9,
        "contestant_value": 10.9 + value,
        "value": value,
        "ci95": (value - half95, value + half95),
        "ci90": (value - half90, value + half90),
        "p_value": 0.01,
        "examples": 269,
        "resamples": 10_000,
    }
    return Difference(**values | changes)


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
    assert sentence("seeing the picture", difference(62.1, 4.1), 1.0, COSTS, None) == (
        "Seeing the picture raised BLEU by 62.1 points (95 % interval 58.0 to 66.2; 73.0 against 10.9) "
        "on 269 test examples; it costs 3.4× the training time and 2.1× the latency."
    )


def test_a_loss_has_positive_numbers_after_lowered() -> None:
    text = sentence("seeing the picture", difference(-3.0, 1.0), 1.0, (), None)
    assert text == (
        "Seeing the picture lowered BLEU by 3.0 points (95 % interval 2.0 to 4.0; 7.9 against 10.9) "
        "on 269 test examples."
    )


def test_a_real_gain_below_the_margin_is_called_both() -> None:
    found = difference(0.4, 0.2)
    assert outcome_of(found, 1.0) == "better"
    assert "a real gain but below the margin of 1 point declared before the run" in sentence("x", found, 1.0, (), None)


def test_a_gain_that_may_be_below_the_margin_says_so() -> None:
    text = sentence("x", difference(1.5, 1.0), 1.0, (), None)
    assert "but whether that reaches the declared margin of 1 point is open" in text


def test_an_equivalent_pair_is_said_with_its_90_percent_interval() -> None:
    text = sentence("hearing the sound", difference(0.1, 0.6, 0.5), 1.0, (), None)
    assert text.startswith("Hearing the sound made no difference to BLEU worth paying for (+0.1 points, 90 % interval")
    assert "−0.4 to +0.6, inside the declared margin of ±1 point" in text


def test_an_inconclusive_pair_says_what_would_settle_it() -> None:
    text = sentence("seeing the picture", difference(1.0, 2.0), 0.5, (), None)
    assert text.startswith("Too close to call whether seeing the picture changes BLEU (+1.0 points")
    assert "about 1,076 would settle it if the difference holds" in text


def test_bits_per_byte_say_that_less_is_better() -> None:
    found = difference(
        -0.4, 0.1, metric="bits_per_byte", unit="bits/byte", higher_is_better=False, baseline_value=1.6,
        contestant_value=1.2,
    )  # fmt: skip
    assert outcome_of(found, 0.05) == "better"
    assert sentence("x", found, 0.05, (), None) == (
        "X lowered bits per byte by 0.400 bits per byte (95 % interval 0.300 to 0.500; 1.200 against 1.600) "
        "on 269 test examples, where less is better."
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
    assert subject("a", "b", extra) == words


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
    found = difference(0.0, 0.0, baseline_value=0.0, contestant_value=0.0)
    assert outcome_of(found, 1.0) == "inconclusive"
    assert sentence("seeing the picture", found, 1.0, COSTS, None) == (
        "Neither contestant scores above 0 BLEU on 269 test examples, so nothing can be said about what separates "
        "them; seeing the picture costs 3.4× the training time and 2.1× the latency."
    )


def test_no_bits_at_all_is_no_floor() -> None:
    found = difference(0.0, 0.0, baseline_value=0.0, contestant_value=0.0, higher_is_better=False)
    assert outcome_of(found, 1.0) == "equivalent"
