"""Where a gain comes from: size, compute, architecture or information. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bimodal.metrics import CORPUS_METRICS
from bimodal.schema import Cost, Ladder, LadderPart, LadderStep
from bimodal.statistics import resampled_scores
from bimodal_reports.scored import ScoredCell

BASE, WIDE, LONG, BLANK, FULL = "gpt", "gpt-wide", "gpt-long", "multimodal-blank", "multimodal"
_RUNGS = (BASE, WIDE, LONG, BLANK, FULL)
_SEED = 0

# What each part is, as weights of scores. They add up to multimodal - gpt.
_PARTS: Mapping[str, Mapping[str, float]] = {
    "capacity": {WIDE: 1, BASE: -1},
    "compute": {LONG: 1, BASE: -1},
    "architecture": {BLANK: 1, WIDE: -1, LONG: -1, BASE: 1},
    "information": {FULL: 1, BLANK: -1},
}


def ladder_of(cells: Mapping[str, Mapping[int, ScoredCell]], metric: str) -> Ladder | None:
    """Split the gain of `multimodal` over `gpt` into parts that add up to it; None without all five contestants.

    capacity: what as many parameters bring a text-only model; compute: what as many training FLOPs bring it;
    architecture: what encoders and cross-attention bring with a constant picture, beyond those two; information: what
    the true picture adds. Positive is better, whichever way the metric points. All are taken on the same resamples.

    Args:
        cells: by contestant and seed.
        metric: the task's primary metric.
    """
    if any(not cells.get(rung) for rung in _RUNGS):
        return None
    seeds = [seed for seed in cells[BASE] if all(seed in cells[rung] for rung in _RUNGS)]
    if not seeds or any(metric not in cells[rung][seed].statistics for rung in _RUNGS for seed in seeds):
        return None
    known = CORPUS_METRICS[metric]
    sign = 1.0 if known.higher_is_better else -1.0
    scored = resampled_scores(
        {rung: [cells[rung][seed].statistics[metric] for seed in seeds] for rung in _RUNGS}, known.aggregate, seed=_SEED
    )

    def part(name: str, weights: Mapping[str, float]) -> LadderPart:
        found = scored.contrast({rung: sign * weight for rung, weight in weights.items()})
        return LadderPart(name=name, value=found.value, ci95=found.ci95)

    steps = tuple(
        _step(rung, [cells[rung][seed] for seed in seeds], float(scored.scores[rung].mean())) for rung in _RUNGS
    )
    by_name = {step.contestant: step for step in steps}
    return Ladder(
        metric=metric,
        unit=known.unit,
        seeds=tuple(seeds),
        examples=len(cells[BASE][seeds[0]].rows),
        total=part("total", {FULL: 1, BASE: -1}),
        parts=tuple(part(name, weights) for name, weights in _PARTS.items()),
        steps=steps,
        parameters_ratio=by_name[WIDE].parameters / by_name[FULL].parameters,
        train_flops_ratio=_ratio(by_name[LONG].train_flops, by_name[FULL].train_flops),
    )


def _step(contestant: str, cells: Sequence[ScoredCell], score: float) -> LadderStep:
    costs = [cell.result.cost for cell in cells if cell.result.cost is not None]
    return LadderStep(
        contestant=contestant,
        score=score,
        parameters=costs[0].parameters,
        train_flops=_flops(costs),
        train_wall_s=median(cost.train.wall_s for cost in costs),
    )


def _flops(costs: Sequence[Cost]) -> float | None:
    counted = [cost.train.flops for cost in costs if not isinstance(cost.train.flops, str)]
    return median(counted) if counted else None


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None
