from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from bimodal.statistics.sequential import nominal_levels, spent


def test_boundaries_are_the_published_ones() -> None:
    # Reboussin, DeMets, Kim & Lan (2000), program of boundaries for the Lan-DeMets method: Pocock-type, five looks.
    boundaries = [-ndtri(level / 2) for level in nominal_levels((1, 2, 3, 4, 5), 0.05)]
    assert boundaries == pytest.approx([2.438, 2.427, 2.410, 2.397, 2.386], abs=1e-3)


def test_one_look_has_the_whole_error() -> None:
    assert nominal_levels((7,), 0.05) == pytest.approx((0.05,))
    assert spent(1.0, 0.05) == pytest.approx(0.05)


def test_all_looks_together_err_as_often_as_is_allowed() -> None:
    looks = (3, 4, 5, 6, 7, 8)
    path = np.cumsum(np.random.default_rng(0).normal(size=(40_000, 8)), axis=1)
    standardised = np.abs(np.stack([path[:, seeds - 1] / seeds**0.5 for seeds in looks], axis=1))
    bounds = -ndtri(np.array(nominal_levels(looks, 0.10)) / 2)
    # Three standard errors of a rate of 40,000.
    assert (standardised > bounds).any(axis=1).mean() == pytest.approx(0.10, abs=0.0045)


def test_looks_must_add_seeds() -> None:
    with pytest.raises(ValueError, match=r"looks at \[3, 3\] seeds: each must have more"):
        nominal_levels((3, 3), 0.05)
