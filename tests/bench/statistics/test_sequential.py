from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import ttest_1samp

from bimodal.statistics.sequential import nominal_levels, spent


def test_with_very_many_seeds_boundaries_are_the_published_ones() -> None:
    # Reboussin, DeMets, Kim & Lan (2000), program of boundaries for the Lan-DeMets method: Pocock-type, five looks.
    boundaries = [-ndtri(level / 2) for level in nominal_levels((1000, 2000, 3000, 4000, 5000), 0.05)]
    assert boundaries == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=0.015)


def test_one_look_has_the_whole_error() -> None:
    assert nominal_levels((7,), 0.05) == pytest.approx((0.05,))
    assert spent(1.0, 0.05) == pytest.approx(0.05)


def test_all_looks_of_t_tests_together_err_as_often_as_is_allowed() -> None:
    looks = (3, 4, 5, 6, 7, 8)
    differences = np.random.default_rng(1).normal(size=(20_000, 8))
    p_values = np.stack([ttest_1samp(differences[:, :seeds], 0.0, axis=1).pvalue for seeds in looks], axis=1)
    rejected = (p_values < np.array(nominal_levels(looks, 0.10))).any(axis=1).mean()
    # Three standard errors of a rate of 20,000, and the error of the levels.
    assert rejected == pytest.approx(0.10, abs=0.0065 + 0.001)


def test_levels_are_the_same_every_time() -> None:
    assert nominal_levels((3, 5), 0.05) == nominal_levels((3, 5), 0.05)


@pytest.mark.parametrize("looks", [(), (1, 2), (3, 3), (4, 3)])
def test_looks_must_add_seeds_to_at_least_two(looks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the first needs 2, and each more than the one before"):
        nominal_levels(looks, 0.05)
