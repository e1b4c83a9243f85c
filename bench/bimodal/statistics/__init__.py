"""How every claim about a difference is made: intervals, p-values, verdicts, power. Pure NumPy and SciPy.

A corpus score is a function of sums over examples (its sufficient statistics), so a resample of the test set
is a weighted sum of rows and 10,000 of them are one matrix product. Two contestants are compared on the same
resampled examples: what is common to both (an easy draw, a hard draw) cancels out.

Shape legend: seed, example, statistic, resample. `aggregate` maps sums [..., statistic] to scores [...].
docs/evidence.md explains the method; `make calibrate` shows that it keeps its promises.
"""

from bimodal.statistics.bootstrap import (
    RESAMPLES,
    Aggregate,
    FloatArray,
    bootstrap_interval,
    percentile_interval,
    resample_sums,
)
from bimodal.statistics.contrasts import Contrast, ResampledScores, resampled_scores
from bimodal.statistics.difference import PairedDifference, paired_difference
from bimodal.statistics.discovery import benjamini_hochberg
from bimodal.statistics.multiplicity import holm
from bimodal.statistics.pace import (
    LEAST_ROUNDS,
    SAME_WITHIN,
    Pace,
    PaceOutcome,
    by_process,
    middle_half,
    noise_floor,
    pace,
)
from bimodal.statistics.power import Needed, detectable_difference, needed_to_settle
from bimodal.statistics.randomisation import randomisation_p_value
from bimodal.statistics.ratios import fieller_interval, median_standard_error
from bimodal.statistics.variance import VarianceParts
from bimodal.statistics.verdict import Outcome, decide, inside_margin

__all__ = [
    "LEAST_ROUNDS",
    "RESAMPLES",
    "SAME_WITHIN",
    "Aggregate",
    "Contrast",
    "FloatArray",
    "Needed",
    "Outcome",
    "Pace",
    "PaceOutcome",
    "PairedDifference",
    "ResampledScores",
    "VarianceParts",
    "benjamini_hochberg",
    "bootstrap_interval",
    "by_process",
    "decide",
    "detectable_difference",
    "fieller_interval",
    "holm",
    "inside_margin",
    "median_standard_error",
    "middle_half",
    "needed_to_settle",
    "noise_floor",
    "pace",
    "paired_difference",
    "percentile_interval",
    "randomisation_p_value",
    "resample_sums",
    "resampled_scores",
]
