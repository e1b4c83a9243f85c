"""`finetune()`: the only training loop, the same for every contestant.

A run is cut into intervals, one per validation. At the end of each a restart point is written, and every source of
randomness inside an interval is derived from the seed and the step it starts at, so a run that was killed and resumed
ends with the same weights, to the bit, as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bimodal import store
from bimodal.allocator import freed_memory_kept
from bimodal.collate import Collator, Encoded, to_device
from bimodal.environment import derive_seed
from bimodal.errors import CheckpointError, UserError
from bimodal.garbage import present_objects_left_alone
from bimodal.learner import Learner
from bimodal.likelihood import bits_per_unit, summed_loss
from bimodal.optimisation import choose_precision, learning_rate, make_optimizer
from bimodal.order import epoch_batches, planned_steps
from bimodal.schema import TrainConfig, TrainCost, TrainSummary
from bimodal.types import Contestant, Progress
from bimodal_kernels.flops import FLOP_FORMULAS

_LOG_EVERY = 10


class DivergedError(UserError):
    """The loss stopped being a number."""

    exit_code = 1


@dataclass(slots=True)
class _State:
    """What a restart point holds besides weights and optimiser."""

    step: int = 0
    best_step: int = 0
    best_bits: float = math.inf
    last_bits: float = math.inf
    evaluations_without_gain: int = 0
    stopped_early: bool = False
    examples: int = 0
    target_tokens: int = 0
    wall_s: float = 0.0
    flops_per_example: float = 0.0
    resumed_at: list[int] = field(default_factory=list)

    def count_evaluation(self, found: float, *, patience: int | None, planned_steps: int) -> bool:
        """Note a validation loss; returns whether it is the best so far."""
        improved = found < self.best_bits
        self.last_bits = found
        if improved:
            self.best_step, self.best_bits = self.step, found
        self.evaluations_without_gain = 0 if improved else self.evaluations_without_gain + 1
        out_of_patience = patience is not None and self.evaluations_without_gain >= patience
        self.stopped_early = out_of_patience and self.step < planned_steps
        return improved


@freed_memory_kept()
@present_objects_left_alone()
def finetune(
    model: Contestant,
    collator: Collator,
    train: Sequence[Encoded],
    validation: Sequence[Encoded],
    config: TrainConfig,
    *,
    seed: int,
    device: torch.device,
    files: store.CellDirectory,
    progress: Progress,
    kernel: str = "sdpa",
) -> tuple[TrainSummary, TrainCost]:
    """Train a contestant and leave it with the weights that did best on the validation split.

    AdamW, linear warm-up and cosine decay, gradient clipping and accumulation (`optimisation`). The loss is
    cross-entropy per target token over the whole effective batch. Writes `train.jsonl`, the best checkpoint, and a
    restart point after every validation; picks up the latter if present.

    Raises:
        DivergedError: the loss is not finite.
        CheckpointError: the restart point is cut short or belongs to another model.
    """
    module = cast(nn.Module, model)
    precision = choose_precision(config, device)
    planned = planned_steps(config, len(train))
    optimizer = make_optimizer(module, config, kernel=kernel)
    state = _restore(module, optimizer, files)
    log = store.JsonlLog.resume(files.train_log, lambda row: row["step"] <= state.step)
    if state.step == 0:
        some = train[: config.batch_size]
        state.flops_per_example = flops_per_example(model, collator, some, device, prompt_loss=config.prompt_loss)
    lengths = collator.effort(train)
    learner = Learner(model, module, collator, optimizer, config, kernel, seed, device, precision)

    for end_step in _interval_ends(planned, config.evaluations, state):
        started, before_s = time.perf_counter(), state.wall_s
        torch.manual_seed(derive_seed(seed, "dropout", state.step))
        module.train()
        for step, batches in _steps(train, lengths, config, seed=seed, first=state.step, end=end_step):
            rate = learning_rate(step, planned, config)
            loss, norm, tokens = learner.step(step, batches, rate)
            state.step = step + 1
            state.examples += sum(len(rows) for rows in batches)
            state.target_tokens += tokens
            if state.step % _LOG_EVERY == 0 or state.step == end_step:
                # Only here: reading a loss makes a GPU wait.
                _check_finite(float(loss), state.step, rate)
                row = {"step": state.step, "loss": float(loss), "learning_rate": rate, "gradient_norm": float(norm)}
                log.append({**row, "wall_s": before_s + time.perf_counter() - started})
            progress("train", state.step, planned)
        found = bits_per_unit(model, collator, validation, config.batch_size, device)
        if state.count_evaluation(found, patience=config.patience, planned_steps=planned):
            store.save_weights(files.checkpoint, module.state_dict())
        state.wall_s = before_s + time.perf_counter() - started
        log.append({"step": state.step, "validation_bits": found, "wall_s": state.wall_s})
        store.save_state(
            files.training_state,
            {"model": module.state_dict(), "optimizer": optimizer.state_dict(), "progress": asdict(state)},
        )

    weights = store.load_weights(files.checkpoint)
    _load_into(module, weights, files)
    summary = TrainSummary(
        steps=state.step,
        planned_steps=planned,
        best_step=state.best_step,
        best_validation_bits=state.best_bits,
        final_validation_bits=state.last_bits,
        validation_unit="bits/tag" if collator.tag_names else "bits/byte",
        stopped_early=state.stopped_early,
        precision=precision,
        resumed_at_steps=tuple(state.resumed_at),
        weights_sha256=store.weights_sha256(weights),
    )
    cost = TrainCost(
        wall_s=state.wall_s,
        steps=state.step,
        examples=state.examples,
        target_tokens=state.target_tokens,
        flops=state.flops_per_example * state.examples,
    )
    return summary, cost


def _interval_ends(planned_steps: int, evaluations: int, state: _State) -> Iterator[int]:
    """The steps at which validations are still to be done; stops when `state` says so."""
    for end in sorted({max(1, round(planned_steps * (i + 1) / evaluations)) for i in range(evaluations)}):
        if end > state.step and not state.stopped_early:
            yield end


def _steps(
    rows: Sequence[Encoded], lengths: Sequence[int], config: TrainConfig, *, seed: int, first: int, end: int
) -> Iterator[tuple[int, list[list[Encoded]]]]:
    """For each step, the batches to accumulate."""
    per_epoch = math.ceil(len(rows) / (config.batch_size * config.accumulate))
    epoch, batches = -1, cast(list[list[int]], [])
    for step in range(first, end):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            batches = epoch_batches(lengths, config.batch_size, seed=seed, epoch=epoch)
        start = step % per_epoch * config.accumulate
        chosen = batches[start : start + config.accumulate]
        yield step, [[rows[index] for index in batch] for batch in chosen]


def flops_per_example(
    model: Contestant,
    collator: Collator,
    rows: Sequence[Encoded],
    device: torch.device,
    *,
    prompt_loss: bool = False,
) -> float:
    """Floating-point operations of forward and backward, averaged over a few examples; torch's flop counter."""
    module = cast(nn.Module, model)
    module.eval()  # no dropout: counting must not draw random numbers
    batch = to_device(collator.training_batch(rows, prompt_loss=prompt_loss), device)
    with FlopCounterMode(display=False, custom_mapping=dict(FLOP_FORMULAS)) as counter:
        summed_loss(model, batch).backward()  # type: ignore[no-untyped-call]
    module.zero_grad(set_to_none=True)
    return float(counter.get_total_flops()) / len(rows)


def _restore(module: nn.Module, optimizer: torch.optim.Optimizer, files: store.CellDirectory) -> _State:
    if not files.training_state.exists():
        return _State()
    saved = store.load_state(files.training_state)
    try:
        state = _State(**saved["progress"])
        module.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{files.training_state}: this restart point belongs to another model or version ({error}). "
            "Delete the cell's folder to train it anew."
        ) from error
    state.resumed_at.append(state.step)
    return state


def _load_into(module: nn.Module, weights: dict[str, Tensor], files: store.CellDirectory) -> None:
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{files.checkpoint}: weights of another model ({error}).") from error


def _check_finite(loss: float, step: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"The training loss is {loss} at step {step} (learning rate {learning_rate:.2g}). "
            f"Try a lower one, for example --set train.learning_rate={learning_rate / 3:.1g}."
        )
