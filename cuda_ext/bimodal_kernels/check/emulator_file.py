"""A kernel case as the emulator reads it, and its results as the emulator writes them (csrc/emulator/case_file.hpp)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

_ITEM_BYTES = {torch.float16: 2, torch.bfloat16: 2, torch.float32: 4, torch.int64: 8, torch.bool: 1}


@dataclass(frozen=True, slots=True)
class Launch:
    """One call of a launcher. Of `outputs` only the place counts."""

    settings: Mapping[str, int | float]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def write_launch(launch: Launch, path: Path) -> None:
    """Write the file that the emulator reads. Gaps between the rows of a view are written as they are in memory."""
    with path.open("wb") as file:
        file.write(b"BIMODAL1" + struct.pack("<q", len(launch.settings)))
        for name, value in launch.settings.items():
            file.write(struct.pack("<16sd", name.encode(), value))
        tensors = [(name, tensor, False) for name, tensor in launch.inputs.items()]
        tensors += [(name, tensor, True) for name, tensor in launch.outputs.items()]
        file.write(struct.pack("<q", len(tensors)))
        for name, tensor, writable in tensors:
            content = memory_span(tensor).contiguous().view(torch.uint8).numpy().tobytes()
            file.write(struct.pack("<24s6q", name.encode(), writable, len(content), 0, *_strides(tensor)))
            if not writable:
                file.write(content)


def read_results(launch: Launch, path: Path) -> dict[str, Tensor]:
    """The written tensors, laid out as asked for.

    Raises:
        ValueError: the file is not as long as they are.
    """
    content = path.read_bytes()
    results, start = {}, 0
    for name, tensor in launch.outputs.items():
        span = memory_span(tensor)
        end = start + span.numel() * _ITEM_BYTES[tensor.dtype]
        flat = torch.frombuffer(bytearray(content[start:end]), dtype=tensor.dtype)
        results[name] = flat.as_strided(tensor.shape, tensor.stride())
        start = end
    if start != len(content):
        raise ValueError(f"the emulator wrote {len(content)} bytes of results instead of {start}")
    return results


def memory_span(tensor: Tensor) -> Tensor:
    """All memory from a view's first element to its last, as one flat tensor."""
    elements = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.as_strided((elements,), (1,), tensor.storage_offset())


def _strides(tensor: Tensor) -> tuple[int, int, int]:
    """Of batch, head and row of [batch, head, row, head_dim]; of what has fewer dimensions, batch alone matters."""
    strides = tensor.stride()
    return (strides[0], strides[1], strides[2]) if tensor.dim() == 4 else (strides[0], 0, 0)
