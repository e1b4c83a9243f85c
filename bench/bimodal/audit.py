"""`bench audit`: stored checkpoints on changed inputs, without training anything."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from bimodal import environment, store
from bimodal.datasets import load_dataset
from bimodal.errors import DataError, UsageError
from bimodal.launch import Watcher
from bimodal.probes import changed, probes_of
from bimodal.publish import Run, publish
from bimodal.restore import inputs_again, rebuilt
from bimodal.run import answer, kernel_used_of
from bimodal.schema import AuditProbe, CellAudit, CellResult, Comparison, PredictionRow
from bimodal.stand_ins import StandIns
from bimodal.types import Progress


def audit(run: Run, watcher: Watcher, *, device: str = "auto") -> Comparison:
    """Probe every contestant of a run that perceives something; writes the audits, comparison.json and the report.

    Each probe is on disk once it is done, and is not done again: an audit that was interrupted goes on.

    Raises:
        UsageError: no contestant of the run perceives anything, or the folder is in use.
        UserError: data or a checkpoint is not what it was when the run was made.
    """
    perceiving = [r for r in run.results if r.status == "ok" and r.inputs_seen and r.inputs_seen.modalities]
    if not perceiving:
        raise UsageError(
            f"No contestant of {run.directory.path} perceives more than text, so there is nothing to probe. "
            "Audit a run with a multimodal contestant."
        )
    _check_data(run, perceiving, watcher.progress)
    environment.pin_threads(perceiving[0].config.threads)
    environment.make_deterministic()
    with run.directory.lock():
        for number, result in enumerate(perceiving, start=1):
            watcher.cell_started(result.config, number, len(perceiving))
            audit_cell(result, run.directory.cell(result.config), watcher.progress, device=device)
        return publish(run, watcher.progress)


def audit_cell(result: CellResult, files: store.CellDirectory, progress: Progress, *, device: str) -> CellAudit:
    """Probe one contestant, or finish what was begun; see `audit`."""
    where = environment.resolve_device(device)
    inputs = inputs_again(result, files, progress)
    built = rebuilt(result, files, inputs, where)
    assert result.train is not None  # `rebuilt` has compared the weights
    weights = result.train.weights_sha256
    done = _begun(files, weights, str(where))
    with tempfile.TemporaryDirectory() as folder:
        examples = inputs.splits["test"]
        if done is None:
            path = files.audit_predictions("true")
            true = answer(result.config, inputs.task, built, examples, path, where, progress, what="true inputs")
            done = CellAudit(
                weights_sha256=weights,
                device=str(where),
                kernel_used=kernel_used_of(built.kernel),
                true=true,
                reproduced=_answers(path) == _answers(files.predictions),
                probes={},
            )
            store.write_json(files.audit, done)
        stand_ins = StandIns.of(inputs.splits["train"], built.model.config.image.image_size, Path(folder))
        for name, probe in probes_of(inputs.modalities, examples).items():
            if name in done.probes:
                continue
            shown = changed(examples, probe, stand_ins)
            path = files.audit_predictions(name)
            found = answer(result.config, inputs.task, built, shown, path, where, progress, what=f"probe: {name}")
            record = AuditProbe(**found.model_dump(), kind=probe.kind, modality=probe.modality)
            done = done.model_copy(update={"probes": {**done.probes, name: record}})
            store.write_json(files.audit, done)
    return done


def _check_data(run: Run, results: Sequence[CellResult], progress: Progress) -> None:
    """Raise DataError where a data set is not the one that the run was tested on: texts, pictures and sounds."""
    for data in dict.fromkeys(result.config.data.whole for result in results):
        if load_dataset(data, progress).record not in run.manifest.datasets:
            raise DataError(
                f"The data set {data.label} has changed since this run was made. An audit on other examples, or on "
                "other pictures, would say nothing about it."
            )


def _begun(files: store.CellDirectory, weights: str, device: str) -> CellAudit | None:
    """What an earlier audit of the same weights on the same device left, or None."""
    if not files.audit.exists():
        return None
    stored = store.read_record(files.audit, CellAudit)
    return stored if (stored.weights_sha256, stored.device) == (weights, device) else None


def _answers(path: Path) -> Sequence[str]:
    return [row.prediction for row in store.read_jsonl(path, PredictionRow)]
