"""`bench reproduce`: run it again and say whether the same came out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bimodal import environment
from bimodal.datasets import load_dataset
from bimodal.launch import Watcher, launch
from bimodal.publish import Run
from bimodal.schema import CellResult, Record

Answer = Literal["REPRODUCED", "DRIFTED", "BROKEN"]


class MetricDrift(Record):
    """A number that is not what it was."""

    name: str
    """Metric name; of a probe, `<probe>.<metric>`."""
    before: float
    after: float


class CellReproduction(Record):
    """One cell, then and now."""

    cell: str
    weights_equal: bool
    predictions_equal: bool
    drifts: tuple[MetricDrift, ...]

    @property
    def bitwise(self) -> bool:
        """Weights, predictions and metrics are all the same."""
        return self.weights_equal and self.predictions_equal and not self.drifts


class Reproduction(Record):
    """The answer, cell by cell."""

    answer: Answer
    cells: tuple[CellReproduction, ...] = ()
    broken: tuple[str, ...] = ()
    """What kept the run from being repeated."""
    environment_changes: tuple[str, ...] = ()
    """What differs between the machine, packages and code then and now: where to look when results drift."""
    rerun_path: str | None = None


def reproduce(run: Run, out: Path | None, watcher: Watcher) -> Reproduction:
    """Run every cell of a run again, in fresh processes, and compare weights, predictions and metrics.

    REPRODUCED: all equal, to the bit. DRIFTED: it ran, and something differs. BROKEN: it could not be run again (a cell
    fails, the data is not the same, or the first run has no complete cell).
    """
    changes = tuple(_changes(run.manifest.environment, environment.provenance()))
    broken = [f"{result.config.cell} failed in the first run" for result in run.results if result.status == "failed"]
    finished = {result.config.cell for result in run.results}
    broken += [f"{c.cell} has no result in the first run" for c in run.manifest.cells if c.cell not in finished]
    for data in dict.fromkeys(config.data.whole for config in run.manifest.cells):
        record = next(record for record in run.manifest.datasets if record.is_of(data))
        found = load_dataset(data, watcher.progress).record
        if found.fingerprint != record.fingerprint:
            broken.append(
                f"data set {record.name} is not the same: fingerprint {found.fingerprint[:12]} "
                f"instead of {record.fingerprint[:12]}"
            )
    if broken:
        return Reproduction(answer="BROKEN", broken=tuple(broken), environment_changes=changes)

    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%d-%H%M%S}-reproduction-of-{run.manifest.run_id}"
    again, _ = launch(
        run.manifest.cells,
        out or run.directory.path / "reproductions" / f"{now:%Y%m%d-%H%M%S}",
        run_id=run_id,
        command=f"bench reproduce {run.manifest.run_id}",
        resume=False,
        watcher=watcher,
        margins=[f"{task.name}={task.margin!r}" for task in run.manifest.tasks if task.own_margin is not None],
        looks=run.manifest.looks,
        add_seeds=False,
    )
    failed = tuple(
        f"{result.config.cell}: {result.error.message}" for result in again.results if result.error is not None
    )
    after = {result.config.cell: result for result in again.results if result.status == "ok"}
    cells = tuple(
        compare_cells(result, after[result.config.cell]) for result in run.results if result.config.cell in after
    )
    same = all(cell.bitwise for cell in cells)
    return Reproduction(
        answer="BROKEN" if failed else "REPRODUCED" if same else "DRIFTED",
        cells=cells,
        broken=failed,
        environment_changes=changes,
        rerun_path=str(again.directory.path),
    )


def compare_cells(before: CellResult, after: CellResult) -> CellReproduction:
    """Hold two complete results of the same cell against each other, to the bit. Cost is not compared."""
    return CellReproduction(
        cell=before.config.cell,
        weights_equal=_weights(before) == _weights(after),
        predictions_equal=before.predictions_sha256 == after.predictions_sha256,
        drifts=tuple(_drifts(_values(before), _values(after))),
    )


def _weights(result: CellResult) -> str | None:
    return result.train.weights_sha256 if result.train else None


def _values(result: CellResult) -> dict[str, float]:
    values = {name: metric.value for name, metric in result.metrics.items()}
    for probe_name, probe in result.probes.items():
        values |= {f"{probe_name}.{name}": metric.value for name, metric in probe.metrics.items()}
    return values


def _drifts(before: dict[str, float], after: dict[str, float]) -> list[MetricDrift]:
    missing = float("nan")
    return [
        MetricDrift(name=name, before=before.get(name, missing), after=after.get(name, missing))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """Leaves of the provenance that differ, as `path: before -> after`."""
    lines: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _changes(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {old} -> {new}")
    return lines
