"""What a point of quality costs, in time, memory and energy; and who is not beaten in everything at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, median, stdev

from bimodal.schema import Cost, Difference, PairPrices, Pareto, Price
from bimodal.statistics import fieller_interval, median_standard_error
from bimodal_reports.costs import median_ms
from bimodal_reports.scored import ScoredCell

_SEED = 0
_MB = 1e6
_MANY = 1e6
"""Degrees of freedom of a standard error that is as good as known."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A cost that quality is paid with."""

    name: str
    unit: str
    value: Callable[[Cost], float | str]


_COSTS = (
    _Counted("end_to_end_ms", "ms", lambda cost: median_ms(cost.end_to_end_ms) or "unavailable"),
    _Counted("peak_memory", "MB", lambda cost: _peak_memory_mb(cost)),
    _Counted("energy_j", "J", lambda cost: cost.energy_j),
    _Counted("train_wall_s", "s", lambda cost: cost.train.wall_s),
)


def _peak_memory_mb(cost: Cost) -> float | str:
    memory = cost.peak_memory
    peak = memory.rss_generate_bytes if memory.cuda_allocated_bytes == "unavailable" else memory.cuda_allocated_bytes
    return peak if isinstance(peak, str) else peak / _MB


def prices_of(
    pairs: Sequence[tuple[ScoredCell, ScoredCell]],
    difference: Difference,
    latencies: Mapping[str, Sequence[float]],
) -> PairPrices:
    """What the contestant's gain in the primary metric costs, per ms, MB, joule and second of training.

    Gain and cost are independent estimates; their ratio has Fieller's interval. The gain's error is that of the
    verdict. A cost's error is the spread between seeds; with one seed, that of the median over requests for latencies,
    and unknown for what was measured once.

    Args:
        pairs: (baseline, contestant) cells, one pair per seed.
        difference: the primary metric's.
        latencies: every timed request in ms, by cell name.
    """
    up = 1.0 if difference.higher_is_better else -1.0
    return PairPrices(
        baseline=pairs[0][0].name,
        contestant=pairs[0][1].name,
        metric=difference.metric,
        unit=difference.unit,
        gain=up * difference.value,
        prices=tuple(_price(counted, pairs, difference, latencies) for counted in _COSTS),
    )


def _price(
    counted: _Counted,
    pairs: Sequence[tuple[ScoredCell, ScoredCell]],
    difference: Difference,
    latencies: Mapping[str, Sequence[float]],
) -> Price:
    both = [(counted.value(low), counted.value(high)) for low, high in _costs_of(pairs)]
    known = [(low, high) for low, high in both if not isinstance(low, str) and not isinstance(high, str)]
    if not known or len(known) < len(pairs):
        return Price(cost=counted.name, unit=counted.unit, extra="unavailable")
    extras = [high - low for low, high in known]
    extra, error, degrees = fmean(extras), None, _MANY
    if len(extras) > 1:
        error, degrees = stdev(extras) / sqrt(len(extras)), len(extras) - 1.0
    elif counted.name == "end_to_end_ms":
        error = _latency_error(pairs[0], latencies)
    up = 1.0 if difference.higher_is_better else -1.0
    of_gain = difference.variance.degrees_of_freedom if difference.variance else _MANY
    interval = fieller_interval(
        up * difference.value,
        difference.standard_error,
        extra,
        error or 0.0,
        degrees_of_freedom=min(degrees, of_gain),
    )
    return Price(
        cost=counted.name,
        unit=counted.unit,
        extra=extra,
        extra_standard_error=error,
        gain_per_unit=up * difference.value / extra if interval is not None else None,
        ci95=interval,
    )


def _costs_of(pairs: Sequence[tuple[ScoredCell, ScoredCell]]) -> list[tuple[Cost, Cost]]:
    return [
        (low.result.cost, high.result.cost)
        for low, high in pairs
        if low.result.cost is not None and high.result.cost is not None
    ]


def _latency_error(pair: tuple[ScoredCell, ScoredCell], latencies: Mapping[str, Sequence[float]]) -> float | None:
    samples = [latencies.get(cell.result.config.cell) for cell in pair]
    errors = [median_standard_error(found, seed=_SEED) for found in samples if found]
    return sqrt(sum(error**2 for error in errors)) if len(errors) == 2 else None


def pareto_of(cells: Mapping[str, Mapping[int, ScoredCell]], metric: str, higher_is_better: bool) -> Pareto | None:
    """Who is not beaten: nobody is at least as good and as cheap in everything, and better or cheaper in something.

    By medians over seeds, of the score and of every cost that all contestants have. None with fewer than two.
    """
    costs = {
        name: [cell.result.cost for cell in mine.values() if cell.result.cost is not None]
        for name, mine in cells.items()
        if mine and all(metric in cell.result.metrics for cell in mine.values())
    }
    costs = {name: known for name, known in costs.items() if known}
    if len(costs) < 2:
        return None
    counted = [
        c for c in _COSTS if all(not isinstance(c.value(cost), str) for known in costs.values() for cost in known)
    ]
    sign = -1.0 if higher_is_better else 1.0
    places = {
        name: (
            sign * median(cell.result.metrics[metric].value for cell in cells[name].values()),
            *(median(float(c.value(cost)) for cost in known) for c in counted),
        )
        for name, known in costs.items()
    }
    beaten = {name: next((other for other in places if _beats(places[other], places[name])), None) for name in places}
    return Pareto(
        costs=tuple(c.name for c in counted),
        front=tuple(name for name, by in beaten.items() if by is None),
        beaten_by={name: by for name, by in beaten.items() if by is not None},
    )


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether one is nowhere worse and somewhere better; less is better in each place."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
