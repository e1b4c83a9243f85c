"""From the files of a run to comparison.json and report.html. `bench report` re-enters here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bimodal import registry, store
from bimodal.datasets import load_dataset
from bimodal.errors import UserError
from bimodal.schema import CellAudit, CellResult, Comparison, KernelBenchmark, Manifest, PredictionRow, Timings
from bimodal.slices import slices_of
from bimodal.types import Dataset, Progress

if TYPE_CHECKING:
    from bimodal_reports import AuditedCell


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it lies on disk."""

    directory: store.RunDirectory
    manifest: Manifest
    results: tuple[CellResult, ...]
    """The cells that have a result, in the manifest's order."""


def load_run(path: Path) -> Run:
    """Read a run's manifest and results.

    Raises:
        UsageError: the folder holds no run, or one of another schema version.
    """
    directory = store.RunDirectory(path)
    manifest = store.read_record(directory.manifest, Manifest)
    files = [directory.cell(config).result for config in manifest.cells]
    results = tuple(store.read_record(file, CellResult) for file in files if file.exists())
    return Run(directory, manifest, results)


def predictions_of(run: Run) -> dict[str, tuple[PredictionRow, ...]]:
    """Predictions of every complete cell, by cell name."""
    return {
        result.config.cell: _rows(run.directory.cell(result.config).predictions)
        for result in run.results
        if result.status == "ok"
    }


def publish(run: Run, progress: Progress, *, report: Path | None = None) -> Comparison:
    """Compare the contestants and write comparison.json and the report.

    Args:
        run: a run with at least one result.
        progress: told about a data set that has to be prepared again for its pictures.
        report: where the report goes; None is the run's own report.html.
    """
    from bimodal_reports import Evidence, compare, render

    probes: dict[tuple[str, str], tuple[PredictionRow, ...]] = {}
    curves: dict[str, list[dict[str, Any]]] = {}
    for result in run.results:
        cell = run.directory.cell(result.config)
        if cell.train_log.exists():
            curves[result.config.cell] = store.JsonlLog(cell.train_log).rows()
        for name in result.probes:
            probes[result.config.cell, name] = _rows(cell.probe_predictions(name))
    datasets = _datasets(run, progress)
    timings = _timings(run)
    evidence = Evidence(
        audits=_audits(run),
        latencies={cell: found.end_to_end_ms for cell, found in timings.items()},
        timings=timings,
        slices={(d.record.task, d.record.fingerprint): slices_of(d, _declared(d)) for d in datasets},
    )
    comparison = compare(run.manifest, run.results, predictions_of(run), probes, evidence)
    store.write_json(run.directory.comparison, comparison)
    timed = run.directory.kernels
    html = render(
        run.manifest,
        run.results,
        comparison,
        _pictures(datasets, comparison),
        curves=curves,
        kernels=store.read_record(timed, KernelBenchmark) if timed.exists() else None,
    )
    store.write_text(report or run.directory.report, html)
    return comparison


def _audits(run: Run) -> dict[str, AuditedCell]:
    """Audits by cell name; one of a checkpoint that was trained anew since is left out."""
    from bimodal_reports import AuditedCell

    audits: dict[str, AuditedCell] = {}
    for result in run.results:
        cell = run.directory.cell(result.config)
        if result.train is None or not cell.audit.exists():
            continue
        audit = store.read_record(cell.audit, CellAudit)
        if audit.weights_sha256 == result.train.weights_sha256:
            rows = {name: _rows(cell.audit_predictions(name)) for name in audit.probes}
            audits[result.config.cell] = AuditedCell(audit, _rows(cell.audit_predictions("true")), rows)
    return audits


def _rows(path: Path) -> tuple[PredictionRow, ...]:
    return store.read_jsonl(path, PredictionRow)


_SMALL_BYTES = 16_384
_THUMBNAIL_PX = 144


def thumbnail(path: Path) -> bytes:
    """A picture as PNG for the report: as it is where it is a small one, else scaled down to twice what is shown."""
    content = path.read_bytes()
    if path.suffix == ".png" and len(content) <= _SMALL_BYTES:
        return content
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _timings(run: Run) -> dict[str, Timings]:
    """Raw samples of the cells that were measured, by cell name."""
    return {
        result.config.cell: store.read_record(run.directory.cell(result.config).timings, Timings)
        for result in run.results
        if result.cost is not None and result.cost.conditions is not None
    }


def _declared(dataset: Dataset) -> tuple[str, ...]:
    return registry.load_source(dataset.record.name).slices


def _datasets(run: Run, progress: Progress) -> list[Dataset]:
    """The data sets of the run, as far as they are still what they were."""
    found = []
    for data in dict.fromkeys(config.data.whole for config in run.manifest.cells):
        try:
            dataset = load_dataset(data, progress)
        except UserError:
            continue  # the report is still true without pictures and slices, and says that they are missing
        if dataset.record in run.manifest.datasets:
            found.append(dataset)
    return found


def _pictures(datasets: Sequence[Dataset], comparison: Comparison) -> dict[str, bytes]:
    """The pictures of the samples that are shown, by example id."""
    wanted = {sample.id for task in comparison.tasks for sample in task.samples}
    return {
        example.id: thumbnail(example.image)
        for dataset in datasets
        for example in dataset.examples("test")
        if example.id in wanted and example.image is not None
    }
