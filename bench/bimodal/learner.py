"""One optimiser step of a contestant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bimodal.augment import augment
from bimodal.collate import Collator, Encoded, to_device
from bimodal.environment import derive_seed
from bimodal.likelihood import summed_loss
from bimodal.modality_dropout import drop_modalities
from bimodal.name_noise import with_name_noise
from bimodal.optimisation import ClippedAdamW, Precision, autocast, set_learning_rate
from bimodal.parts import part
from bimodal.schema import AugmentConfig, TrainConfig
from bimodal.types import Batch, Contestant


@dataclass(frozen=True, slots=True)
class Learner:
    """Everything a step needs."""

    model: Contestant
    module: nn.Module
    collator: Collator
    optimizer: ClippedAdamW
    config: TrainConfig
    kernel: str
    seed: int
    device: torch.device
    precision: Precision

    def step(self, step: int, batches: Sequence[Sequence[Encoded]], rate: float) -> tuple[Tensor, Tensor, int]:
        """One optimiser step over accumulated batches: loss in nats per target token, gradient norm, target tokens."""
        set_learning_rate(self.optimizer, rate)
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "augment", step))
        dropping = torch.Generator().manual_seed(derive_seed(self.seed, "modality dropout", step))
        prompts = self.config.prompt_loss
        tokens = sum(row.whole_length if prompts else row.target_length for rows in batches for row in rows)
        loss = torch.zeros((), device=self.device)
        for index, rows in enumerate(batches):
            with part("data"):
                if self.collator.tag_names:
                    noise_seed = derive_seed(self.seed, "name noise", step, index)
                    rows = with_name_noise(rows, self.config.name_noise, noise_seed, self.collator.encode)
                rows = drop_modalities(rows, self.config.modality_dropout, dropping)
                batch = self.collator.training_batch(rows, prompt_loss=prompts)
                batch = to_device(_augmented(batch, self.config.augment, generator), self.device)
            with autocast(self.device, self.precision):
                share = summed_loss(
                    self.model,
                    batch,
                    label_smoothing=self.config.label_smoothing,
                    divisor=float(tokens),
                    kernel=self.kernel,
                )
            with part("backward"):
                share.backward()  # type: ignore[no-untyped-call]
            loss += share.detach()
        with part("optimiser"):
            norm = self.optimizer.clipped_step(self.config.clip_norm)
            self.optimizer.zero_grad(set_to_none=True)
        return loss, norm, tokens


def _augmented(batch: Batch, config: AugmentConfig, generator: torch.Generator) -> Batch:
    if batch.image is None:
        return batch
    return replace(batch, image=augment(batch.image, config, generator))
