"""`bench doctor`: what this machine has, what will be used, what is missing and how to get it."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from bimodal import environment, registry
from bimodal.datasets import cache_dir
from bimodal.schema import Record

_MIN_FREE_BYTES = 2 * 1024**3


class Finding(Record):
    """One thing looked at."""

    name: str
    status: Literal["ok", "missing", "problem"]
    """`missing`: something optional is not there; `problem`: a run would fail."""
    detail: str
    fix: str | None = None


def examine() -> tuple[Finding, ...]:
    """Look at everything a run depends on. Never raises: what cannot be found out is a finding too."""
    return tuple(finding for look in _LOOKS for finding in look())


def _python_and_machine() -> Iterator[Finding]:
    facts = environment.provenance()
    machine = facts["machine"]
    yield Finding(name="python", status="ok", detail=str(facts["python"]))
    yield Finding(
        name="cpu",
        status="ok",
        detail=f"{machine['cpu']}, {machine['physical_cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB",
    )


def _packages() -> Iterator[Finding]:
    fix = "Install the pinned set again: pip install -e . (docs/design.md, 'Versions that work together')."
    for name in ("torch", "torchvision", "torchaudio", "transformers", "tokenizers", "sacrebleu", "altair"):
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            yield Finding(name=name, status="problem", detail=f"cannot be imported: {error}", fix=fix)
        else:
            yield Finding(name=name, status="ok", detail=str(getattr(module, "__version__", "unknown version")))


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError):
        return  # _packages has said so
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield Finding(name=f"cuda:{index}", status="ok", detail=torch.cuda.get_device_name(index))
    else:
        yield Finding(
            name="cuda",
            status="missing",
            detail="no CUDA device; runs use the CPU",
            fix="Nothing to do on a machine without a GPU; else check the driver with nvidia-smi.",
        )
    threads = environment.pin_threads(None)
    yield Finding(name="threads", status="ok", detail=f"{threads}, one per physical core")


def _kernels() -> Iterator[Finding]:
    from bimodal_kernels.catalog import BACKENDS, COMPILED

    for name, summary in BACKENDS.items():
        if name in COMPILED:
            yield _compiled(name, summary)
        else:
            yield Finding(name=f"kernel {name}", status="ok", detail=summary)


def _compiled(name: str, summary: str) -> Finding:
    from bimodal_kernels import build
    from bimodal_kernels.recipe import RECIPES
    from bimodal_kernels.toolchain import KernelUnavailableError

    try:
        library = build.find(RECIPES[name]())
    except KernelUnavailableError as error:
        detail, fix = str(error), "Optional: without it runs use sdpa, and every result says so."
        return Finding(name=f"kernel {name}", status="missing", detail=f"{summary}; {detail}", fix=fix)
    if library is None:
        fix = "bench kernels build (a run that uses it does it by itself)"
        return Finding(name=f"kernel {name}", status="missing", detail=f"{summary}; not compiled yet", fix=fix)
    return Finding(name=f"kernel {name}", status="ok", detail=f"{summary}; compiled")


def _data() -> Iterator[Finding]:
    folder = cache_dir()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    enough = free >= _MIN_FREE_BYTES
    yield Finding(
        name="cache",
        status="ok" if enough else "problem",
        detail=f"{folder}, {free / 2**30:.1f} GiB free",
        fix=None if enough else "Free some space, or set BIMODAL_CACHE to a folder on another disk.",
    )
    for name, summary in registry.summaries("dataset").items():
        prepared = (folder / name).is_dir() and any(Path(folder / name).iterdir())
        yield Finding(
            name=f"data {name}",
            status="ok" if prepared else "missing",
            detail="prepared" if prepared else f"not prepared yet: {summary}",
            fix=None if prepared else f"bench data get {name} (a run does it by itself)",
        )


_LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python_and_machine,
    _packages,
    _devices,
    _kernels,
    _data,
)
