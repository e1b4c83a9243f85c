from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from bimodal.statistics.sequential import nominal_levels


def test_every_seed_brings_an_equal_share_of_the_error() -> None:
    assert nominal_levels((5, 6, 8, 10), 0.05) == pytest.approx((0.025, 0.005, 0.01, 0.01))


def test_one_look_has_the_whole_error() -> None:
    assert nominal_levels((7,), 0.05) == pytest.approx((0.05,))


def test_all_looks_of_t_tests_together_err_no_more_often_than_is_allowed() -> None:
    looks = (5, 6, 7, 8)
    differences = np.random.default_rng(1).normal(size=(20_000, 8))
    p_values = np.stack([ttest_1samp(differences[:, :seeds], 0.0, axis=1).pvalue for seeds in looks], axis=1)
    once = (p_values < 0.10).any(axis=1).mean()
    allowed = (p_values < np.array(nominal_levels(looks, 0.10))).any(axis=1).mean()
    assert allowed < 0.10 < once


@pytest.mark.parametrize("looks", [(), (3, 3), (4, 3)])
def test_looks_must_add_seeds(looks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="each needs more than the one before"):
        nominal_levels(looks, 0.05)
