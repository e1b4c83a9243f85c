"""What stands behind a verdict: probes, the ladder, the dial, prices, slices."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from bimodal.schema.base import Modality, Record, Unavailable


class ProbeDrop(Record):
    """How much of a contestant's own score is lost when its inputs are changed, averaged over its training seeds."""

    contestant: str
    probe: str
    metric: str
    true_value: float
    probe_value: float
    drop: float
    ci95: tuple[float, float]


class AuditDrop(ProbeDrop):
    """A probe of `bench audit`: how much is lost when one modality is changed, and which examples flip."""

    modality: Modality
    kind: Literal["deranged", "blank", "noise", "dropped"]
    unit: str
    p_value: float
    perceptual_score: float | None
    """drop / true_value, the share of the score that rests on the modality (Gat et al. 2021, sec. 3); null where it
    has no meaning: for metrics that fall, and scores of 0."""
    helped: tuple[str, ...]
    """Ids of examples answered exactly right with the true input and not with the changed one; first seed."""
    hurt: tuple[str, ...]
    """The other way round: right only without the truth."""
    examples: PositiveInt
    resamples: PositiveInt


class TaskAudit(Record):
    """What `bench audit` found about the contestants of one task on one data set."""

    drops: tuple[AuditDrop, ...]
    not_reproduced: tuple[str, ...]
    """Cells whose true inputs gave other answers than after training (another device, kernel or version)."""


class LadderPart(Record):
    """How much of a gain comes from one thing; positive is better."""

    name: Literal["capacity", "compute", "architecture", "information", "total"]
    value: float
    ci95: tuple[float, float]


class LadderStep(Record):
    """One contestant of the ladder, with what it had; costs are medians over seeds."""

    contestant: str
    score: float
    parameters: NonNegativeInt
    train_flops: float | None
    """By torch's flop counter; null where it could not count."""
    train_wall_s: float


class Ladder(Record):
    """The gain of `multimodal` over `gpt` in the primary metric, split into parts that add up to it."""

    metric: str
    unit: str
    seeds: tuple[NonNegativeInt, ...]
    examples: PositiveInt
    total: LadderPart
    parts: tuple[LadderPart, ...]
    steps: tuple[LadderStep, ...]
    parameters_ratio: float
    """Of `gpt-wide` to `multimodal`: how fair the comparison of sizes is."""
    train_flops_ratio: float | None
    """Of `gpt-long` to `multimodal`, as trained."""


class DialPoint(Record):
    """The gain at one setting of the dial; positive is better."""

    dial: float
    gain: float
    ci95: tuple[float, float]
    outcome: Literal["better", "worse", "equivalent", "inconclusive"]
    baseline_value: float
    contestant_value: float


class DialCurve(Record):
    """How the gain of one contestant grows with what its extra modality knows."""

    task: str
    dataset: str
    baseline: str
    contestant: str
    metric: str
    unit: str
    seeds: tuple[NonNegativeInt, ...]
    points: tuple[DialPoint, ...]
    """By dial, ascending."""
    zero_at_zero: bool | None
    """Whether the interval at dial 0, where there is nothing to gain, contains 0; null where dial 0 was not run."""
    rises: bool
    """Whether no step downwards is larger than the intervals at both of its ends allow."""


class Price(Record):
    """What a gain costs in one currency: quality per unit of it."""

    cost: Literal["end_to_end_ms", "peak_memory", "energy_j", "train_wall_s"]
    unit: str
    extra: float | Unavailable
    """Contestant minus baseline, averaged over seeds."""
    extra_standard_error: float | None = None
    """Null where it was measured once: the interval below then covers the gain's error only."""
    gain_per_unit: float | None = None
    """Null where the extra cost cannot be told from 0: there is then nothing to divide by."""
    ci95: tuple[float, float] | None = None
    """Fieller's interval."""


class PairPrices(Record):
    """What the gain of one contestant over the baseline costs."""

    baseline: str
    contestant: str
    metric: str
    unit: str
    gain: float
    """In the primary metric; positive is better."""
    prices: tuple[Price, ...]


class Pareto(Record):
    """Which contestants are not beaten in quality and every cost at once."""

    costs: tuple[str, ...]
    """What counted beside the primary metric: the costs that all contestants have."""
    front: tuple[str, ...]
    beaten_by: dict[str, str]
    """Of the others, by whom."""


class SliceGain(Record):
    """Where a contestant gains more, or less, than elsewhere; found on one half of the test set, tried on the other."""

    contestant: str
    key: str
    """What examples are divided by: `length`, a key of their meta data, ..."""
    value: str
    examples: PositiveInt
    """In the second half, as all numbers below but `q_found`."""
    gain: float
    """Of the contestant over the baseline within the slice; positive is better."""
    ci95: tuple[float, float]
    elsewhere: float
    """The gain on all other examples."""
    q_found: float
    """P-value of the difference to elsewhere on the first half, adjusted for false discoveries."""
    q_confirmed: float
    """On the second half, adjusted among the slices that were found."""
    confirmed: bool


class SliceSearch(Record):
    """All slices that were tried, and those that were found."""

    metric: str
    unit: str
    tried: NonNegativeInt
    false_discovery_rate: float
    found: tuple[SliceGain, ...]
