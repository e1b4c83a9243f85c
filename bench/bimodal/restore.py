"""A contestant as it was tested: its data, its tokenizer, its weights."""

from __future__ import annotations

import torch

from bimodal import store
from bimodal.errors import DataError
from bimodal.prepare import Built, Inputs, build, inputs_of
from bimodal.schema import CellResult
from bimodal.tokenizer import Tokenizer
from bimodal.types import Progress


def inputs_again(result: CellResult, files: store.CellDirectory, progress: Progress) -> Inputs:
    """What a cell was about and what its contestant perceived, with the tokenizer that it was trained with.

    Raises:
        UserError: the data is missing or damaged.
    """
    return inputs_of(result.config, progress, stand_ins=files.stand_ins, words=Tokenizer.load(files.tokenizer))


def rebuilt(result: CellResult, files: store.CellDirectory, inputs: Inputs, device: torch.device) -> Built:
    """The contestant with the weights that it was tested with.

    Raises:
        DataError: the checkpoint holds other weights.
    """
    built = build(result.config, inputs, device)
    weights = store.load_weights(files.checkpoint)
    if result.train is None or store.weights_sha256(weights) != result.train.weights_sha256:
        raise DataError(
            f"{files.checkpoint} is not the checkpoint that {result.config.cell} was tested with. Run it again."
        )
    built.module.load_state_dict(weights)
    return built
