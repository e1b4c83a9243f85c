"""Looking at a comparison repeatedly, and stopping when it is settled, without fooling oneself.

A test at 5 % that is repeated after every further seed is wrong far more often than in 5 % of cases. Each look is
therefore made at a stricter level, fixed before the run, so that all looks together are wrong in at most 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from bimodal.statistics.bootstrap import FloatArray

_NODES = 200
"""Of the Gauss-Legendre rule; 100 give the same levels to seven digits."""


def spent(fraction: float, alpha: float) -> float:
    """How much of the error `alpha` may be used up when this fraction (0 to 1) of the seeds has been seen.

    Pocock-type spending, alpha ln(1 + (e - 1) fraction): looks count nearly alike, so that a run whose answer is plain
    can stop at its first look.

    Source: Lan & DeMets (1983), Discrete Sequential Boundaries for Clinical Trials, sec. 3.
    """
    return alpha * math.log1p((math.e - 1.0) * fraction)


def nominal_levels(looks: Sequence[int], alpha: float) -> tuple[float, ...]:
    """Two-sided level of each look such that a true null is rejected at any of them with probability `alpha`.

    The estimate after more seeds contains the one after fewer, so its standardised path over looks is a Brownian motion
    seen at the fractions `looks` / last look. Its density inside the boundaries is carried from look to look by
    quadrature, and each boundary is placed so that what leaves there is what `spent` allows. Seeds are not all the
    information where test examples limit the estimate; looks then depend on each other more, and err together less.

    Args:
        looks: number of seeds at each look, rising.
        alpha: error over all looks, two-sided.

    Source: Armitage, McPherson & Rowe (1969), Repeated Significance Tests on Accumulating Data; Lan & DeMets (1983);
        Jennison & Turnbull (2000), Group Sequential Methods, ch. 7 and 19; levels used with Student's t: sec. 3.8.
    """
    if not looks or any(later <= earlier for earlier, later in zip((0, *looks), looks, strict=False)):
        raise ValueError(f"looks at {list(looks)} seeds: each must have more seeds than the one before.")
    fractions = [seeds / looks[-1] for seeds in looks]
    allowed = np.diff([0.0, *(spent(fraction, alpha) for fraction in fractions)])
    levels = [float(allowed[0])]
    path = _Path.until(math.sqrt(fractions[0]) * -float(ndtri(allowed[0] / 2.0)), fractions[0])
    for before, fraction, error in zip(fractions, fractions[1:], allowed[1:], strict=False):
        bound = path.bound(math.sqrt(fraction - before), float(error))
        levels.append(float(2.0 * ndtr(-bound / math.sqrt(fraction))))
        path = path.onward(bound, math.sqrt(fraction - before))
    return tuple(levels)


class _Path:
    """The density [node] of a Brownian motion that has not left the boundaries so far, with quadrature weights."""

    def __init__(self, positions: FloatArray, masses: FloatArray) -> None:
        self._positions, self._masses = positions, masses

    @staticmethod
    def until(bound: float, variance: float) -> _Path:
        """The motion at its first look, between plus and minus `bound`."""
        positions, weights = _nodes(bound)
        return _Path(positions, weights * _normal_density(positions, math.sqrt(variance)))

    def bound(self, step: float, error: float) -> float:
        """The boundary that a share `error` of all motions has passed when they have moved on by `step`."""
        low, high = 0.0, float(self._positions.max()) + 10.0 * step
        for _ in range(60):  # halving: 60 bits
            middle = (low + high) / 2.0
            outside = ndtr((-middle - self._positions) / step) + ndtr((self._positions - middle) / step)
            low, high = (middle, high) if float(self._masses @ outside) > error else (low, middle)
        return (low + high) / 2.0

    def onward(self, bound: float, step: float) -> _Path:
        """The motion one look later, between plus and minus `bound`."""
        positions, weights = _nodes(bound)
        arriving = _normal_density(positions[:, None] - self._positions, step) @ self._masses
        return _Path(positions, weights * arriving)


def _nodes(bound: float) -> tuple[FloatArray, FloatArray]:
    positions, weights = np.polynomial.legendre.leggauss(_NODES)
    return bound * positions, bound * weights


def _normal_density(values: FloatArray, deviation: float) -> FloatArray:
    return np.asarray(np.exp(-0.5 * (values / deviation) ** 2) / (deviation * math.sqrt(2.0 * math.pi)))
