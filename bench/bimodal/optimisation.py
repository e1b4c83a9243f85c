"""What the optimiser does with a step: parameter groups, learning rate, precision."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from bimodal.schema import TrainConfig
from bimodal_kernels import training

Precision = Literal["fp32", "bf16"]


class ClippedAdamW(torch.optim.AdamW):
    """AdamW on gradients clipped to a norm over all parameters, in one native pass where that serves."""

    def __init__(self, groups: list[dict[str, Any]], *, kernel: str, **options: Any) -> None:
        super().__init__(groups, fused=True, **options)
        self._kernel = kernel

    def clipped_step(self, clip_norm: float) -> Tensor:
        """One step; returns the gradients' norm before clipping."""
        trained, decays = [], []
        for group in self.param_groups:
            mine = [p for p in group["params"] if p.grad is not None]
            trained += mine
            decays += [group["weight_decay"]] * len(mine)
        if not training.serves(self._kernel, *trained):
            norm = nn.utils.clip_grad_norm_(trained, clip_norm)
            self.step()
            return norm
        states = [self._state_of(p) for p in trained]
        return torch.tensor(
            training.clipped_adamw_(
                trained,
                [cast(Tensor, p.grad).contiguous() for p in trained],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [state["step"] for state in states],
                decays,
                learning_rate=self.param_groups[0]["lr"],
                betas=self.param_groups[0]["betas"],
                eps=self.param_groups[0]["eps"],
                clip_norm=clip_norm,
            )
        )

    def _state_of(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        # As torch's AdamW lays it out: restart points serve both ways.
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state


def make_optimizer(module: nn.Module, config: TrainConfig, *, kernel: str = "sdpa") -> ClippedAdamW:
    """AdamW with decay for matrices and none for biases, norms, gates and other vectors.

    Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, sec. 2.
    """
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    return ClippedAdamW(groups, kernel=kernel, lr=config.learning_rate, betas=(config.beta1, config.beta2))


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
