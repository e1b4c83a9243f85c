"""Where the files of a run are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bimodal.errors import UsageError
from bimodal.schema import RunConfig
from bimodal.store.locks import FileLock


@dataclass(frozen=True, slots=True)
class CellDirectory:
    """`cells/<task>.<dataset>.<contestant>.s<seed>/`: what one contestant left behind."""

    path: Path

    @property
    def config(self) -> Path:
        """The cell's RunConfig."""
        return self.path / "config.json"

    @property
    def result(self) -> Path:
        """The cell's CellResult; there only when the cell has ended."""
        return self.path / "result.json"

    @property
    def predictions(self) -> Path:
        """One PredictionRow per test example."""
        return self.path / "predictions.jsonl"

    def probe_predictions(self, name: str) -> Path:
        """Predictions on changed inputs."""
        return self.path / f"predictions.{name}.jsonl"

    @property
    def train_log(self) -> Path:
        """The training curve."""
        return self.path / "train.jsonl"

    @property
    def timings(self) -> Path:
        """Raw samples of every timed phase."""
        return self.path / "timings.json"

    @property
    def audit(self) -> Path:
        """The CellAudit, once the cell was audited."""
        return self.path / "audit" / "audit.json"

    def audit_predictions(self, name: str) -> Path:
        """Answers under a condition of the audit: `true`, or the name of a probe."""
        return self.path / "audit" / f"{name}.jsonl"

    @property
    def stand_ins(self) -> Path:
        """What a contestant with blank inputs was shown and played instead."""
        return self.path / "stand_ins"

    @property
    def log(self) -> Path:
        """What the cell's process printed."""
        return self.path / "cell.log"

    @property
    def checkpoint(self) -> Path:
        """The best weights."""
        return self.path / "checkpoint" / "model.safetensors"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer these weights were trained with."""
        return self.path / "checkpoint" / "tokenizer.json"

    @property
    def training_state(self) -> Path:
        """Restart point of an unfinished training."""
        return self.path / "checkpoint" / "training_state.pt"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """`runs/<run-id>/`."""

    path: Path

    @property
    def manifest(self) -> Path:
        """The Manifest; a folder with this file holds a run."""
        return self.path / "run.json"

    @property
    def comparison(self) -> Path:
        """The Comparison."""
        return self.path / "comparison.json"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def kernels(self) -> Path:
        """A KernelBenchmark, if somebody wrote one here with `bench kernels bench --json`."""
        return self.path / "kernels.json"

    @property
    def lock_file(self) -> Path:
        """Held while somebody works in the folder."""
        return self.path / ".lock"

    def cell(self, config: RunConfig) -> CellDirectory:
        """The folder of a cell."""
        return CellDirectory(self.path / "cells" / config.cell)

    def lock(self) -> FileLock:
        """Claim the folder; a context manager.

        Raises:
            UsageError: another process is at work in it.
            StorageError: the folder may not be written to.
        """
        lock = FileLock.try_acquire(self.lock_file)
        if lock is None:
            raise UsageError(
                f"{self.path} is in use: another `bench` process is working there. Wait until it has ended, "
                "or choose another folder with --out."
            )
        return lock


def new_run_id(task: str, model: str, preset: str, now: datetime | None = None) -> str:
    """A name that sorts by time (UTC) and can be read: `20260131-235959-captioning-both-small`."""
    now = now or datetime.now(UTC)
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{task}-{model}-{preset}"
