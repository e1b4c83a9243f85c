"""--until-settled: when there is a look, which cells come next, and what may be resumed."""

from __future__ import annotations

import pytest

from bimodal.errors import UsageError
from bimodal.looks import next_cells, plan_looks, with_later_seeds
from bimodal.schema import Comparison, Manifest
from bimodal_reports import compare

from ..reports.factories import FakeRun, make_seed_runs


def compared(run: FakeRun, most_seeds: int = 7) -> tuple[Manifest, Comparison]:
    manifest = run.manifest.model_copy(update={"looks": plan_looks(5, most_seeds)})
    return manifest, compare(manifest, run.results, run.predictions, run.probes)


def test_looks_are_taken_after_every_seed_from_the_fifth_on() -> None:
    assert [look.seeds for look in plan_looks(1, 8)] == [5, 6, 7, 8]
    assert [look.seeds for look in plan_looks(6, 8)] == [6, 7, 8]


def test_every_look_is_stricter_than_a_single_one() -> None:
    assert all(look.alpha95 < 0.05 and look.alpha90 < 0.10 for look in plan_looks(1, 10))


def test_there_must_be_a_seed_to_add() -> None:
    with pytest.raises(UsageError, match=r"--until-settled 5 leaves no seed to add: the first look is after 5 seeds"):
        plan_looks(1, 5)


def test_an_unsettled_pair_gets_one_more_seed_of_every_contestant() -> None:
    manifest, comparison = compared(make_seed_runs(5, keep=(0.5, 0.6, 0.5)))
    assert comparison.tasks[0].pairs[0].verdict.outcome == "inconclusive"
    added = next_cells(manifest, comparison)
    assert [cell.cell.split(".", 2)[2] for cell in added] == ["gpt.s5", "multimodal.s5"]
    assert added[0].model_copy(update={"seed": 0}) == manifest.cells[0]


def test_a_settled_pair_gets_none() -> None:
    manifest, comparison = compared(make_seed_runs(5, 40))
    assert comparison.tasks[0].pairs[0].verdict.outcome == "better"
    assert next_cells(manifest, comparison) == ()


def test_after_the_last_look_no_seed_is_added() -> None:
    manifest, comparison = compared(make_seed_runs(6, keep=(0.5, 0.6, 0.5)), most_seeds=6)
    assert comparison.tasks[0].pairs[0].verdict.outcome == "inconclusive"
    assert next_cells(manifest, comparison) == ()


def test_without_looks_no_seed_is_added() -> None:
    run = make_seed_runs(5, keep=(0.5, 0.6, 0.5))
    comparison = compare(run.manifest, run.results, run.predictions, run.probes)
    assert next_cells(run.manifest, comparison) == ()


def test_cells_that_a_run_added_are_known_again_and_others_are_not() -> None:
    planned, stored = make_seed_runs(1).manifest.cells, make_seed_runs(3).manifest.cells
    foreign = stored[-1].model_copy(update={"preset": "base"})
    assert with_later_seeds(planned, (*stored[:-1], foreign)) == stored[:-1]
