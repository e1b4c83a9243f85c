"""`finetune()`: the only training loop, the same for every contestant.

A run is cut into intervals, one per validation. At the end of each a restart point is written, and every source of
randomness inside an interval is derived from the seed and the step it starts at, so a run that was killed and resumed
ends with the same weights, to the bit, as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from bimodal import store
from bimodal.augment import augment
from bimodal.collate import NO_LOSS, Collator, Encoded, to_device
from bimodal.environment import derive_seed
from bimodal.errors import CheckpointError, UserError
from bimodal.order import epoch_batches
from bimodal.schema import TrainConfig, TrainCost, TrainSummary
from bimodal.types import Batch, Contestant, Progress

_LOG_EVERY = 10


class DivergedError(UserError):
    """The loss stopped being a number."""

    exit_code = 1


@dataclass(slots=True)
class _State:
    """What a restart point holds besides weights and optimiser."""

    step: int = 0
    best_step: int = 0
    best_bits_per_byte: float = math.inf
    last_bits_per_byte: float = math.inf
    evaluations_without_gain: int = 0
    stopped_early: bool = False
    examples: int = 0
    target_tokens: int = 0
    wall_s: float = 0.0
    flops_per_example: float = 0.0
    resumed_at: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Interval:
    first_step: int
    end_step: int


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
) -> tuple[TrainSummary, TrainCost]:
    """Train a contestant and leave it with the weights that did best on the validation split.

    AdamW (Loshchilov & Hutter 2019) with decay on matrices only, linear warm-up and cosine decay, gradient clipping
    and accumulation. The loss is cross-entropy per target token over the whole effective batch. Writes
    `train.jsonl`, the best checkpoint, and a restart point after every validation; picks up the latter if present.

    Raises:
        DivergedError: the loss is not finite.
        CheckpointError: the restart point is cut short or belongs to another model.
    """
    module = cast(nn.Module, model)
    precision = _precision(config, device)
    steps_per_epoch = math.ceil(len(train) / (config.batch_size * config.accumulate))
    planned = min(config.epochs * steps_per_epoch, config.max_steps or math.inf)
    planned_steps = int(planned)
    optimizer = torch.optim.AdamW(
        _parameter_groups(module, config.weight_decay),
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=True,
    )
    state = _restore(module, optimizer, files)
    log = store.JsonlLog.resume(files.train_log, lambda row: row["step"] <= state.step)
    if state.step == 0:
        state.flops_per_example = _flops_per_example(model, collator, train[: config.batch_size], device)

    for interval in _intervals(planned_steps, config.evaluations, state):
        started = time.perf_counter()
        before_s = state.wall_s
        torch.manual_seed(derive_seed(seed, "dropout", interval.first_step))
        module.train()
        batches = _steps(train, config, seed=seed, first=interval.first_step, end=interval.end_step)
        for step, rows in batches:
            learning_rate = _learning_rate(step, planned_steps, config)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            generator = torch.Generator().manual_seed(derive_seed(seed, "augment", step))
            loss = torch.zeros((), device=device)
            tokens = sum(row.target_length for part in rows for row in part)
            for part in rows:
                batch = to_device(_augmented(collator.training_batch(part), config, generator), device)
                with _autocast(device, precision):
                    summed = summed_loss(model, batch, label_smoothing=config.label_smoothing)
                (summed / tokens).backward()  # type: ignore[no-untyped-call]
                loss += summed.detach() / tokens
            norm = nn.utils.clip_grad_norm_(module.parameters(), config.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            state.step = step + 1
            state.examples += sum(len(part) for part in rows)
            state.target_tokens += tokens
            if state.step % _LOG_EVERY == 0 or state.step == interval.end_step:
                _check_finite(float(loss), state.step, learning_rate)
                log.append(
                    {
                        "step": state.step,
                        "loss": float(loss),
                        "learning_rate": learning_rate,
                        "gradient_norm": float(norm),
                        "wall_s": before_s + time.perf_counter() - started,
                    }
                )
            progress("train", state.step, planned_steps)
        state.last_bits_per_byte = bits_per_byte(model, collator, validation, config.batch_size, device)
        improved = state.last_bits_per_byte < state.best_bits_per_byte
        if improved:
            state.best_step, state.best_bits_per_byte = state.step, state.last_bits_per_byte
            store.save_weights(files.checkpoint, module.state_dict())
        state.evaluations_without_gain = 0 if improved else state.evaluations_without_gain + 1
        state.stopped_early = (
            config.patience is not None
            and state.evaluations_without_gain >= config.patience
            and state.step < planned_steps
        )
        state.wall_s = before_s + time.perf_counter() - started
        log.append(
            {
                "step": state.step,
                "validation_bits_per_byte": state.last_bits_per_byte,
                "wall_s": state.wall_s,
            }
        )
        store.save_state(
            files.training_state,
            {"model": module.state_dict(), "optimizer": optimizer.state_dict(), "progress": asdict(state)},
        )

    weights = store.load_weights(files.checkpoint)
    _load_into(module, weights, files)
    summary = TrainSummary(
        steps=state.step,
        planned_steps=planned_steps,
        best_step=state.best_step,
        best_validation_bits_per_byte=state.best_bits_per_byte,
        final_validation_bits_per_byte=state.last_bits_per_byte,
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


def summed_loss(model: Contestant, batch: Batch, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy in nats, summed over the target tokens of a batch. Logits are made only where there is a loss."""
    states = model.hidden(batch.tokens, context=model.encode(batch))
    with_loss = batch.targets != NO_LOSS
    return functional.cross_entropy(
        model.logits(states[with_loss]).float(),
        batch.targets[with_loss],
        reduction="sum",
        label_smoothing=label_smoothing,
    )


@torch.no_grad()
def bits_per_byte(
    model: Contestant, collator: Collator, rows: Sequence[Encoded], batch_size: int, device: torch.device
) -> float:
    """Bits the model needs for the targets (end of text included) per UTF-8 byte of target."""
    cast(nn.Module, model).eval()
    by_length = sorted(rows, key=lambda row: len(row.tokens))
    nats = 0.0
    for start in range(0, len(by_length), batch_size):
        batch = to_device(collator.training_batch(by_length[start : start + batch_size]), device)
        nats += float(summed_loss(model, batch))
    return nats / math.log(2) / sum(len(row.example.target.encode()) for row in rows)


def _intervals(planned_steps: int, evaluations: int, state: _State) -> Iterator[_Interval]:
    """The stretches between validations that are still to be done; stops when `state` says so."""
    ends = sorted({max(1, round(planned_steps * (i + 1) / evaluations)) for i in range(evaluations)})
    for end in ends:
        if end > state.step and not state.stopped_early:
            yield _Interval(state.step, end)


def _steps(
    rows: Sequence[Encoded], config: TrainConfig, *, seed: int, first: int, end: int
) -> Iterator[tuple[int, list[list[Encoded]]]]:
    """For each step, the batches to accumulate."""
    lengths = [len(row.tokens) for row in rows]
    per_epoch = math.ceil(len(rows) / (config.batch_size * config.accumulate))
    epoch, batches = -1, cast(list[list[int]], [])
    for step in range(first, end):
        if step // per_epoch != epoch:
            epoch = step // per_epoch
            batches = epoch_batches(lengths, config.batch_size, seed=seed, epoch=epoch)
        start = step % per_epoch * config.accumulate
        chosen = batches[start : start + config.accumulate]
        yield step, [[rows[index] for index in batch] for batch in chosen]


def _learning_rate(step: int, planned_steps: int, config: TrainConfig) -> float:
    """Linear warm-up, then cosine decay to `min_learning_rate_ratio`."""
    warmup = max(1, round(config.warmup_fraction * planned_steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, planned_steps - warmup)
    floor = config.min_learning_rate_ratio
    return config.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


def _parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for matrices; none for biases, norms, gates and other vectors."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]


def _augmented(batch: Batch, config: TrainConfig, generator: torch.Generator) -> Batch:
    if batch.image is None:
        return batch
    image = augment(batch.image, config.augment, generator)
    return Batch(batch.tokens, batch.targets, batch.lengths, image, batch.image_mask, batch.audio, batch.audio_mask)


def _precision(config: TrainConfig, device: torch.device) -> Literal["fp32", "bf16"]:
    if config.precision != "auto":
        return config.precision
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def _flops_per_example(model: Contestant, collator: Collator, rows: Sequence[Encoded], device: torch.device) -> float:
    """Floating-point operations of forward and backward, averaged over a few examples."""
    module = cast(nn.Module, model)
    module.eval()  # no dropout: counting must not draw random numbers
    with FlopCounterMode(display=False) as counter:
        summed_loss(model, to_device(collator.training_batch(rows), device)).backward()  # type: ignore[no-untyped-call]
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
