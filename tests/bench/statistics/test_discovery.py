"""False discoveries: Benjamini and Hochberg."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from bimodal.statistics import benjamini_hochberg


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_scipys(seed: int) -> None:
    p_values = np.random.default_rng(seed).random(17) ** 3
    assert benjamini_hochberg(list(p_values)) == pytest.approx(tuple(false_discovery_control(p_values)))


def test_nothing_is_adjusted_where_nothing_is() -> None:
    assert benjamini_hochberg([]) == ()
