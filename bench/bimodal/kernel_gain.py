"""What the kernels are worth end to end: training steps and generation of a preset, on two backends in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from bimodal.collate import to_device
from bimodal.environment import pin_threads, resolve_device, seed_everything
from bimodal.generate import generate
from bimodal.likelihood import summed_loss
from bimodal.optimisation import make_optimizer
from bimodal.prepare import Built, Inputs, build, inputs_of
from bimodal.schema import RunConfig
from bimodal.types import Progress
from bimodal_kernels.stopwatch import interleave, on_cpu

_WARM_STEPS = 3
_BATCHES = 8


@dataclass(frozen=True, slots=True)
class Gain:
    """One piece of work on two backends."""

    model: str
    work: str
    kernels: tuple[str, str]
    milliseconds: tuple[float, float]
    """Medians, of the first backend and the second."""
    speedup: float
    """Median over rounds of the second's time divided by the first's."""
    low: float
    high: float
    """Quartiles over rounds."""


def measure_gain(config: RunConfig, kernels: tuple[str, str], budget_s: float, progress: Progress) -> tuple[Gain, ...]:
    """Time training steps and generation of a cell's contestant on the CPU, with one set of weights and batches.

    Args:
        config: of the cell.
        kernels: the two backends, such as ("native", "sdpa").
        budget_s: for each of the two pieces of work.
        progress: told about the data.

    Raises:
        UserError: the data or a checkpoint cannot be loaded.
    """
    pin_threads(config.threads)
    inputs = inputs_of(config, progress)
    built = {}
    for kernel in kernels:
        seed_everything(config.seed)
        built[kernel] = build(config.model_copy(update={"kernel": kernel}), inputs, resolve_device("cpu"))
    works: dict[str, Callable[[Built], Callable[[], Any]]] = {
        f"training step, {config.train.batch_size} examples": lambda one: _training(one, config, inputs),
        f"generation, {config.decode.batch_size} examples": lambda one: _generation(one, config, inputs),
    }
    gains = []
    for work, make in works.items():
        samples = interleave({kernel: make(one) for kernel, one in built.items()}, on_cpu, budget_s=budget_s)
        speedup, low, high = samples.ratio(kernels[1], kernels[0])
        times = (samples.median_s(kernels[0]) * 1e3, samples.median_s(kernels[1]) * 1e3)
        gains.append(Gain(config.model.name, work, kernels, times, speedup, low, high))
    return tuple(gains)


def _training(built: Built, config: RunConfig, inputs: Inputs) -> Callable[[], None]:
    """One optimiser step after another over a few batches of the training split."""
    size = config.train.batch_size
    rows = [built.collator.encode(example) for example in inputs.splits["train"][: _BATCHES * size]]
    batches = [built.collator.training_batch(rows[start : start + size]) for start in range(0, len(rows), size)]
    kernel = built.kernel.name
    optimizer = make_optimizer(built.module, config.train, kernel=kernel)
    built.module.train()
    step = 0

    def train() -> None:
        nonlocal step
        batch = to_device(batches[step % len(batches)], torch.device("cpu"))
        summed_loss(built.model, batch, divisor=float(size), kernel=kernel).backward()  # type: ignore[no-untyped-call]
        optimizer.clipped_step(config.train.clip_norm)
        optimizer.zero_grad(set_to_none=True)
        step += 1

    for _ in range(_WARM_STEPS):
        train()
    return train


def _generation(built: Built, config: RunConfig, inputs: Inputs) -> Callable[[], object]:
    """A batch of the test split, to the last token that is allowed: the end token is not to end it sooner."""
    rows = [built.collator.encode(example) for example in inputs.splits["test"][: config.decode.batch_size]]
    batch = to_device(built.collator.prompt_batch(rows), torch.device("cpu"))
    built.module.eval()

    def write() -> object:
        with torch.no_grad():
            context = built.model.encode(batch)
            return generate(
                built.model, batch.tokens, batch.lengths, context=context, config=config.decode, end_token=-1
            )

    return write
