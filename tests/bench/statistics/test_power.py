from __future__ import annotations

import numpy as np
import pytest

from bimodal.statistics import Needed, VarianceParts, detectable_difference, needed_to_settle

# z_0.975 + z_0.8 and z_0.95 + z_0.8 (Cohen 1988, sec. 2.4)
TO_ZERO, TO_MARGIN = 2.80159, 2.48647


def needed(value: float, margin: float, *, standard_error: float = 1.0) -> Needed:
    return needed_to_settle(value, None, margin, standard_error=standard_error, examples=100, seeds=1)


def of_parts(value: float, margin: float, *, examples: float, seeds: float, noise: float = 0.0) -> Needed:
    count = 5
    total = examples + noise + seeds
    degrees = (count - 1) * (total / (noise + seeds)) ** 2
    parts = VarianceParts(examples, noise, seeds, degrees)
    return needed_to_settle(value, parts, margin, standard_error=total**0.5, examples=100, seeds=count)


def test_examples_must_shrink_the_error_until_zero_is_far_enough() -> None:
    assert needed(1.0, 0.0) == Needed(int(np.ceil(100 * TO_ZERO**2)), None)


def test_examples_must_shrink_the_error_until_the_margin_is_far_enough_if_that_is_nearer() -> None:
    assert needed(0.5, 2.5) == Needed(int(np.ceil(100 * (TO_MARGIN / 2.0) ** 2)), None)


def test_nothing_settles_a_zero_against_a_zero_margin() -> None:
    assert needed(0.0, 0.0) == Needed(None, None)
    assert of_parts(0.0, 0.0, examples=1.0, seeds=1.0) == Needed(None, None)


def test_examples_do_not_help_where_seeds_are_what_varies() -> None:
    found = of_parts(1.0, 0.0, examples=1e-6, seeds=1.0)
    assert found.examples is None
    # t with S - 1 degrees of freedom: (t_0.975 + t_0.8)^2 * 5 / S < 1 from S = 42 on.
    assert found.seeds == pytest.approx(42, abs=1)


def test_seeds_do_not_help_where_examples_are_what_varies() -> None:
    found = of_parts(1.0, 0.0, examples=1.0, seeds=0.001)
    assert found.seeds is None
    assert found.examples == pytest.approx(100 * TO_ZERO**2, rel=0.02)


def test_noise_falls_with_either() -> None:
    found = of_parts(1.0, 0.0, examples=0.0, noise=0.3, seeds=0.0)
    assert found.seeds is not None
    assert found.examples is not None


def test_planned_examples_find_the_effect_as_often_as_promised() -> None:
    found = needed(0.2, 0.0, standard_error=0.2).examples
    assert found is not None
    error = 0.2 * (100 / found) ** 0.5
    estimates = np.random.default_rng(0).normal(0.2, error, size=20_000)
    assert (estimates > 1.96 * error).mean() == pytest.approx(0.8, abs=0.01)


def test_a_true_difference_of_the_detectable_size_is_found_four_times_of_five() -> None:
    assert detectable_difference(2.0) == pytest.approx(2.0 * TO_ZERO, rel=1e-4)


def test_few_seeds_need_a_larger_difference() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(detectable_difference(1.0, 4), 1.0, size=20_000)
    errors = np.sqrt(rng.chisquare(4, size=20_000) / 4)
    # t_0.975 with 4 degrees of freedom is 2.776.
    assert (seen > 2.776 * errors).mean() == pytest.approx(0.8, abs=0.01)
