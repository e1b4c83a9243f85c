"""Names for the parts of a step, and which of them each operator in a profile belongs to.

A part is a `record_function` range, opened by `part(...)` in the harness and in the models' blocks, and by hooks around
larger layers: a hook on what a block is made of would keep it from running as it trains, in one native call. Parts
nest: attention in the image encoder is ("encoders", "image encoder", "attention"). Operators of the backward pass lie
in no range of a layer; autograd gives them the number of the forward operator whose gradient they make, and with it
comes the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

Path = tuple[str, ...]
"""Parts from the outermost to the innermost."""

_PREFIX = "part: "
_NODE = "autograd::engine::evaluate_function: "
LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "ImageEncoder": "image encoder",
        "AudioEncoder": "audio encoder",
        "GatedCrossAttention": "cross-attention",
        "Embedding": "embeddings",
    }
)
"""Class of a layer to the part it is; layers of other classes belong to what is around them."""


def part(name: str) -> AbstractContextManager[object]:
    """Operators in the block belong to this part; nothing happens, and little time passes, where nobody profiles."""
    if not torch._C._autograd._profiler_enabled():
        return _NOTHING
    return torch.profiler.record_function(_PREFIX + name)


_NOTHING = nullcontext()


@contextmanager
def layers_named(module: nn.Module) -> Iterator[None]:
    """Within the block every layer of `LAYERS` opens a part of its name."""
    handles = []
    for layer in module.modules():
        name = LAYERS.get(type(layer).__name__)
        if name is not None:
            handles += _hooks(layer, name)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hooks(layer: nn.Module, name: str) -> list[Any]:
    running: list[AbstractContextManager[Any]] = []

    def enter(*_: object) -> None:
        running.append(part(name))
        running[-1].__enter__()

    def leave(*_: object) -> None:
        running.pop().__exit__(None, None, None)

    return [layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)]


def paths_of(events: Iterable[Any]) -> list[tuple[Any, Path]]:
    """Every event of a profile (`torch.profiler.profile.events()`) with its parts."""
    ordered = sorted(events, key=lambda event: event.time_range.start)
    lying_in = [_ranges_around(event) for event in ordered]
    made_by: dict[int, Path] = {}
    for event, path in zip(ordered, lying_in, strict=True):
        if event.sequence_nr >= 0 and path and not _node_around(event):
            made_by[event.sequence_nr] = path  # the last one of a number is the one that autograd means
    found = []
    for event, path in zip(ordered, lying_in, strict=True):
        node = _node_around(event)
        found.append((event, path if node is None else made_by.get(node.sequence_nr, path)))
    return found


def _ranges_around(event: Any) -> Path:
    names = []
    while event is not None:
        if event.name.startswith(_PREFIX):
            names.append(event.name.removeprefix(_PREFIX))
        event = event.cpu_parent
    return tuple(reversed(names))


def _node_around(event: Any) -> Any:
    """The node of the backward pass that an event lies in; None: in none."""
    while event is not None and not event.name.startswith(_NODE):
        event = event.cpu_parent
    return event
