"""All verdicts of a run together: the more there are, the sooner one is `better` by chance."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.schema import Pair, TaskComparison, Verdict
from bimodal.statistics import holm
from bimodal_reports.wording import probability

_ALPHA = 0.05


def with_holm(tasks: Sequence[TaskComparison]) -> tuple[TaskComparison, ...]:
    """The tasks with the p-value of every verdict corrected for the number of verdicts in the run.

    A verdict that does not survive the correction keeps its outcome, which is about its own comparison, and says so.
    """
    adjusted = iter(holm([_primary_p_value(pair) for task in tasks for pair in task.pairs]))
    count = sum(len(task.pairs) for task in tasks)
    return tuple(
        task.model_copy(
            update={
                "pairs": tuple(
                    pair.model_copy(update={"verdict": _corrected(pair.verdict, next(adjusted), count)})
                    for pair in task.pairs
                )
            }
        )
        for task in tasks
    )


def _primary_p_value(pair: Pair) -> float:
    return next(found.p_value for found in pair.differences if found.metric == pair.verdict.metric)


def _corrected(verdict: Verdict, p_holm: float, count: int) -> Verdict:
    caveats = verdict.caveats
    if verdict.outcome in ("better", "worse") and p_holm > _ALPHA:
        caveats = (
            f"One of {count} verdicts in this run. Corrected for their number (Holm) it is p {probability(p_holm)}: "
            "among so many, one like it can come from chance alone.",
            *caveats,
        )
    return verdict.model_copy(update={"p_holm": p_holm, "of_verdicts": count, "caveats": caveats})
