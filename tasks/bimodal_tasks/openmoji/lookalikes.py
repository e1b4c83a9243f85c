"""Finds pictures that cannot be told apart.

OpenMoji draws some emoji alike: "man farmer" is "farmer", the flag of Chad is Romania's, and couples differ
by a rounding error of one grey level. No model can name such a picture, and splits must know of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

MAX_LEVELS = 4
"""Largest difference of a colour value, of 255. Measured: look-alikes have at most 3, others at least 16."""
MAX_SHARE = 0.01
"""Largest share of pixels that differ at all. Measured: look-alikes have at most 0.4 %."""


def lookalikes(pictures: Mapping[str, NDArray[np.uint8]]) -> dict[str, str]:
    """Name, for each picture, the first id (in sort order) of those that look the same; often its own.

    Args:
        pictures: [height, width, channel] by id, all of one shape.
    """
    ids = sorted(pictures)
    leader = {key: key for key in ids}

    def find(key: str) -> str:
        while leader[key] != key:
            key = leader[key]
        return key

    # If at most a share s of the pixels differ by at most d, the means differ by at most s * d: sorted by
    # mean, only near neighbours have to be compared (12,000 pairs instead of 8 million).
    means = {key: float(pictures[key].mean()) for key in ids}
    by_mean = sorted(ids, key=lambda key: means[key])
    for index, key in enumerate(by_mean):
        for other in by_mean[index + 1 :]:
            if means[other] - means[key] > MAX_SHARE * MAX_LEVELS:
                break
            if alike(pictures[key], pictures[other]):
                first, second = sorted((find(key), find(other)))
                leader[second] = first
    return {key: find(key) for key in ids}


def alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two pictures [height, width, channel] differ by no more than rendering noise."""
    difference = np.abs(one.astype(np.int16) - other.astype(np.int16)).max(axis=-1)  # [height, width]
    return bool(difference.max() <= MAX_LEVELS and (difference > 0).mean() <= MAX_SHARE)
