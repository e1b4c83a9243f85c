"""What the results of a run say together."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from bimodal.schema.base import SCHEMA_VERSION, Record
from bimodal.schema.evidence import DialCurve, Ladder, PairPrices, Pareto, ProbeDrop, SliceSearch, TaskAudit
from bimodal.schema.pace import Overhead, PaceVerdict
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
    paces: tuple[PaceVerdict, ...] = ()
    """Who is faster, whole requests first; empty where they were not measured in the same rounds."""
    overhead: Overhead | None = None
    """Of a contestant with encoders over one without."""


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
    prices: tuple[PairPrices, ...] = ()
    pareto: Pareto | None = None
    slices: SliceSearch | None = None
    samples: tuple[Sample, ...]
    failed: dict[str, str]
    """Cell name to error message, for the cells without a result."""


class Comparison(Record):
    """`comparison.json`: differences, intervals, verdicts."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str
    tasks: tuple[TaskComparison, ...]
    dials: tuple[DialCurve, ...] = ()
