from __future__ import annotations

import pytest

from bimodal import statistics
from bimodal.statistics import decide


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
