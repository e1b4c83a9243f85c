"""Bringing compiled kernels into this process: at most once each, and never without a reason when not."""

from __future__ import annotations

import torch

from bimodal_kernels import ops  # noqa: F401  (schemas first: a library brings implementations alone)
from bimodal_kernels.build import Say, ensure
from bimodal_kernels.toolchain import KernelUnavailableError

_DISPATCH_KEY = {"native": "CPU", "cuda": "CUDA"}
_OPS = ("bimodal::attention_forward", "bimodal::attention_backward", "bimodal::attention_decode")

_obstacles: dict[str, str | None] = {}
"""What became of each library in this process: None is loaded, a text is why not. Filled by `obstacle`."""


def obstacle(name: str, say: Say = lambda message: None) -> str | None:
    """Load the library `native` or `cuda`, compiling it if need be; None, or the one line that says why not.

    Asked again, it answers the same at once: within a process a backend is there or not.
    """
    if name not in _obstacles:
        try:
            _load(name, say)
        except KernelUnavailableError as error:
            _obstacles[name] = str(error)
        else:
            _obstacles[name] = None
    return _obstacles[name]


def _load(name: str, say: Say) -> None:
    library = ensure(name, say).path
    try:
        torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise KernelUnavailableError(
            f"{library.name} does not load beside torch {torch.__version__}: {error}"
        ) from error
    for op in _OPS:
        if not torch._C._dispatch_has_kernel_for_dispatch_key(op, _DISPATCH_KEY[name]):
            raise KernelUnavailableError(f"{library.name} loads, but brings no {op}")
