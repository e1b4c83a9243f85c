"""Which backends exist, and which one serves a request. Imports torch only to look at a GPU.

To add a backend: a file of its own with `forward(...)`, a line in `BACKENDS` (the order is the order in which
`auto` tries them), a line in `dispatch.py`, and, if it does not serve everything, its limits in `LIMITS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

AUTO = "auto"

BACKENDS: Mapping[str, str] = MappingProxyType(
    {
        "cuda": "our CUDA kernels: fp16 and bf16, head_dim 64 and 128, sm_80 and newer",
        "native": "our C++ kernels: fp32 and bf16 on CPUs, compiled for the very machine",
        "sdpa": "torch's scaled_dot_product_attention: every device and dtype",
        "reference": "the formula, in fp32 or fp64: slow, the oracle of the tests",
    }
)
"""Name to one-line summary, in the order in which `auto` tries them."""

COMPILED: tuple[str, ...] = ("cuda", "native")
"""Backends that have to be compiled first."""

FALLBACK = "sdpa"
"""Serves everything."""

MIN_CAPABILITY = (8, 0)
"""Oldest GPU that the CUDA kernels run on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a backend serves."""

    device: str
    """Type of the device."""
    dtypes: tuple[str, ...]
    head_dims: Callable[[int], bool]
    head_dims_in_words: str
    positive_scale: bool = False
    """Whether the factor on the scores must be above 0."""


LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "cuda": Limits("cuda", ("float16", "bfloat16"), lambda d: d in (64, 128), "64 and 128", positive_scale=True),
        "native": Limits("cpu", ("float32", "bfloat16"), lambda d: 1 <= d <= 256, "1 to 256"),
    }
)
"""Of the backends that do not serve everything."""


@dataclass(frozen=True, slots=True)
class KernelChoice:
    """Which backend was asked for, which one runs, and why it is that one."""

    requested: str
    name: str
    reason: str


def choose_backend(
    requested: str,
    *,
    device: torch.device | str,
    dtype: torch.dtype,
    head_dims: tuple[int, ...],
    say: Callable[[str], None] = lambda message: None,
) -> KernelChoice:
    """The backend that serves `requested` on this device, dtype and these widths of heads; compiles it if need be.

    `auto` takes the first of `BACKENDS` that serves. A backend asked for by name that cannot serve is
    replaced by `sdpa`, and the reason says so: the fallback is recorded, never silent.

    Args:
        requested: `auto` or a name of `BACKENDS`.
        device: where attention will run.
        dtype: what it will run in.
        head_dims: of every attention in the model.
        say: told before something takes long.

    Raises:
        ValueError: `requested` is not a backend.
    """
    widths = tuple(sorted(set(head_dims)))
    request = f"{device}, {_plain(dtype)}, head_dim {' and '.join(map(str, widths))}"
    if requested == AUTO:
        passed_over: list[str] = []
        for name in BACKENDS:
            obstacle = _obstacle(name, device, dtype, widths, say)
            if obstacle is None:
                note = f" ({'; '.join(passed_over)})" if passed_over else ""
                return KernelChoice(AUTO, name, f"auto: the first that serves {request}{note}")
            passed_over.append(f"{name}: {obstacle}")
    if requested not in BACKENDS:
        raise ValueError(f"Unknown kernel {requested!r}. Available: {', '.join((AUTO, *BACKENDS))}.")
    obstacle = _obstacle(requested, device, dtype, widths, say)
    if obstacle is not None:
        return KernelChoice(requested, FALLBACK, f"{requested}: {obstacle}; used {FALLBACK}")
    return KernelChoice(requested, requested, f"asked for by name; serves {request}")


def require_backend(name: str) -> str:
    """`name`, if it is a backend that `attention` can be told to use.

    Raises:
        ValueError: it is unknown, or `auto`: resolve that with `choose_backend` first.
    """
    if name not in BACKENDS:
        raise ValueError(
            f"Kernel {name!r} is not a backend: {', '.join(BACKENDS)}. "
            "Turn a requested name such as 'auto' into one with choose_backend(...).name."
        )
    return name


def limit(name: str, device_type: str, dtype: torch.dtype, head_dim: int, scale: float = 1.0) -> str | None:
    """What the backend's own limits say against a call; None: nothing. Cheap, and compiles nothing."""
    limits = LIMITS.get(name)
    if limits is None:
        return None
    if device_type != limits.device:
        return f"serves {limits.device} devices, not {device_type}"
    if _plain(dtype) not in limits.dtypes:
        return f"serves {' and '.join(limits.dtypes)}, not {_plain(dtype)}"
    if not limits.head_dims(head_dim):
        return f"serves head_dim {limits.head_dims_in_words}, not {head_dim}"
    if limits.positive_scale and not scale > 0:
        return f"serves scales above 0, not {scale:g}"
    return None


def _obstacle(
    name: str, device: torch.device | str, dtype: torch.dtype, head_dims: tuple[int, ...], say: Callable[[str], None]
) -> str | None:
    """What keeps a backend from serving; None: nothing does, and if it is a compiled one it is loaded now."""
    for head_dim in head_dims:
        if (reason := limit(name, str(device).partition(":")[0], dtype, head_dim)) is not None:
            return reason
    if name not in COMPILED:
        return None
    if name == "cuda" and (reason := _too_old(device)) is not None:
        return reason
    from bimodal_kernels import loader

    return loader.obstacle(name, say)


def _too_old(device: torch.device | str) -> str | None:
    import torch

    if not torch.cuda.is_available():
        return "torch sees no CUDA device"
    found = torch.cuda.get_device_capability(device)
    if found >= MIN_CAPABILITY:
        return None
    return f"serves sm_{MIN_CAPABILITY[0]}{MIN_CAPABILITY[1]} and newer, not sm_{found[0]}{found[1]}"


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
