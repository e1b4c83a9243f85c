"""The studies: equal contestants, planted differences, repeated looks; each many comparisons of known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import sqrt
from statistics import mean, median
from typing import TypeVar

from bimodal.calibration.comparisons import (
    LOOKS,
    MARGIN,
    Found,
    Setting,
    Stop,
    compare_once,
    plain_bootstrap_excludes_zero,
    stop_once,
)
from bimodal.calibration.corpora import CORPORA, F1_LIKE, Corpus
from bimodal.statistics import Outcome, detectable_difference

RESTLESS = 0.15
"""Standard deviation of ability between trainings: that of BLEU is then 3 points, as between seeds of `small`."""
Result = TypeVar("Result")
_FALSE_ALARMS = (0.0, 0.05)
_COVERAGE = (0.93, 0.97)
_POWER = (0.75, 0.90)
"""80 %, and more where precision, which is planned with its average, varies much between runs."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: how often something happened, and what was promised."""

    study: str
    metric: str
    examples: int
    seeds: str
    seed_spread: float
    event: str
    rate: float
    standard_error: float
    """Of the rate, from the number of comparisons (Monte-Carlo error)."""
    promise: tuple[float, float] | None
    """Lowest and highest rate that is right; None for what is shown for contrast."""
    comparisons: int
    note: str

    @property
    def kept(self) -> bool:
        """Whether the rate is within the promise, allowing two standard errors either way; always without a promise."""
        low, high = self.promise or (0.0, 1.0)
        slack = 2.0 * self.standard_error
        return low - slack <= self.rate <= high + slack


@dataclass(frozen=True, slots=True)
class Studies:
    """Comparisons spread over worker processes; the numbers do not depend on how many there are."""

    pool: Executor
    comparisons: int
    resamples: int
    """For percentiles. Several seeds need a variance only, for which a quarter does."""

    def fixed(self, corpus: Corpus, examples: int, seeds: int, seed_spread: float) -> Iterator[Row]:
        """Equal contestants, and contestants apart by what the comparison says it can just detect.

        With one seed the claim is about two checkpoints: those that are equal have the same ability.
        """
        setting = Setting(corpus, examples, seeds, seed_spread)
        who = "checkpoints" if seeds == 1 else "contestants"
        resamples = self.resamples if seeds == 1 else self.resamples // 4
        same = self._many(partial(compare_once, setting, resamples))
        wrong = [found.outcome in ("better", "worse") for found in same]
        yield self._row(f"equal {who}", setting, "better or worse", wrong, _FALSE_ALARMS)
        below = [found.p_value <= 0.05 for found in same]
        yield self._row(f"equal {who}", setting, "p at most 0.05", below, _FALSE_ALARMS)
        if seeds > 1 and examples <= 200:  # the larger, the slower, and the less examples matter
            plain = self._many(partial(plain_bootstrap_excludes_zero, setting, self.resamples))
            yield self._row(f"equal {who}", setting, "plain bootstrap: better or worse", plain, None, "for contrast")
        if seeds == 2:  # barely know how much trainings vary: what they can find is larger than the scale of a score
            return
        effect = _detectable(same)
        apart = self._many(partial(compare_once, setting.apart_by(effect), resamples))
        covered = [found.covered for found in apart]
        yield self._row(f"different {who}", setting, "interval holds truth", covered, _COVERAGE)
        better = [found.outcome == "better" for found in apart]
        note = f"{effect:.1f} points apart, promised 80 %"
        yield self._row(f"different {who}", setting, "better", better, _POWER, note)

    def looks(self, corpus: Corpus, examples: int, seed_spread: float) -> Iterator[Row]:
        """`--until-settled 10`: equal contestants, contestants apart by the margin, and by four of them."""
        equal = Setting(corpus, examples, max(LOOKS), seed_spread)
        yield from self._stops("equal", equal, ("better", "worse"), _FALSE_ALARMS)
        yield from self._stops("margin apart", equal.apart_by(MARGIN), ("equivalent", "worse"), _FALSE_ALARMS)
        yield from self._stops("two margins apart", equal.apart_by(2 * MARGIN), ("better",), None)

    def _stops(
        self, what: str, setting: Setting, outcomes: Sequence[Outcome], promise: tuple[float, float] | None
    ) -> Iterator[Row]:
        event = " or ".join(outcomes)
        corrected, uncorrected = zip(*self._many(partial(stop_once, setting, self.resamples // 4)), strict=True)
        yield self._stopped(what, setting, event, corrected, promise)
        yield self._stopped(what, setting, f"uncorrected: {event}", uncorrected, None)

    def _stopped(
        self, what: str, setting: Setting, event: str, stops: Sequence[Stop], promise: tuple[float, float] | None
    ) -> Row:
        outcomes = event.removeprefix("uncorrected: ").split(" or ")
        note = f"stopped after {mean(stop.seeds for stop in stops):.1f} seeds"
        happened = [stop.outcome in outcomes for stop in stops]
        return self._row(f"until settled, {what}", setting, event, happened, promise, note)

    def _many(self, work: Callable[[int], Result]) -> list[Result]:
        return list(self.pool.map(work, range(self.comparisons), chunksize=max(1, self.comparisons // 40)))

    def _row(
        self,
        study: str,
        setting: Setting,
        event: str,
        happened: Sequence[bool],
        promise: tuple[float, float] | None,
        note: str = "",
    ) -> Row:
        rate = sum(happened) / len(happened)
        # Never below the error of a rate of 1 %: a rate of 0 is not known exactly.
        variance = max(rate * (1.0 - rate), 0.01 * 0.99)
        return Row(
            study=study,
            metric=setting.corpus.name,
            examples=setting.examples,
            seeds=f"{LOOKS[0]} to {LOOKS[-1]}" if "until" in study else str(setting.seeds),
            seed_spread=setting.seed_spread,
            event=event,
            rate=rate,
            standard_error=(variance / len(happened)) ** 0.5,
            promise=promise,
            comparisons=len(happened),
            note=note,
        )


def _detectable(comparisons: Sequence[Found]) -> float:
    """What such comparisons say they can detect, at their average precision."""
    error = sqrt(mean(found.standard_error**2 for found in comparisons))
    degrees = [found.degrees_of_freedom for found in comparisons if found.degrees_of_freedom is not None]
    return detectable_difference(error, median(degrees) if degrees else None)


def all_rows(studies: Studies) -> Iterator[Row]:
    """Everything docs/evidence.md quotes."""
    for corpus in CORPORA:
        for examples in (200, 2000):
            yield from studies.fixed(corpus, examples, 1, 0.0)
            yield from studies.fixed(corpus, examples, 5, RESTLESS)
        yield from studies.fixed(corpus, 200, 5, 0.0)
        for seeds in (2, 3):
            yield from studies.fixed(corpus, 200, seeds, RESTLESS)
    yield from islice(studies.fixed(F1_LIKE, 200, 5, 5 * RESTLESS), 3)  # trainings are nearly all that varies
    for spread in (0.0, 3 * RESTLESS):
        yield from studies.looks(F1_LIKE, 200, spread)
