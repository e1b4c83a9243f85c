"""Compilers: which ones this machine has, and what exactly they compile for. Imports no torch."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ASK_TIMEOUT_S = 20.0


class KernelUnavailableError(Exception):
    """A library of kernels cannot be had here; the message is one line and says what is missing."""


class CompileError(KernelUnavailableError):
    """The compilers are there, but do not compile the kernels."""


@dataclass(frozen=True, slots=True)
class CxxCompiler:
    """A C++ compiler."""

    command: tuple[str, ...]
    version: str
    """First line of `--version`."""
    target: str
    """What `march` resolves to on this machine: the exact instruction sets, as the driver passes them on."""
    march: str


@dataclass(frozen=True, slots=True)
class CudaToolkit:
    """nvcc and the toolkit it belongs to."""

    nvcc: Path
    home: Path
    version: str
    architectures: tuple[int, ...]
    """Virtual architectures it knows, such as 80 for compute_80."""


def find_cxx() -> CxxCompiler:
    """The compiler that $CXX names, else g++, else clang++; `$BIMODAL_MARCH` replaces `native` as its target.

    Raises:
        KernelUnavailableError: there is none, or it does not run.
    """
    named = os.environ.get("CXX")
    command = shlex.split(named) if named else [next(filter(shutil.which, ("g++", "clang++")), "g++")]
    if shutil.which(command[0]) is None:
        raise KernelUnavailableError(
            f"no C++ compiler: {command[0]} is not on PATH (install g++, or let CXX name a compiler)"
        )
    march = os.environ.get("BIMODAL_MARCH", "native")
    version = _ask([*command, "--version"]).splitlines()[0]
    # `-###` prints what the driver would run: `native` has become a list of instruction sets there.
    driver = _ask([*command, f"-march={march}", "-###", "-E", "-x", "c++", os.devnull])
    return CxxCompiler(tuple(command), version, " ".join(re.findall(r"\"?(-m[\w.=+-]+)", driver)), march)


def find_cuda() -> CudaToolkit:
    """The toolkit of $CUDA_HOME, else that of nvcc on PATH.

    Raises:
        KernelUnavailableError: there is none, or it does not run.
    """
    home = os.environ.get("CUDA_HOME")
    nvcc = str(Path(home) / "bin" / "nvcc") if home else "nvcc"
    found = shutil.which(nvcc)
    if found is None:
        raise KernelUnavailableError(
            f"no CUDA compiler: {nvcc} {'does not exist' if home else 'is not on PATH'} "
            "(install the CUDA toolkit, or let CUDA_HOME name its folder)"
        )
    # nvcc on PATH may be a wrapper somewhere else: the dry run says where the real one lies.
    here = re.search(r"^#\$ _HERE_=(.+)$", _ask([found, "--dryrun", "x.cu"]), re.MULTILINE)
    if here is None:
        raise KernelUnavailableError(f"{found} does not answer `--dryrun` as nvcc does")
    version = re.search(r"release ([\d.]+)", _ask([found, "--version"]))
    architectures = re.findall(r"compute_(\d+)", _ask([found, "--list-gpu-arch"]))
    return CudaToolkit(
        nvcc=Path(found),
        home=Path(here[1]).parent,
        version=version[1] if version else "unknown version",
        architectures=tuple(sorted(map(int, architectures))),
    )


def gpu_capabilities() -> tuple[int, ...]:
    """Compute capabilities of the GPUs here, such as 90 for sm_90, each once; empty without a GPU or a driver."""
    if shutil.which("nvidia-smi") is None:
        return ()
    try:
        said = _ask(["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"])
    except KernelUnavailableError:
        return ()
    return tuple(sorted({int(major + minor) for major, minor in re.findall(r"^(\d+)\.(\d)\s*$", said, re.MULTILINE)}))


def _ask(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_ASK_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise KernelUnavailableError(f"{command[0]} does not run: {error}") from error
    return done.stdout + done.stderr
