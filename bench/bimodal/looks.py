"""`--until-settled`: when a run is looked at, how strictly, and which cells come next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.errors import UsageError
from bimodal.schema import Comparison, Look, Manifest, RunConfig, TaskComparison
from bimodal.statistics.sequential import nominal_levels

FEWEST_SEEDS = 5
"""Of a first look. Looks need stricter levels than 5 %, and with fewer seeds the tails of the interval are not accurate
enough for those: a look at 1.5 % after 3 seeds errs in up to 4 %."""
_ALPHA_95, _ALPHA_90 = 0.05, 0.10


def plan_looks(seeds: int, most_seeds: int) -> tuple[Look, ...]:
    """A look after every seed, from `seeds` (at least five) to `most_seeds`.

    Levels are such that all looks together err as often as one look at 5 % (at 10 %, for equivalence) would.

    Raises:
        UsageError: there are not more seeds to add.
    """
    first = max(seeds, FEWEST_SEEDS)
    if most_seeds <= first:
        raise UsageError(
            f"--until-settled {most_seeds} leaves no seed to add: the first look is after {first} seeds "
            f"(--seeds, and at least {FEWEST_SEEDS}). Ask for more, for instance --until-settled {max(10, 2 * first)}."
        )
    counts = range(first, most_seeds + 1)
    levels = zip(counts, nominal_levels(counts, _ALPHA_95), nominal_levels(counts, _ALPHA_90), strict=True)
    return tuple(Look(seeds=count, alpha95=alpha95, alpha90=alpha90) for count, alpha95, alpha90 in levels)


def next_cells(manifest: Manifest, comparison: Comparison) -> tuple[RunConfig, ...]:
    """One more seed of every contestant, for each task and data set that has a look left and is not settled.

    Settled: no pair is inconclusive.
    """
    added: list[RunConfig] = []
    for task in comparison.tasks:
        mine = [config for config in manifest.cells if _belongs(config, task)]
        seeds = {config.seed for config in mine}
        unsettled = any(pair.verdict.outcome == "inconclusive" for pair in task.pairs)
        if unsettled and manifest.looks and len(seeds) < manifest.looks[-1].seeds:
            first = [config for config in mine if config.seed == min(seeds)]
            added += [config.model_copy(update={"seed": max(seeds) + 1}) for config in first]
    return tuple(added)


def with_later_seeds(planned: Sequence[RunConfig], stored: Sequence[RunConfig]) -> tuple[RunConfig, ...]:
    """The planned cells and those that a run added to them: the same but for their seed."""
    known = {config.cell for config in planned}
    likes = {config.model_copy(update={"seed": 0}) for config in planned}
    later = [c for c in stored if c.cell not in known and c.model_copy(update={"seed": 0}) in likes]
    return (*planned, *later)


def _belongs(config: RunConfig, task: TaskComparison) -> bool:
    return config.task == task.task.name and task.dataset.is_of(config.data)
