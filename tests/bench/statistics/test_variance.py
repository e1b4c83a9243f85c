from __future__ import annotations

import numpy as np
import pytest

from bimodal.statistics.variance import student_p_value, variance_parts


def parts_of(seed_sd: float, example_sd: float, noise_sd: float, *, seeds: int = 4000) -> list[float]:
    """Estimated examples, noise and seeds parts, times what they should shrink with, from many seeds."""
    rng = np.random.default_rng(0)
    by_seed = rng.normal(scale=seed_sd, size=seeds) + rng.normal(scale=noise_sd, size=seeds) + 1.3
    resampled = by_seed + rng.normal(scale=example_sd, size=(600, 1)) + rng.normal(scale=noise_sd, size=(600, seeds))
    parts = variance_parts(by_seed, resampled)
    return [parts.examples, parts.noise * seeds, parts.seeds * seeds]


def test_parts_are_recovered() -> None:
    assert parts_of(2.0, 1.0, 0.5) == pytest.approx([1.0, 0.25, 4.0], rel=0.15)


def test_seeds_that_vary_no_more_than_noise_count_nothing() -> None:
    by_seed = np.array([1.0, 1.01, 0.99])
    resampled = by_seed + np.random.default_rng(0).normal(size=(5000, 3))
    parts = variance_parts(by_seed, resampled)
    assert parts.seeds == 0.0
    assert parts.total == pytest.approx(1 / 3, rel=0.05)


def test_degrees_of_freedom_are_few_where_seeds_dominate_and_many_where_examples_do() -> None:
    rng = np.random.default_rng(0)
    by_seed = np.array([0.0, 1.0, 2.0])
    still = by_seed + 1e-6 * rng.normal(size=(500, 1))
    assert variance_parts(by_seed, still).degrees_of_freedom == pytest.approx(2.0, rel=1e-3)
    shaken = by_seed + 30.0 * rng.normal(size=(500, 1))
    assert variance_parts(by_seed, shaken).degrees_of_freedom > 1e4


def test_two_seeds_that_are_close_by_luck_have_one_degree_of_freedom() -> None:
    by_seed = np.array([1.0, 1.001])
    assert variance_parts(by_seed, by_seed + np.random.default_rng(0).normal(size=(500, 1))).degrees_of_freedom == 1.0


def test_one_seed_has_no_variance() -> None:
    with pytest.raises(ValueError, match=r"1 seed\(s\) have no variance: at least 2"):
        variance_parts(np.array([1.0]), np.ones((10, 1)))


def test_p_value_of_no_variance_at_all() -> None:
    still = variance_parts(np.array([0.0, 0.0]), np.zeros((10, 2)))
    assert student_p_value(0.0, still) == 1.0
