"""Which of two contestants is faster, each timed in several processes that took turns on the same examples.

A machine changes pace within seconds, so a time means little, and the ratio of two times taken right after each other
means much. Two things keep the median of such ratios from the truth:

- *rounds*: other work that fell into some of them, and the choice of examples. Its error is a bootstrap's.
- *processes*: two processes of one contestant differ for as long as they live, by where their memory lies and their
  threads run (0.5 to 4 % on the machines this was built on). No number of rounds reduces that, so every contestant is
  timed in several processes. What processes of one contestant differ by (A/A) is the noise floor.

Shape legend: process, round.

Source: Mytkowicz et al. 2009, Producing Wrong Data Without Doing Anything Obviously Wrong; Kalibera & Jones 2013,
Rigorous Benchmarking in Reasonable Time, sec. 5 (variance at the level of executions).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bimodal.statistics.ratios import median_standard_error
from bimodal.statistics.variance import student_quantile

PaceOutcome = Literal["SAME", "FASTER", "SLOWER", "AMBIGUOUS"]
Times = NDArray[np.float64]

SAME_WITHIN = 0.03
"""Times that differ by less are called the same, if the interval says so."""
LEAST_ROUNDS = 5
"""With fewer there is no verdict."""
_SEED = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How many times as long the second contestant takes."""

    ratio: float
    ci95: tuple[float, float]
    noise: float
    """The noise floor, as a fraction: a ratio so near 1 is what two times the same contestant would give."""
    outcome: PaceOutcome
    rounds: int


def pace(blocks: Sequence[tuple[Times, Times]]) -> Pace:
    """Second over first, in each block's times [process, round] of the two; blocks were measured apart.

    The ratio is the geometric mean over blocks of the median round's; its logarithm has the variance of rounds plus
    that of processes, and Student's t with Satterthwaite's degrees of freedom.

    Raises:
        ValueError: no blocks, no rounds, or the two have not the same rounds.
    """
    if not blocks or any(a.shape[1] != b.shape[1] or a.shape[1] == 0 for a, b in blocks):
        raise ValueError("A pace needs times of the same rounds for both contestants, and at least one round.")
    logs = [(np.log(first), np.log(second)) for first, second in blocks]
    by_round = [second.mean(0) - first.mean(0) for first, second in logs]
    value = float(np.mean([np.median(ratios) for ratios in by_round]))
    rounds = sum(len(ratios) for ratios in by_round)
    of_rounds = sum(median_standard_error(ratios.tolist(), seed=_SEED) ** 2 for ratios in by_round) / len(blocks) ** 2
    deviations = [each for pair in logs for each in pair]
    degrees = sum(len(times) - 1 for times in deviations)
    if degrees == 0:
        return Pace(math.exp(value), (0.0, math.inf), math.inf, "AMBIGUOUS", rounds)
    of_one = sum(_squares(times) for times in deviations) / degrees
    of_processes = of_one * sum(1 / len(times) for times in deviations) / len(blocks) ** 2
    noise = student_quantile(degrees, 0.975) * math.sqrt(of_processes)
    error = of_rounds + of_processes
    parts = of_processes**2 / degrees + of_rounds**2 / max(1, rounds - len(blocks))
    half = student_quantile(error**2 / parts if parts > 0 else 1e6, 0.975) * math.sqrt(error)
    outcome = _outcome(value, half, noise) if rounds >= LEAST_ROUNDS else "AMBIGUOUS"
    bounds = (math.exp(value - half), math.exp(value + half))
    return Pace(math.exp(value), bounds, math.exp(noise) - 1.0, outcome, rounds)


def noise_floor(times: Times) -> float | None:
    """What two contestants with the times of this one [process, round] would differ by through noise, as a fraction.

    The noise floor of a comparison in which each has that many processes like these; None with one process.
    """
    count = len(times)
    if count < 2:
        return None
    of_one = _squares(np.log(times)) / (count - 1)
    return math.expm1(student_quantile(count - 1, 0.975) * math.sqrt(2.0 * of_one / count))


def by_process(processes: Sequence[int], rounds: Sequence[int], values: Sequence[float]) -> Times:
    """Values as [process, round]; NaN where a process has none in a round."""
    table = np.full((max(processes, default=-1) + 1, max(rounds, default=-1) + 1), np.nan)
    table[list(processes), list(rounds)] = values
    return table


def _outcome(value: float, half: float, noise: float) -> PaceOutcome:
    """What the logarithm of a ratio says; never that there is a difference below the noise."""
    if abs(value) > max(half, noise):
        return "SLOWER" if value > 0 else "FASTER"
    return "SAME" if abs(value) + half < math.log1p(SAME_WITHIN) else "AMBIGUOUS"


def _squares(times: Times) -> float:
    """Sum of squares of what the processes of one contestant differ by, each by its median round."""
    levels = np.median(times - times.mean(0), axis=1)
    return float(((levels - levels.mean()) ** 2).sum())


def middle_half(values: Sequence[float]) -> list[int]:
    """Indices of the values between the quartiles (at least one): what is left when a quarter is cut at each end."""
    order = np.argsort(np.asarray(values, dtype=np.float64), kind="stable")
    cut = len(order) // 4
    return sorted(int(index) for index in order[cut : len(order) - cut])
