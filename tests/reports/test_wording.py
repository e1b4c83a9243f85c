from __future__ import annotations

import pytest

from bimodal_reports import wording


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (62.07, "points", "+62.1"),
        (-0.935, "bits/byte", "−0.935"),
        (-0.01, "points", "0.0"),
        (0.0, "points", "0.0"),
        (0.5, "fraction", "+0.500"),
    ],
)
def test_signed(value: float, unit: str, text: str) -> None:
    assert wording.signed(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.04, "points", "1.0 point"), (62.1, "points", "62.1 points"), (0.4, "bits/byte", "0.400 bits per byte")],
)
def test_amount(value: float, unit: str, text: str) -> None:
    assert wording.amount(value, unit) == text


@pytest.mark.parametrize(
    ("margin", "unit", "text"),
    [(1.0, "points", "1 point"), (0.5, "points", "0.5 points"), (0.05, "bits/byte", "0.05 bits per byte")],
)
def test_margin_amount(margin: float, unit: str, text: str) -> None:
    assert wording.margin_amount(margin, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.421, "s", "0.42 s"),
        (71.2, "s", "71 s"),
        (426.0, "s", "7 min 6 s"),
        (3_725.0, "s", "1 h 2 min"),
        (1.234, "ms", "1.23 ms"),
        (12.34, "ms", "12.3 ms"),
        (1234.0, "ms", "1,234 ms"),
        (24_100_000, "B", "24.1 MB"),
        (999_999, "B", "1 MB"),
        (512, "B", "512 B"),
        (2.9e13, "FLOP", "29 TFLOP"),
        (3_482_112, "", "3.48 M"),
        (140_280, "", "140,280"),
        (412.0, "examples/s", "412.0 examples/s"),
    ],
)
def test_quantity(value: float, unit: str, text: str) -> None:
    assert wording.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.516, "0.52×"), (1.0, "1.00×"), (1.049, "1.05×"), (1.8, "1.8×"), (3.44, "3.4×"), (12.4, "12×")],
)
def test_ratio(value: float, text: str) -> None:
    assert wording.ratio(value) == text


def test_joined() -> None:
    assert [wording.joined(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_chrf_keeps_its_small_c_at_the_start_of_a_sentence() -> None:
    assert wording.capitalised("chrF by contestant") == "chrF by contestant"
    assert wording.capitalised("exact match") == "Exact match"


def test_an_unknown_metric_is_written_without_underscores() -> None:
    assert wording.metric_label("my_own_score") == "my own score"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(2.0, "points", "+2.0 points"), (-0.021, "fraction", "−0.021"), (0.5, "bits/tag", "+0.500 bits per tag")],
)
def test_signed_amount(value: float, unit: str, text: str) -> None:
    assert wording.signed_amount(value, unit) == text


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("bleu", "BLEU"),
        ("entity_f1", "entity F1"),
        ("entity_f1_PER", "entity F1 PER"),
        ("entity_f1_macro", "entity F1 macro"),
        ("token_accuracy", "token accuracy"),
        ("token_f1_macro", "token F1 macro"),
    ],
)
def test_a_metric_is_called_as_readers_call_it(name: str, label: str) -> None:
    assert wording.metric_label(name) == label
