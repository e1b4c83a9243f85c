"""Seeds, determinism, threads and devices.

Torch is imported inside functions, so that the command line can import this module cheaply.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from typing import TYPE_CHECKING, Any

from bimodal.errors import UsageError
from bimodal.provenance import (
    CUBLAS_WORKSPACE,
    code_fingerprint,
    determinism_flags,
    physical_cores,
    provenance,
)

if TYPE_CHECKING:
    import torch

_INDUCTOR_SWITCH = "TORCHINDUCTOR_DETERMINISTIC"

__all__ = [
    "code_fingerprint",
    "derive_seed",
    "determinism_flags",
    "make_deterministic",
    "physical_cores",
    "pin_threads",
    "provenance",
    "resolve_device",
    "seed_everything",
]


def derive_seed(seed: int, *labels: str | int) -> int:
    """A 63-bit seed for one purpose, a pure function of the run's seed and the labels.

    One seed for everything would make streams overlap (dropout would repeat the numbers of initialisation).
    One stream for everything would make each draw depend on all before it, so that a resumed or reordered run
    could not repeat them. A hash of (seed, labels) gives independent streams that can be entered anywhere.
    63 bits, because torch takes signed 64-bit seeds.
    """
    digest = hashlib.sha256(json.dumps([seed, *labels]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, numpy and torch (all devices), each with a stream of its own."""
    import numpy as np
    import torch

    random.seed(derive_seed(seed, "python"))
    np.random.seed(derive_seed(seed, "numpy") % 2**32)  # numpy's legacy generator takes 32 bits
    torch.manual_seed(derive_seed(seed, "torch"))


def make_deterministic() -> dict[str, Any]:
    """Make torch choose deterministic algorithms, and fail where it has none; returns what is set.

    Call it before anything runs on a GPU: cuBLAS reads its workspace setting once.

    Raises:
        RuntimeError: CUDA is in use already and the setting is not there (a programming error).
    """
    import torch

    if CUBLAS_WORKSPACE not in os.environ:
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            raise RuntimeError(f"CUDA was in use before make_deterministic(); {CUBLAS_WORKSPACE} comes too late.")
        os.environ[CUBLAS_WORKSPACE] = ":4096:8"
    # What torch.use_deterministic_algorithms(True) does, but that imports torch's compiler (0.7 s of every process) to
    # set its switch. Nothing here compiles; the compiler of a model that does finds the switch in the environment.
    os.environ[_INDUCTOR_SWITCH] = "1"
    torch.set_deterministic_debug_mode("error")
    # Filling every new tensor with NaN finds reads of uninitialised memory, but it would be in every timing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False  # trying out algorithms picks another one each time
    torch.backends.cudnn.deterministic = True
    return determinism_flags()


def pin_threads(threads: int | None) -> int:
    """Fix the number of threads torch uses inside one operation; returns it.

    Args:
        threads: the number, or None for one per physical core (hyperthreads gain nothing in matrix products).

    Raises:
        UsageError: fewer than one.
    """
    import torch

    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1 (or left out: one per physical core).")
    chosen = threads or physical_cores()
    torch.set_num_threads(chosen)
    return chosen


def resolve_device(name: str) -> torch.device:
    """The device of that name: `auto` (cuda, then mps, then cpu), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        UsageError: no such name, or this machine does not have it; the message says what it has.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    available = [f"cuda:{index}" for index in range(gpus)]
    if torch.backends.mps.is_available():
        available.append("mps")
    available.append("cpu")
    if name == "auto":
        return torch.device(available[0])
    full = "cuda:0" if name == "cuda" else name
    if full in available:
        return torch.device(full)
    kind, _, index = full.partition(":")
    if full != "mps" and not (kind == "cuda" and index.isdecimal()):
        raise UsageError(f"Unknown device {name!r}. Allowed: auto, cpu, cuda, cuda:N, mps.")
    raise UsageError(
        f"Device {name!r} is not available here; there is {', '.join(available)}. Use --device auto. "
        f"(torch {torch.__version__}; a CPU-only build sees no GPU.)"
    )
