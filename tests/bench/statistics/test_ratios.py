"""Ratios of uncertain numbers: Fieller's interval."""

import numpy as np
import pytest

from bimodal.statistics import fieller_interval, median_standard_error


def test_a_certain_denominator_only_scales_the_interval() -> None:
    assert fieller_interval(10.0, 1.0, 2.0, 0.0) == pytest.approx((5 - 0.98, 5 + 0.98), abs=1e-3)


def test_there_is_no_interval_where_the_denominator_may_be_0() -> None:
    assert fieller_interval(10.0, 1.0, 2.0, 1.1) is None


def test_few_degrees_of_freedom_make_it_wider() -> None:
    many, few = (fieller_interval(10.0, 1.0, 20.0, 1.0, degrees_of_freedom=d) for d in (1e6, 4.0))
    assert many is not None
    assert few is not None
    assert few[0] < many[0] < many[1] < few[1]


def test_it_covers_the_true_ratio_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        found = fieller_interval(draw.normal(6.0, 1.5), 1.5, draw.normal(3.0, 0.5), 0.5)
        assert found is None or found[0] <= found[1]
        covered += found is not None and found[0] <= 2.0 <= found[1]
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)  # three standard errors of the simulation


def test_the_error_of_a_median_is_that_of_its_distribution() -> None:
    samples = np.random.default_rng(0).normal(0, 1, 400).tolist()
    assert median_standard_error(samples, seed=0) == pytest.approx(1.2533 / 20, rel=0.25)  # sqrt(pi / 2) / sqrt(n)


def test_no_samples_have_no_median() -> None:
    with pytest.raises(ValueError, match="no samples"):
        median_standard_error([], seed=0)
