"""What the results of a run say together."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from bimodal.schema.base import SCHEMA_VERSION, Modality, Record
from bimodal.schema.results import DatasetRecord, TaskRecord


class SeedDifference(Record):
    """`contestant` minus `baseline` for the two trainings of one seed."""

    seed: NonNegativeInt
    baseline_value: float
    contestant_value: float
    value: float


class Variance(Record):
    """What the variance of a difference is made of; the parts add up to the square of its standard error.

    In squared units of the metric. See `bimodal.statistics.variance`.
    """

    examples: float
    """Falls with the number of test examples only."""
    noise: float
    """Falls with examples and with seeds."""
    seeds: float
    """Falls with the number of seeds only."""
    degrees_of_freedom: float


class Difference(Record):
    """`contestant` minus `baseline` in one metric, on the same examples, averaged over training seeds."""

    metric: str
    unit: str
    higher_is_better: bool
    baseline_value: float
    """Mean over seeds."""
    contestant_value: float
    value: float
    ci95: tuple[float, float]
    """One seed: of these two checkpoints, over test examples. Several: over test examples and trainings."""
    ci90: tuple[float, float]
    p_value: float
    """Two-sided. One seed: paired approximate randomisation. Several: Student's t over seeds and examples."""
    standard_error: float
    detectable: float
    """The smallest true difference that this comparison would find with 80 % power."""
    variance: Variance | None
    """Null with one seed: how much trainings vary is unknown."""
    by_seed: tuple[SeedDifference, ...]
    examples: PositiveInt
    resamples: PositiveInt


class Verdict(Record):
    """The answer for one pair, and the sentence that may be quoted."""

    outcome: Literal["better", "worse", "equivalent", "inconclusive"]
    metric: str
    margin: float
    p_holm: float
    """P-value of the primary metric, corrected by Holm for all the verdicts of the run."""
    of_verdicts: PositiveInt
    """How many verdicts the run has."""
    sentence: str
    caveats: tuple[str, ...]


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


class CostRatio(Record):
    """`contestant` over `baseline` for one cost, each the median over seeds; above 1 is dearer."""

    name: str
    unit: str
    baseline_value: float
    contestant_value: float
    ratio: float


class LookTaken(Record):
    """At which look of a run with repeated looks a verdict was reached."""

    taken: PositiveInt
    planned: PositiveInt
    alpha95: float
    """Level of this look; intervals are that much wider, and p-values are scaled by 5 % over it."""


class Pair(Record):
    """A contestant held against the baseline of its task and data set, over all training seeds that both have."""

    baseline: str
    contestant: str
    seeds: tuple[NonNegativeInt, ...]
    verdict: Verdict
    look: LookTaken | None
    """Null for a run whose number of seeds was fixed beforehand."""
    differences: tuple[Difference, ...]
    costs: tuple[CostRatio, ...]


class Sample(Record):
    """One test example with everybody's output, for the sample browser."""

    id: str
    text: str
    target: str
    predictions: dict[str, str]
    """By contestant; probes as `<contestant>.<probe>`."""
    scores: dict[str, float]
    """Sentence-level chrF by the same keys, to sort by."""


class TaskComparison(Record):
    """All contestants of one task on one data set."""

    task: TaskRecord
    dataset: DatasetRecord
    contestants: tuple[str, ...]
    pairs: tuple[Pair, ...]
    probes: tuple[ProbeDrop, ...]
    audit: TaskAudit | None = None
    ladder: Ladder | None = None
    samples: tuple[Sample, ...]
    failed: dict[str, str]
    """Cell name to error message, for the cells without a result."""


class Comparison(Record):
    """`comparison.json`: differences, intervals, verdicts."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str
    tasks: tuple[TaskComparison, ...]
