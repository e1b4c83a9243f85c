from __future__ import annotations

import pytest

from bimodal.statistics.multiplicity import holm


def test_the_example_of_a_textbook() -> None:
    # Wright (1992), Adjusted P-Values for Simultaneous Inference, table 1.
    assert holm((0.01, 0.02, 0.03)) == pytest.approx((0.03, 0.04, 0.04))
    assert holm((0.03, 0.01, 0.02)) == pytest.approx((0.04, 0.03, 0.04))


def test_one_test_needs_no_correction() -> None:
    assert holm((0.04,)) == (0.04,)


def test_no_p_value_is_above_one() -> None:
    assert holm((0.6, 0.9)) == (1.0, 1.0)
