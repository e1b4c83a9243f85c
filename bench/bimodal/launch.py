"""Runs planned cells one after the other and publishes what they found. Shared by `bench run` and `bench reproduce`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bimodal import environment, registry, store
from bimodal.datasets import load_dataset
from bimodal.errors import UsageError
from bimodal.isolate import run_isolated
from bimodal.looks import next_cells, with_later_seeds
from bimodal.margins import declared
from bimodal.measure.stage import group_of, measure, needs_measuring
from bimodal.publish import Run, publish
from bimodal.schema import CellResult, Comparison, DatasetRecord, Look, Manifest, RunConfig
from bimodal.types import Progress
from bimodal_kernels import build

_LOCK_PATIENCE_S = 15.0


class Watcher(Protocol):
    """Is told how a run goes; the terminal's progress bars are one."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Work of the current cell (or of preparing the data) went on."""

    def cell_started(self, config: RunConfig, number: int, total: int) -> None:
        """A cell begins."""

    def cell_finished(self, result: CellResult, *, reused: bool) -> None:
        """A cell ended; `reused` if it was complete before."""

    def measuring(self, results: Sequence[CellResult]) -> None:
        """The time of these cells is about to be taken, in turns."""

    def measured(self, results: Sequence[CellResult]) -> None:
        """It was taken, or their costs say why not."""

    def note(self, message: str) -> None:
        """Something the user should know."""


def launch(
    cells: Sequence[RunConfig],
    out: Path | None,
    *,
    run_id: str,
    command: str,
    resume: bool,
    watcher: Watcher,
    margins: Sequence[str] = (),
    looks: Sequence[Look] = (),
    add_seeds: bool = True,
) -> tuple[Run, Comparison]:
    """Run every cell in its own process; write manifest, results, comparison and report.

    Data is prepared and verified before anything is trained. A cell that fails does not stop the others. With
    `resume`, complete cells are kept and a cell that was cut off goes on from its last restart point. With `looks`,
    seeds are added until the verdicts settle or the last look is taken; a cell that fails ends that, too.

    Args:
        cells: what to run; see `config.plan`.
        out: folder of the run; None is `runs/<run_id>`.
        run_id: name of the run.
        command: what the user typed.
        resume: go on with the run in `out`.
        watcher: is told how it goes.
        margins: declared instead of the tasks' own; see `margins.declared`.
        looks: when to look whether more seeds are needed; see `looks.plan_looks`.
        add_seeds: False runs the cells as they are, and judges them by the look they stand at.

    Raises:
        UserError: bad data, a folder that holds something else, a full disk.
        KeyboardInterrupt: the user's; what was complete is on disk and the manifest says `interrupted`.
    """
    if any(cell.match is not None for cell in cells):
        from bimodal.matching import matched  # needs torch, and so a second

        cells = matched(cells, watcher.progress)
    tasks = declared([registry.load_task(name).record for name in dict.fromkeys(c.task for c in cells)], margins)
    directory = store.RunDirectory(out or Path("runs") / run_id)
    if resume and looks and directory.manifest.exists():
        cells = with_later_seeds(cells, store.read_record(directory.manifest, Manifest).cells)
    store.open_run(directory, cells, resume=resume)
    with _lock(directory, watcher) as lock:
        # Again: while we waited for the lock, another process may have filled the folder.
        store.open_run(directory, cells, resume=resume)
        datasets = _prepare(cells, watcher.progress)
        # Here, where it can be told; a cell would compile them too. What cannot be had is in every result.
        build.ahead({config.kernel for config in cells}, watcher.note)
        manifest = Manifest(
            run_id=run_id,
            command=command,
            created_at=_now(),
            tasks=tasks,
            datasets=tuple(datasets),
            cells=tuple(cells),
            looks=tuple(looks),
            environment=environment.provenance(),
        )
        if resume:
            manifest = _resumed(manifest, store.read_record(directory.manifest, Manifest), watcher)
        store.write_json(directory.manifest, manifest)
        try:
            run, comparison = _run_cells(manifest, directory, lock, resume, watcher, add_seeds=add_seeds)
        except KeyboardInterrupt:
            stored = store.read_record(directory.manifest, Manifest)
            store.write_json(directory.manifest, stored.model_copy(update={"status": "interrupted"}))
            watcher.note(f"go on with the same command and --out {directory.path} --resume")
            raise
        store.write_json(directory.manifest, run.manifest)
    return run, comparison


def _run_cells(
    manifest: Manifest,
    directory: store.RunDirectory,
    lock: store.FileLock,
    resume: bool,
    watcher: Watcher,
    *,
    add_seeds: bool,
) -> tuple[Run, Comparison]:
    """Run the manifest's cells and publish; with looks left, add a seed to what is not settled, and again."""
    results: list[CellResult] = []
    while True:
        for number, config in enumerate(manifest.cells[len(results) :], start=len(results) + 1):
            at = (number, len(manifest.cells))
            results.append(_run_or_reuse(config, directory, lock, resume, watcher, at=at))
            if config is _last_of_group(manifest.cells, config):
                results = _measure_group(results, config, directory, lock, watcher)
        failed = any(result.status == "failed" for result in results)
        ended = manifest.model_copy(update={"status": "failed" if failed else "ok", "finished_at": _now()})
        run = Run(directory, ended, tuple(results))
        comparison = publish(run, watcher.progress)
        added = next_cells(manifest, comparison) if add_seeds and not failed else ()
        if not added:
            return run, comparison
        watcher.note(f"not settled: seed {added[0].seed} is added; {manifest.looks[-1].seeds} seeds at most")
        manifest = manifest.model_copy(update={"cells": (*manifest.cells, *added)})
        store.write_json(directory.manifest, manifest)


def _last_of_group(cells: Sequence[RunConfig], config: RunConfig) -> RunConfig:
    return [cell for cell in cells if group_of(cell) == group_of(config)][-1]


def _measure_group(
    results: Sequence[CellResult],
    config: RunConfig,
    directory: store.RunDirectory,
    lock: store.FileLock,
    watcher: Watcher,
) -> list[CellResult]:
    """The results, with the costs of those that belong to the cell's group, where they are not known yet."""
    mine = [r for r in results if r.status == "ok" and group_of(r.config) == group_of(config)]
    if not needs_measuring(mine):
        return list(results)
    watcher.measuring(mine)
    measured = measure(mine, directory, watcher.progress, keep_open=(lock.descriptor,))
    watcher.measured(measured)
    by_cell = {result.config.cell: result for result in measured}
    return [by_cell.get(result.config.cell, result) for result in results]


def _prepare(cells: Sequence[RunConfig], progress: Progress) -> list[DatasetRecord]:
    wanted = dict.fromkeys(config.data.whole for config in cells)
    return [load_dataset(data, progress).record for data in wanted]


def _lock(directory: store.RunDirectory, watcher: Watcher) -> store.FileLock:
    """Claim the folder, waiting a little: a cell whose parent was killed takes a moment to notice and end."""
    give_up_at = time.monotonic() + _LOCK_PATIENCE_S
    told = False
    while True:
        try:
            return directory.lock()
        except UsageError:
            if time.monotonic() > give_up_at:
                raise
        if not told:
            watcher.note(f"waiting for another process to leave {directory.path}")
            told = True
        time.sleep(0.2)


def _run_or_reuse(
    config: RunConfig,
    directory: store.RunDirectory,
    lock: store.FileLock,
    resume: bool,
    watcher: Watcher,
    *,
    at: tuple[int, int],
) -> CellResult:
    files = directory.cell(config)
    watcher.cell_started(config, *at)
    if resume and files.result.exists():
        result = store.read_record(files.result, CellResult)
        if result.status == "ok":
            watcher.cell_finished(result, reused=True)
            return result
    result = run_isolated(config, files, watcher.progress, keep_open=(lock.descriptor,))
    watcher.cell_finished(result, reused=False)
    return result


def _resumed(planned: Manifest, stored: Manifest, watcher: Watcher) -> Manifest:
    """The stored manifest, running again, if the data is still the same; a change of code is told."""
    if planned.datasets != stored.datasets:
        raise UsageError(
            "The data has changed since this run was started, so its cells could not be compared. "
            "Start anew with another --out."
        )
    if [(task.name, task.margin) for task in planned.tasks] != [(task.name, task.margin) for task in stored.tasks]:
        was = ", ".join(f"{task.name}={task.margin:g}" for task in stored.tasks)
        raise UsageError(f"The margin was declared before this run was started ({was}), and cannot change now.")
    if [look.seeds for look in planned.looks] != [look.seeds for look in stored.looks]:
        was = f"--until-settled {stored.looks[-1].seeds}" if stored.looks else "no --until-settled"
        raise UsageError(f"This run was started with {was}: how often it is looked at cannot change now.")
    if planned.environment.get("code") != stored.environment.get("code"):
        watcher.note("The code has changed since this run was started; every cell's result says which it ran.")
    return stored.model_copy(update={"status": "running", "finished_at": None})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
