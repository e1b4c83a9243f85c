"""Contrasts: parts that add up, on the same resamples."""

import numpy as np
import pytest

from bimodal.statistics import paired_difference, resampled_scores
from bimodal.statistics.bootstrap import FloatArray


def mean(sums: FloatArray) -> FloatArray:
    return sums[..., 0] / sums[..., 1]


def statistics(shift: float, seeds: int) -> list[FloatArray]:
    draw = np.random.default_rng(int(100 * shift))
    return [np.stack([draw.normal(shift, 1, 200), np.ones(200)], axis=1) for _ in range(seeds)]


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_difference_of_two_is_the_paired_difference(seeds: int) -> None:
    old, new = statistics(0.0, seeds), statistics(0.5, seeds)
    found = resampled_scores({"old": old, "new": new}, mean, seed=0, resamples=500).contrast({"new": 1, "old": -1})
    expected = paired_difference(np.stack(old), np.stack(new), mean, seed=0, resamples=500)
    assert found.value == pytest.approx(expected.value)
    assert found.ci95 == pytest.approx(expected.ci95)


def test_telescoping_parts_add_up_to_the_whole() -> None:
    scores = resampled_scores({name: statistics(at, 3) for name, at in zip("abcd", (0, 0.2, 0.3, 0.9), strict=True)},
                              mean, seed=0, resamples=500)  # fmt: skip
    parts = [scores.contrast({high: 1, low: -1}).value for low, high in ("ab", "bc", "cd")]
    assert sum(parts) == pytest.approx(scores.contrast({"d": 1, "a": -1}).value, abs=1e-12)


def test_contestants_with_other_seeds_cannot_be_contrasted() -> None:
    with pytest.raises(ValueError, match="the same seeds, examples and statistics"):
        resampled_scores({"a": statistics(0.0, 2), "b": statistics(0.0, 3)}, mean, seed=0)
