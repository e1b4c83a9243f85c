"""launch with looks: seeds are added until the verdict settles, and a run that was cut off knows those it added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bimodal import launch as module
from bimodal import store
from bimodal.config import Request, plan
from bimodal.console import SilentWatcher
from bimodal.errors import UsageError
from bimodal.looks import plan_looks
from bimodal.publish import Run
from bimodal.schema import CellResult, Comparison, Manifest, PredictionRow, RunConfig
from bimodal_reports import compare

from ..reports.factories import (
    answers,
    make_conditions,
    make_dataset,
    make_failed,
    make_result,
    make_rows,
    make_targets,
)

TARGETS = make_targets(8)
CELLS = plan(Request("captioning", preset="smoke", seeds=5))
LOOKS = plan_looks(5, 8)
DATASET = make_dataset(task=CELLS[0].data.task, language=CELLS[0].data.language)


class PretendedBench:
    """`launch` without trainings: multimodal answers like gpt, and all right once there are so many seeds."""

    def __init__(self, folder: Path, settles_at: int) -> None:
        self.folder, self.settles_at = folder, settles_at
        self.trained: list[str] = []
        self.before_cell: Callable[[RunConfig], None] = lambda config: None
        self.fails: set[str] = set()
        self.measured: list[list[str]] = []
        self.cannot_measure = False

    def rows(self, config: RunConfig, *, right: bool) -> tuple[PredictionRow, ...]:
        who = config.contestant == "multimodal"
        return make_rows(TARGETS, TARGETS if right and who else answers(TARGETS, 0.5, seed=2 * config.seed + who))

    def run_isolated(self, config: RunConfig, files: store.CellDirectory, *_: Any, **__: Any) -> CellResult:
        self.before_cell(config)
        self.trained.append(config.cell)
        failed = config.cell in self.fails
        result = make_failed(config) if failed else make_result(config, self.rows(config, right=False))
        store.write_json(files.result, result)
        return result

    def measure(self, results: Sequence[CellResult], *_: Any, **__: Any) -> tuple[CellResult, ...]:
        self.measured.append([result.config.cell.split(".", 2)[2] for result in results])
        known = {"not_measured": "no memory"} if self.cannot_measure else {"conditions": make_conditions()}
        done = [r.model_copy(update={"cost": r.cost and r.cost.model_copy(update=known)}) for r in results]
        for result in done:
            store.write_json(store.RunDirectory(self.folder).cell(result.config).result, result)
        return tuple(done)

    def publish(self, run: Run, *_: Any, **__: Any) -> Comparison:
        right = len({config.seed for config in run.manifest.cells}) >= self.settles_at
        predictions = {result.config.cell: self.rows(result.config, right=right) for result in run.results}
        return compare(run.manifest, run.results, predictions, {})

    def launch(self, *, resume: bool = False, **changes: Any) -> Manifest:
        arguments: dict[str, Any] = {"run_id": "r", "command": "bench run", "watcher": SilentWatcher(), "looks": LOOKS}
        run, _ = module.launch(CELLS, self.folder, resume=resume, **arguments | changes)
        return run.manifest


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], PretendedBench]:
    def make(settles_at: int) -> PretendedBench:
        bench = PretendedBench(tmp_path / "run", settles_at)
        monkeypatch.setattr(module, "_prepare", lambda cells, progress: [DATASET])
        monkeypatch.setattr(module, "run_isolated", bench.run_isolated)
        monkeypatch.setattr(module, "measure", bench.measure)
        monkeypatch.setattr(module, "publish", bench.publish)
        return bench

    return make


def seeds_of(manifest: Manifest) -> list[int]:
    return sorted({config.seed for config in manifest.cells})


def test_seeds_are_added_until_the_verdict_settles(pretended: Callable[[int], PretendedBench]) -> None:
    bench = pretended(7)
    manifest = bench.launch()
    assert seeds_of(manifest) == [0, 1, 2, 3, 4, 5, 6]
    assert len(bench.trained) == len(set(bench.trained)) == 14
    assert manifest == store.read_record(store.RunDirectory(bench.folder).manifest, Manifest)
    assert manifest.looks == LOOKS


def test_a_verdict_that_never_settles_ends_with_the_last_look(pretended: Callable[[int], PretendedBench]) -> None:
    assert seeds_of(pretended(99).launch()) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_run_cut_off_in_an_added_seed_goes_on_with_it(pretended: Callable[[int], PretendedBench]) -> None:
    bench = pretended(7)

    def stop(config: RunConfig) -> None:
        if config.cell.endswith("multimodal.s5"):
            raise KeyboardInterrupt

    bench.before_cell = stop
    with pytest.raises(KeyboardInterrupt):
        bench.launch()
    stored = store.read_record(store.RunDirectory(bench.folder).manifest, Manifest)
    assert (stored.status, seeds_of(stored)) == ("interrupted", [0, 1, 2, 3, 4, 5])

    bench.before_cell = lambda config: None
    bench.trained.clear()
    assert seeds_of(bench.launch(resume=True)) == [0, 1, 2, 3, 4, 5, 6]
    assert [cell.split(".", 2)[2] for cell in bench.trained] == ["multimodal.s5", "gpt.s6", "multimodal.s6"]


def test_looks_and_margins_cannot_change_once_a_run_has_started(pretended: Callable[[int], PretendedBench]) -> None:
    bench = pretended(5)
    bench.launch()
    with pytest.raises(UsageError, match="started with --until-settled 8: how often it is looked at cannot change"):
        bench.launch(resume=True, looks=plan_looks(5, 9))
    with pytest.raises(UsageError, match=r"margin was declared before this run was started \(captioning="):
        bench.launch(resume=True, margins=["7.5"])


def test_a_failed_cell_ends_the_adding_of_seeds(pretended: Callable[[int], PretendedBench]) -> None:
    bench = pretended(7)
    bench.fails = {CELLS[0].cell}
    manifest = bench.launch()
    assert (manifest.status, seeds_of(manifest)) == ("failed", [0, 1, 2, 3, 4])


def test_a_reproduction_adds_no_seed(pretended: Callable[[int], PretendedBench]) -> None:
    assert seeds_of(pretended(7).launch(add_seeds=False)) == [0, 1, 2, 3, 4]


def test_contestants_of_a_seed_are_measured_together_once_both_are_there(
    pretended: Callable[[int], PretendedBench],
) -> None:
    bench = pretended(5)
    bench.launch()
    assert bench.measured == [[f"gpt.s{seed}", f"multimodal.s{seed}"] for seed in range(5)]
    bench.measured.clear()
    bench.launch(resume=True)
    assert bench.measured == []


def test_what_could_not_be_measured_is_tried_again_on_resume_and_fails_no_cell(
    pretended: Callable[[int], PretendedBench],
) -> None:
    bench = pretended(5)
    bench.cannot_measure = True
    assert bench.launch().status == "ok"
    bench.cannot_measure = False
    bench.trained.clear()
    bench.measured.clear()
    bench.launch(resume=True)
    assert (len(bench.measured), bench.trained) == (5, [])


def test_a_failed_cell_leaves_the_others_to_be_measured(pretended: Callable[[int], PretendedBench]) -> None:
    bench = pretended(7)
    bench.fails = {config.cell for config in CELLS if config.contestant == "multimodal" and config.seed == 4}
    bench.launch()
    assert bench.measured[-1] == ["gpt.s4"]
