"""Where the time of a training step and of a decoded token goes."""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from bimodal import parts
from bimodal.allocator import freed_memory_kept
from bimodal.collate import to_device
from bimodal.environment import make_deterministic, pin_threads, resolve_device, seed_everything
from bimodal.errors import UserError
from bimodal.files import storage_errors
from bimodal.garbage import present_objects_left_alone
from bimodal.learner import Learner
from bimodal.optimisation import choose_precision, make_optimizer
from bimodal.order import epoch_batches
from bimodal.parts import part, paths_of
from bimodal.prepare import Built, Inputs, build, inputs_of
from bimodal.schema import RunConfig
from bimodal.types import Progress

_BATCHES = 8  # passed twice before anything is timed, three times while it is
_WARM, _TIMED = 2 * _BATCHES, 3 * _BATCHES
TRAINING, DECODING, LAYERED = "training step", "decoded token", "decoded token, layer by layer"
_MOST_OPERATORS = 15


@dataclass(frozen=True, slots=True)
class Share:
    """What a part or an operator takes of one step."""

    name: str
    milliseconds: float
    share: float
    calls: float
    """Operator calls in one step."""


@dataclass(frozen=True, slots=True)
class Work:
    """One training step, or one decoded token."""

    name: str
    of: str
    """What it is a step of: the batch."""
    milliseconds: float
    """Median of steps that nobody profiles; the shares are those of profiled ones, of this time."""
    parts: tuple[Share, ...]
    operators: tuple[Share, ...]
    """The dearest, by time spent in themselves."""


@dataclass(frozen=True, slots=True)
class ModelProfile:
    """The profile of one contestant."""

    model: str
    task: str
    dataset: str
    preset: str
    device: str
    threads: int
    kernel: str
    works: tuple[Work, ...]


@freed_memory_kept()
def profile_cell(config: RunConfig, steps: int, trace: Path | None, progress: Progress) -> ModelProfile:
    """Profile training and decoding of a cell's contestant, with fresh weights, on real batches.

    Args:
        config: of the cell.
        steps: profiled steps, and tokens, after warm-up and steps that are only timed.
        trace: file for a trace that Perfetto and chrome://tracing read; None writes none.
        progress: told about data and steps.

    Raises:
        UserError: the data or a checkpoint cannot be loaded, or there is no such device.
    """
    threads = pin_threads(config.threads)
    make_deterministic()
    device = resolve_device(config.device)
    inputs = inputs_of(config, progress)
    seed_everything(config.seed)
    built = build(config, inputs, device)
    works = _works(built, config, inputs, device)
    timed: dict[str, float] = {}
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with present_objects_left_alone():
        for index, (name, work) in enumerate(works.items()):
            progress("time steps", index, len(works))
            with work.layers():
                timed[name] = _median_s(work.call, device)
        with profile(activities=activities, acc_events=True) as recorded:
            for index, (name, work) in enumerate(works.items()):
                progress("profile steps", index, len(works))
                with work.layers():
                    for _ in range(steps):
                        with part(name):
                            work.call()
    progress("profile steps", len(works), len(works))
    if trace is not None:
        with storage_errors(trace):
            recorded.export_chrome_trace(str(trace))
    found = paths_of(recorded.events() or ())
    return ModelProfile(
        model=config.model.name,
        task=config.task,
        dataset=config.data.name,
        preset=config.preset,
        device=str(device),
        threads=threads,
        kernel=built.kernel.name,
        works=tuple(_work(name, works[name].of, timed[name], steps, found, device) for name in works),
    )


@dataclass(frozen=True, slots=True)
class _Repeated:
    """What is profiled, again and again."""

    call: Callable[[], None]
    of: str
    layers: Callable[[], AbstractContextManager[None]]
    """Whether layers are told apart meanwhile."""


def _works(built: Built, config: RunConfig, inputs: Inputs, device: torch.device) -> dict[str, _Repeated]:
    named = partial(parts.layers_named, built.module)
    works = {
        TRAINING: _Repeated(_training(built, config, inputs, device), f"{config.train.batch_size} examples", named)
    }
    if inputs.task.kind == "generate":
        # Hooks on its layers keep the native decoder from doing a token in one call: it is timed without them, and with
        # them as another way to do the same, which is dearer but tells the layers apart.
        whole = built.kernel.name == "native"
        works[DECODING] = _Repeated(
            _decoding(built, config, inputs, device), "batch 1, greedy", nullcontext if whole else named
        )
        if whole:
            layered = partial(_layer_by_layer, built.module)
            works[LAYERED] = _Repeated(_decoding(built, config, inputs, device), "batch 1, greedy", layered)
    return works


@contextmanager
def _layer_by_layer(module: nn.Module) -> Iterator[None]:
    with warnings.catch_warnings(), parts.layers_named(module):
        warnings.filterwarnings("ignore", "bimodal attention: native decoder step", RuntimeWarning)  # it is meant
        yield


def _training(built: Built, config: RunConfig, inputs: Inputs, device: torch.device) -> Callable[[], None]:
    """One optimiser step after another over a few batches: their pictures are decoded once, as in a whole training."""
    kernel = built.kernel.name
    optimizer = make_optimizer(built.module, config.train, kernel=kernel)
    precision = choose_precision(config.train, device)
    learner = Learner(
        built.model, built.module, built.collator, optimizer, config.train, kernel, config.seed, device, precision
    )
    rows = [built.collator.encode(example) for example in inputs.splits["train"]]
    batches = epoch_batches(built.collator.effort(rows), config.train.batch_size, seed=config.seed, epoch=0)[:_BATCHES]
    step = 0

    def train() -> None:
        nonlocal step
        built.module.train()
        # A low rate: weights that do not move make the same batches the same work.
        learner.step(step, [[rows[index] for index in batches[step % len(batches)]]], 1e-6)
        step += 1

    return train


def _decoding(built: Built, config: RunConfig, inputs: Inputs, device: torch.device) -> Callable[[], None]:
    """One token after another; after `max_new_tokens` the next test example's prompt is read, too."""
    rows = [built.collator.encode(example) for example in inputs.splits["test"]]
    state: dict[str, Any] = {"left": 0, "row": 0}

    def prompt() -> None:
        batch = to_device(built.collator.prompt_batch([rows[state["row"] % len(rows)]]), device)
        context = built.model.encode(batch)
        room = min(int(batch.lengths.max()) + config.decode.max_new_tokens, built.model.config.max_positions)
        logits, cache = built.model.prefill(batch.tokens, batch.lengths, max_length=room, context=context)
        state.update(logits=logits, cache=cache, context=context, row=state["row"] + 1)
        state["left"] = room - int(batch.lengths.max())

    @torch.no_grad()
    def decode() -> None:
        built.module.eval()
        if state["left"] <= 0:
            with part("prompt"):
                prompt()
        with part("choice"):
            token = state["logits"].argmax(-1)
        with part("decoder"):
            state["logits"], state["cache"] = built.model.decode(token, state["cache"], context=state["context"])
        state["left"] -= 1

    return decode


def _median_s(call: Callable[[], None], device: torch.device) -> float:
    seconds = []
    for step in range(_WARM + _TIMED):
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if step >= _WARM:
            seconds.append(time.perf_counter() - started)
    return median(seconds)


def _work(
    name: str, of: str, step_s: float, steps: int, events: list[tuple[Any, parts.Path]], device: torch.device
) -> Work:
    by_part: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    by_operator: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for event, path in events:
        if path[:1] != (name,) or path[1:2] == ("prompt",):
            continue
        spent = event.self_device_time_total if device.type == "cuda" else event.self_cpu_time_total
        operator = not event.name.startswith("part: ")
        for sums, key in ((by_part, row_of(path[1:])), (by_operator, event.name)):
            if sums is by_part or operator:
                sums[key][0] += spent
                sums[key][1] += operator
    total = sum(spent for spent, _ in by_part.values())
    if not total:
        raise UserError(f"torch's profiler saw no work on {device}. On a GPU it needs CUPTI, which comes with torch.")

    def shares(sums: dict[str, list[float]]) -> tuple[Share, ...]:
        found = [
            Share(key, 1e3 * step_s * spent / total, spent / total, calls / steps)
            for key, (spent, calls) in sums.items()
        ]
        return tuple(sorted(found, key=lambda share: -share.milliseconds))

    return Work(name, of, 1e3 * step_s, shares(by_part), shares(by_operator)[:_MOST_OPERATORS])


_REST = {
    "": "rest: Python, the profiler itself",
    "encoders": "encoders: fusion, keys and values",
    "image encoder": "image encoder: patches, residuals",
    "audio encoder": "audio encoder: convolutions, residuals",
    "decoder": "decoder: the rest",
    "backward": "backward: sums, autograd itself",
}
"""What is left of a part besides the parts in it."""


def row_of(path: parts.Path) -> str:
    """The row of the table that a path belongs to: `image encoder: attention` and the like."""
    if path[:1] == ("encoders",) and path[1:2] and path[1].endswith(" encoder"):
        path = path[1:]  # the encoder itself, or a layer in it
    if len(path) > 1 and path[0] != path[1]:
        return f"{path[0]}: {path[1]}"
    name = path[0] if path else ""
    return _REST.get(name, name)
