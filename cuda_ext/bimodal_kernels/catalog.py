"""Which backends exist, and which one serves a request. Imports no torch.

To add a backend: a file of its own with `forward(...)`, a line in `BACKENDS` (the order is the order in which
`auto` tries them), a line in `dispatch.py`, and its limits in `_why_not`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

AUTO = "auto"

BACKENDS: Mapping[str, str] = MappingProxyType(
    {
        "cuda": "our CUDA kernels: fp16 and bf16, head_dim 64 and 128, sm_80 and newer (not built yet)",
        "native": "our C++ kernels: fp32 and bf16 on every CPU (not built yet)",
        "sdpa": "torch's scaled_dot_product_attention: every device and dtype",
        "reference": "the formula, in fp32 or fp64: slow, the oracle of the tests",
    }
)
"""Name to one-line summary, in the order in which `auto` tries them."""

RUNNABLE: tuple[str, ...] = ("sdpa", "reference")
"""Backends that this version has code for."""

_FALLBACK = "sdpa"


@dataclass(frozen=True, slots=True)
class KernelChoice:
    """Which backend was asked for, which one runs, and why it is that one."""

    requested: str
    name: str
    reason: str


def choose_backend(requested: str, *, device: torch.device | str, dtype: torch.dtype, head_dim: int) -> KernelChoice:
    """The backend that serves `requested` on this device, dtype and head_dim.

    `auto` takes the first of `BACKENDS` that serves. A backend asked for by name that cannot serve is
    replaced by `sdpa`, and the reason says so: the fallback is recorded, never silent.

    Raises:
        ValueError: `requested` is not a backend.
    """
    request = f"{device}, {str(dtype).removeprefix('torch.')}, head_dim {head_dim}"
    if requested == AUTO:
        passed_over: list[str] = []
        for name in BACKENDS:
            obstacle = _why_not(name)
            if obstacle is None:
                note = f" ({'; '.join(passed_over)})" if passed_over else ""
                return KernelChoice(AUTO, name, f"auto: the first that serves {request}{note}")
            passed_over.append(f"{name}: {obstacle}")
    if requested not in BACKENDS:
        raise ValueError(f"Unknown kernel {requested!r}. Available: {', '.join((AUTO, *BACKENDS))}.")
    obstacle = _why_not(requested)
    if obstacle is not None:
        return KernelChoice(requested, _FALLBACK, f"{requested}: {obstacle}; used {_FALLBACK}")
    return KernelChoice(requested, requested, f"asked for by name; serves {request}")


def require_runnable(name: str) -> str:
    """`name`, if it is a backend that `attention` can run.

    Raises:
        ValueError: it is unknown, `auto`, or not built: resolve it with `choose_backend` first.
    """
    if name not in RUNNABLE:
        raise ValueError(
            f"Kernel {name!r} cannot run as it is. Runnable: {', '.join(RUNNABLE)}. "
            "Turn a requested name into a runnable one with choose_backend(...).name."
        )
    return name


def _why_not(name: str) -> str | None:
    """What keeps a backend from serving; None: nothing does."""
    return None if name in RUNNABLE else "not built yet in this version"
