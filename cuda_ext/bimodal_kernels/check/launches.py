"""What the launchers launch: grids, blocks, shared memory and parameter bytes, written down instead of run.

The launchers' own code is compiled by the C++ compiler against a CUDA runtime that records (csrc/recorder), so the PTX
interpreter and the occupancy calculator see exactly what a GPU would be given.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bimodal_kernels.build import Say, ensure_recipe
from bimodal_kernels.check.emulator_build import emulated
from bimodal_kernels.check.emulator_file import Launch, write_launch
from bimodal_kernels.recipe import SOURCES, Recipe
from bimodal_kernels.toolchain import find_cxx

_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class KernelLaunch:
    """One launch of one kernel."""

    kernel: str
    """Mangled name, the same in PTX and machine code."""
    grid: tuple[int, int, int]
    threads: int
    shared_bytes: int
    parameters: bytes


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """What one call of a launcher launches, in order."""

    launches: tuple[KernelLaunch, ...]
    addresses: Mapping[str, int]
    """Where each tensor lies, as the parameters say it: the first byte of the memory that its view spans."""


def recorder(sources: Path = SOURCES, say: Say = lambda message: None) -> Path:
    """The recording program, from the cache or compiled now.

    Raises:
        KernelUnavailableError: there is no C++ compiler, compiling failed, or the cache cannot be written.
    """
    return ensure_recipe(_recorder_recipe(sources), say).path


def record(program: Path, call: Launch) -> RecordedCall:
    """Ask the launcher what it would launch for this call.

    Raises:
        ValueError: the launcher refuses the call; the message has its error.
    """
    with tempfile.TemporaryDirectory(prefix="bimodal-recorder-") as folder:
        case = Path(folder) / "case"
        write_launch(call, case)
        done = subprocess.run([program, case], capture_output=True, text=True, timeout=_TIMEOUT_S)
    if done.returncode:
        raise ValueError(done.stderr.strip() or f"the recorder ended with status {done.returncode}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    launches = tuple(
        KernelLaunch(
            kernel=line["kernel"],
            grid=tuple(line["grid"]),
            threads=line["threads"],
            shared_bytes=line["shared_bytes"],
            parameters=bytes.fromhex(line["parameters"]),
        )
        for line in lines
        if "kernel" in line
    )
    return RecordedCall(launches, {line["tensor"]: line["address"] for line in lines if "tensor" in line})


def _recorder_recipe(sources: Path) -> Recipe:
    """As the plain emulator, with another runtime, another main and, as no kernel runs, without optimisation."""
    folder = sources / "recorder"
    mains = [sources / "emulator" / name for name in ("call.cpp", "case_file.cpp")]
    kernels = sorted((sources / "cuda").glob("*.cu"))
    plain = emulated("recorder", "plain", kernels, [*mains, folder / "recorder.cpp"], sources)
    cxx = find_cxx().command
    steps = tuple(
        # Its runtime comes before the emulator's on the include path.
        replace(step, command=(*cxx, f"-I{folder}", *step.command[len(cxx) :], "-O0"))
        for step in plain.compile
    )
    made_of = {**plain.made_of, "runtime": (folder / "cuda_runtime.h").read_text()}
    return replace(plain, compile=steps, link=(*plain.link, "-rdynamic"), libraries=("-ldl",), made_of=made_of)
