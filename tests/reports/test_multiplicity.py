from __future__ import annotations

from typing import Any

import pytest

from bimodal.schema import Comparison
from bimodal_reports.compare import compare
from bimodal_reports.multiplicity import with_holm

from .factories import make_run


def with_p_values(*p_values: float) -> Comparison:
    """One task per p-value, each with a verdict of `better`."""
    run = make_run(12, keep=(0.3, 0.9, 0.3))
    (task,) = compare(run.manifest, run.results, run.predictions, run.probes).tasks
    tasks = []
    for p_value in p_values:
        (pair,) = task.pairs
        found = tuple(one.model_copy(update={"p_value": p_value}) for one in pair.differences)
        tasks.append(task.model_copy(update={"pairs": (pair.model_copy(update={"differences": found}),)}))
    return Comparison(run_id="r", tasks=with_holm(tasks))


def verdicts(*p_values: float) -> list[Any]:
    return [task.pairs[0].verdict for task in with_p_values(*p_values).tasks]


def test_a_single_verdict_is_not_corrected() -> None:
    (verdict,) = verdicts(0.04)
    assert (verdict.p_holm, verdict.of_verdicts) == (0.04, 1)
    assert not any("Holm" in caveat for caveat in verdict.caveats)


def test_all_verdicts_of_a_run_are_corrected_together() -> None:
    assert [verdict.p_holm for verdict in verdicts(0.03, 0.01, 0.001)] == pytest.approx([0.03, 0.02, 0.003])


def test_one_that_does_not_survive_keeps_its_outcome_and_says_so_first() -> None:
    first, second = verdicts(0.03, 0.04)
    assert first.outcome == second.outcome == "better"
    assert first.caveats[0].startswith(
        "One of 2 verdicts in this run. Corrected for their number (Holm) it is p = 0.060"
    )
