"""One simulated comparison, or one simulated run with looks, of known truth. Everything follows from its number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq

from bimodal.calibration.corpora import Corpus
from bimodal.statistics import (
    FloatArray,
    Outcome,
    decide,
    paired_difference,
    percentile_interval,
    resample_sums,
)
from bimodal.statistics.sequential import nominal_levels
from bimodal.statistics.variance import student_interval

ABILITY = 1.0
"""Of the baseline, on the logit scale: BLEU 45, F1 72."""
MARGIN = 5.0
"""Points; about what five seeds of 200 examples can tell from 0."""
LOOKS = range(5, 11)
"""Seeds at each look of `--until-settled 10`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is compared, on what, and how unlike trainings are."""

    corpus: Corpus
    examples: int
    seeds: int
    seed_spread: float
    """Standard deviation of ability between trainings, on the logit scale."""
    gap: float = 0.0
    """Ability of the contestant above that of the baseline."""

    @property
    def truth(self) -> float:
        """The true difference: of all trainings and examples there could be."""
        high = self.corpus.mean_score(ABILITY + self.gap, self.seed_spread)
        return high - self.corpus.mean_score(ABILITY, self.seed_spread)

    def apart_by(self, difference: float) -> Setting:
        """The same with a true difference of so many points."""

        def excess(gap: float) -> float:
            return self._with(gap).truth - difference

        return self._with(float(brentq(excess, 0.0, 5.0)) if difference else 0.0)

    def _with(self, gap: float) -> Setting:
        return Setting(self.corpus, self.examples, self.seeds, self.seed_spread, gap)

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """What a run finds: statistics [contestant, seed, example, statistic]."""
        abilities = ABILITY + rng.normal(scale=self.seed_spread, size=(2, self.seeds))
        abilities[1] += self.gap
        return self.corpus.statistics(abilities, self.examples, rng)


@dataclass(frozen=True, slots=True)
class Found:
    """What came out of one comparison."""

    outcome: Outcome
    covered: bool
    """Whether the 95 % interval holds the true difference."""
    p_value: float
    standard_error: float
    degrees_of_freedom: float | None


def compare_once(setting: Setting, resamples: int, number: int) -> Found:
    """Draw a run and compare as `bench run` does."""
    rng = np.random.default_rng((1, number))
    baseline, contestant = setting.draw(rng)
    found = paired_difference(baseline, contestant, setting.corpus.aggregate, seed=number, resamples=resamples)
    return Found(
        outcome=decide(found.ci95, found.ci90, margin=MARGIN, higher_is_better=True),
        covered=found.ci95[0] <= setting.truth <= found.ci95[1],
        p_value=found.p_value,
        standard_error=found.standard_error,
        degrees_of_freedom=None if found.parts is None else found.parts.degrees_of_freedom,
    )


def plain_bootstrap_excludes_zero(setting: Setting, resamples: int, number: int) -> bool:
    """The same run judged by the plain two-level bootstrap, for contrast: seeds are resampled as examples are."""
    baseline, contestant = setting.draw(np.random.default_rng((1, number)))
    seeds, examples, width = baseline.shape
    columns = np.stack([baseline, contestant]).transpose(2, 0, 1, 3).reshape(examples, -1)
    sums = resample_sums(columns, seed=number, resamples=resamples).reshape(resamples, 2, seeds, width)
    differences = setting.corpus.aggregate(sums[:, 1]) - setting.corpus.aggregate(sums[:, 0])
    drawn = np.random.default_rng(number).integers(0, seeds, size=(resamples, seeds))
    low, high = percentile_interval(np.take_along_axis(differences, drawn, axis=1).mean(axis=1), 0.95)
    return low > 0 or high < 0


@dataclass(frozen=True, slots=True)
class Stop:
    """When a run with looks ended, and with what."""

    outcome: Outcome
    seeds: int


def stop_once(setting: Setting, resamples: int, number: int) -> tuple[Stop, Stop]:
    """Draw a run and look at it after every seed from the fifth on, until it is settled.

    Returns where it stops with looks at the levels of `--until-settled`, and with looks at 5 % each.
    """
    baseline, contestant = setting.draw(np.random.default_rng((2, number)))
    stops: dict[bool, Stop] = {}
    for seeds, *corrected in zip(LOOKS, *_levels(), strict=True):
        found = paired_difference(
            baseline[:seeds], contestant[:seeds], setting.corpus.aggregate, seed=number, resamples=resamples
        )
        assert found.parts is not None
        for correct, alphas in ((True, corrected), (False, (0.05, 0.10))):
            ci95, ci90 = (student_interval(found.value, found.parts, 1.0 - alpha) for alpha in alphas)
            outcome = decide(ci95, ci90, margin=MARGIN, higher_is_better=True)
            if correct not in stops and (outcome != "inconclusive" or seeds == LOOKS[-1]):
                stops[correct] = Stop(outcome, seeds)
        if len(stops) == 2:
            break
    return stops[True], stops[False]


@cache
def _levels() -> tuple[tuple[float, ...], tuple[float, ...]]:
    return nominal_levels(LOOKS, 0.05), nominal_levels(LOOKS, 0.10)
