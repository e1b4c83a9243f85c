"""What the optimiser does with a step: parameter groups, learning rate, precision."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import nn

from bimodal.schema import TrainConfig

Precision = Literal["fp32", "bf16"]


def make_optimizer(module: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW with decay for matrices and none for biases, norms, gates and other vectors.

    Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, sec. 2.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """The same learning rate for all groups."""
    for group in optimizer.param_groups:
        group["lr"] = value


def learning_rate(step: int, planned_steps: int, config: TrainConfig) -> float:
    """Linear warm-up, then cosine decay to `min_learning_rate_ratio`, for a step counted from 0.

    Source: Loshchilov & Hutter 2017, SGDR, sec. 3 (one cycle).
    """
    warmup = max(1, round(config.warmup_fraction * planned_steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, planned_steps - warmup)
    floor = config.min_learning_rate_ratio
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


def choose_precision(config: TrainConfig, device: torch.device) -> Precision:
    """What was asked for; `auto` is bf16 on a CUDA device that has it, else fp32."""
    if config.precision != "auto":
        return config.precision
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The context that forward passes run in."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
