"""Controls for a fair comparison: a text-only model made as large, or trained as long, as the multimodal one.

Counts are of real models: parameters of what `ModelSpec.build` returns, training FLOPs by torch's flop counter on the
cell's own first batch. They are taken before anything is trained, and written into the cell's configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from bimodal import contestants, environment
from bimodal.errors import UsageError
from bimodal.order import examples_within, planned_steps
from bimodal.prepare import Inputs, build, inputs_of
from bimodal.schema import Match, ModelConfig, RunConfig, TrainConfig
from bimodal.train import flops_per_example
from bimodal.types import Progress

TOLERANCE = {"parameters": 0.01, "train_flops": 0.02}
"""How far, relatively, a control may be from what it is matched to."""
_EVEN = 8
"""Feed-forward widths are multiples of this where the tolerance allows: matrix units like them."""


def matched(cells: Sequence[RunConfig], progress: Progress) -> tuple[RunConfig, ...]:
    """The cells, with every control that is not matched yet made equal to its reference. A pure function of the cells.

    Raises:
        UsageError: a control cannot be matched.
        UserError: the data cannot be loaded.
    """
    found: dict[str, RunConfig] = {}
    done: list[RunConfig] = []
    for number, cell in enumerate(cells, start=1):
        if cell.match is not None and cell.match.target is None:
            key = cell.model_copy(update={"seed": 0}).model_dump_json()
            if key not in found:  # seeds of one control are matched alike, and a variant as what it is made of
                found[key] = _matched(cell.model_copy(update={"variant": None}), cell.match, progress)
            cell = found[key].model_copy(update={"seed": cell.seed, "variant": cell.variant})
            progress("match controls", number, len(cells))
        done.append(cell)
    return tuple(done)


def _matched(cell: RunConfig, match: Match, progress: Progress) -> RunConfig:
    reference = _reference(cell, match.reference)
    inputs, seen = inputs_of(cell, progress), inputs_of(reference, progress)
    equalise = _as_large if match.quantity == "parameters" else _as_long
    changed, target, reached = equalise(cell, inputs, reference, seen)
    if abs(reached / target - 1) > TOLERANCE[match.quantity]:
        raise UsageError(
            f"{cell.contestant} cannot be matched: {match.quantity} {reached:,.0f} is the nearest to {target:,.0f} of "
            f"{match.reference}. Leave it out of --model, or choose a larger model or data set."
        )
    return changed.model_copy(update={"match": match.model_copy(update={"target": target, "reached": reached})})


def _as_large(cell: RunConfig, inputs: Inputs, reference: RunConfig, seen: Inputs) -> tuple[RunConfig, float, float]:
    """The cell with the reference's parameters; the reference's number and its own."""

    def count(model: ModelConfig) -> int:
        return _meta_count(cell.model_copy(update={"model": model}), inputs)

    target = _count(build(reference, seen, torch.device("cpu")).module)
    model = widened(cell.model, target, count)
    return cell.model_copy(update={"model": model}), target, count(model)


def _as_long(cell: RunConfig, inputs: Inputs, reference: RunConfig, seen: Inputs) -> tuple[RunConfig, float, float]:
    """The cell with the reference's training FLOPs; the reference's number and its own."""
    examples = len(inputs.splits["train"])

    def planned(train: TrainConfig) -> int:
        return examples_within(planned_steps(train, examples), train, examples)

    target = _flops(reference, seen) * planned(reference.train)
    per_example = _flops(cell, inputs)
    train = lengthened(cell.train, target / per_example, examples)
    return cell.model_copy(update={"train": train}), target, per_example * planned(train)


def _reference(cell: RunConfig, name: str) -> RunConfig:
    """The cell that a control is matched to: the same settings, with the other contestant's model."""
    settings = contestants.settings_of(name, cell.model_dump(mode="json", exclude={"match", "contestant"}))
    return RunConfig.model_validate(settings)


def widened(model: ModelConfig, target: int, count: Callable[[ModelConfig], int]) -> ModelConfig:
    """The architecture with its width grown until `count` says `target`; depth and head size stay.

    Among widths of whole heads, the one whose feed-forward layers can keep the most nearly their proportion; their own
    width then settles the rest.

    Raises:
        UsageError: the weights come from a checkpoint, which has its own width.
    """
    if model.init is not None:
        raise UsageError("A model that starts from model.init cannot be widened: leave gpt-wide out of --model.")
    head_dim = model.embed_dim // model.num_heads
    wanted = (model.mlp_dim or 4 * model.embed_dim) / model.embed_dim
    best: tuple[float, ModelConfig] | None = None
    for heads in range(1, 1 + target // head_dim):
        wide = model.model_copy(update={"num_heads": heads, "embed_dim": heads * head_dim})
        one, two = (count(wide.model_copy(update={"mlp_dim": mlp})) for mlp in (1, 2))
        exact = 1 + (target - one) / (two - one)  # parameters grow linearly with the feed-forward width
        if exact < 1:
            break
        even = max(_EVEN, _EVEN * round(exact / _EVEN))
        close = abs((even - exact) * (two - one)) <= TOLERANCE["parameters"] * target
        wide = wide.model_copy(update={"mlp_dim": even if close else round(exact)})
        off = abs(math.log(exact / wide.embed_dim / wanted))
        if best is None or off < best[0]:
            best = off, wide
    if best is None:
        raise UsageError(f"No width of {model.num_layers} layers has {target:,} parameters.")
    return best[1]


def lengthened(train: TrainConfig, examples_to_see: float, examples: int) -> TrainConfig:
    """The training with as many steps as it takes to see so many of `examples` training examples, counted by pass.

    It is never stopped early: it is there to spend the compute.
    """
    passes, rest = divmod(examples_to_see, examples)
    per_epoch = planned_steps(train.model_copy(update={"epochs": 1, "max_steps": None}), examples)
    steps = max(1, int(passes) * per_epoch + round(rest / (train.batch_size * train.accumulate)))
    changes = {"epochs": -(-steps // per_epoch), "max_steps": steps, "patience": None}
    return train.model_copy(update=changes)


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _meta_count(cell: RunConfig, inputs: Inputs) -> int:
    """Parameters of a cell's model, built without memory for its weights."""
    anywhere = cell.model_copy(update={"kernel": "reference"})  # the one that asks nothing of the device
    with torch.device("meta"):
        return _count(build(anywhere, inputs, torch.device("meta")).module)


def _flops(cell: RunConfig, inputs: Inputs) -> float:
    """Training FLOPs per example, counted as `finetune` counts them."""
    device = environment.resolve_device(cell.device)
    built = build(cell, inputs, device)
    rows = [built.collator.encode(example) for example in inputs.splits["train"][: cell.train.batch_size]]
    return flops_per_example(built.model, built.collator, rows, device, prompt_loss=cell.train.prompt_loss)
