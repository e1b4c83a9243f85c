"""The paired randomisation test: could these outputs have come from either contestant?"""

from __future__ import annotations

import numpy as np

from bimodal.statistics.bootstrap import RESAMPLES, Aggregate, FloatArray, check_resampling, chunks


def randomisation_p_value(
    baseline: FloatArray, contestant: FloatArray, aggregate: Aggregate, *, seed: int, trials: int = RESAMPLES
) -> float:
    """Two-sided p-value of the difference between two checkpoints, by paired approximate randomisation.

    Under the null hypothesis an example's two outputs could have come from either contestant. Each trial
    swaps them at random for each example; with b trials at least as different as what was observed,
    p = (b + 1) / (trials + 1). `baseline` and `contestant` are [example, statistic] over the same examples.

    Source: Riezler & Maxwell (2005), On Some Pitfalls in Automatic Evaluation and Significance Testing for
        MT; Phipson & Smyth (2010), Permutation P-values Should Never Be Zero.
    """
    check_resampling(baseline, trials)
    check_paired(baseline, contestant)
    rng = np.random.default_rng(seed)
    examples = len(baseline)
    swap_gain = (contestant - baseline).astype(np.float64)
    total_baseline, total_contestant = baseline.sum(axis=0), contestant.sum(axis=0)
    observed = abs(float(aggregate(total_contestant)) - float(aggregate(total_baseline)))
    # Swapping nothing must count as "as different", although its sums are added up in another order.
    threshold = observed - 1e-9 * max(1.0, observed)
    reached = 0
    row_bytes = (examples + 7) // 8
    for rows in chunks(trials, examples):
        coins = np.frombuffer(rng.bytes(rows * row_bytes), dtype=np.uint8).reshape(rows, row_bytes)
        swapped = np.unpackbits(coins, axis=1, count=examples).astype(np.float64) @ swap_gain
        difference = aggregate(total_contestant - swapped) - aggregate(total_baseline + swapped)
        reached += int(np.count_nonzero(np.abs(difference) >= threshold))
    return (reached + 1) / (trials + 1)


def check_paired(baseline: FloatArray, contestant: FloatArray) -> None:
    """Whether two contestants were tested alike.

    Raises:
        ValueError: Their statistics have different shapes.
    """
    if baseline.shape != contestant.shape:
        raise ValueError(
            f"A paired comparison needs the same examples and statistics on both sides, "
            f"got {baseline.shape} and {contestant.shape}."
        )
