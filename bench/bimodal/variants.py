"""A variant takes the training of another contestant of its run: weights, tokenizer, and what training took."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bimodal import store
from bimodal.errors import DataError
from bimodal.schema import CellResult, RunConfig, TrainCost, TrainSummary, Unavailable
from bimodal.tokenizer import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Training:
    """What became of the contestant that a variant is made of."""

    checkpoint: Path
    words: Tokenizer
    summary: TrainSummary
    cost: TrainCost
    rss_train_bytes: int | Unavailable

    def weights(self) -> dict[str, Tensor]:
        """Its trained weights; raises CheckpointError if they are missing, damaged, or not those it was tested with."""
        return store.load_weights(self.checkpoint, sha256=self.summary.weights_sha256)


def training_of(config: RunConfig, files: store.CellDirectory) -> Training:
    """The training that a variant shares.

    Raises:
        DataError: the contestant it is made of has no result in this run.
    """
    theirs = store.CellDirectory(files.path.parent / config.trained_cell)
    result = store.read_record(theirs.result, CellResult) if theirs.result.exists() else None
    if result is None or result.train is None or result.cost is None:
        raise DataError(
            f"{config.cell} is made of {config.trained_cell}, which has no result. Repeat the run with --resume: "
            "complete cells are kept."
        )
    return Training(
        checkpoint=theirs.checkpoint,
        words=Tokenizer.load(theirs.tokenizer),
        summary=result.train,
        cost=result.cost.train,
        rss_train_bytes=result.cost.peak_memory.rss_train_bytes,
    )


def keep(module: nn.Module, training: Training, files: store.CellDirectory) -> TrainSummary:
    """Write a variant's own weights; the summary of its training with their checksum."""
    weights: dict[str, Any] = module.state_dict()
    store.save_weights(files.checkpoint, weights)
    return training.summary.model_copy(update={"weights_sha256": store.weights_sha256(weights)})
