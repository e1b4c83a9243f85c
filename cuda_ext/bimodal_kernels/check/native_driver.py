"""The CPU kernels as a program without torch: under ASan and UBSan, and for other instruction sets than this machine's.

The program (`csrc/native/driver`) draws its own tensors, compares with the definition in double, and prints what
differs. Imports torch only for the cases.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bimodal_kernels.build import Say, ensure_recipe
from bimodal_kernels.recipe import SOURCES, Recipe, Step
from bimodal_kernels.toolchain import CxxCompiler, find_cxx

Build = Literal["sanitized", "plain"]
"""`sanitized`: ASan and UBSan, scratch starts as NaN. `plain`: optimised as the library is."""

_SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_FLAGS: dict[Build, tuple[str, ...]] = {
    # Lightly optimised: at -O0 nothing is unrolled or inlined, and a run takes minutes.
    "sanitized": ("-O1", "-g1", *_SANITIZE, "-DBIMODAL_POISON_SCRATCH", "-DBIMODAL_ONE_WIDTH"),
    "plain": ("-O2", "-DBIMODAL_POISON_SCRATCH"),
}
_TIMEOUT_S = 600.0


def driver(build: Build, *, march: str | None = None, sources: Path = SOURCES, say: Say = lambda message: None) -> Path:
    """The program, from the cache or compiled now.

    Args:
        build: which of the two.
        march: instruction set, as the compiler calls it; None is this machine's.
        sources: the folder that holds `native`; another than the package's own to try changed kernels.
        say: told before something takes long.

    Raises:
        KernelUnavailableError: there is no C++ compiler, compiling failed, or the cache cannot be written.
    """
    cxx = find_cxx()
    return ensure_recipe(_recipe(build, march or cxx.march, sources, cxx), say).path


def problems() -> tuple[str, ...]:
    """Input of the program: block, edge and decode cases of `cases.py`, in both dtypes, on one and on three threads."""
    from bimodal_kernels.cases import EDGES, tagged

    names = {"none": "none", "ragged": "ragged", "holes": "holes", "empty row": "empty"}
    lines = [
        f"{c.batch} {c.heads} {c.kv_heads} {c.queries} {c.keys} {c.head_dim} {c.causal:d} {names[c.mask]}"
        f" {dtype} {threads}"
        for c in (*tagged("block"), *EDGES, *tagged("decode"))
        for dtype in ("float32", "bfloat16")
        for threads in (1, 3)
    ]
    return tuple(dict.fromkeys(lines))


def faults(program: Path, lines: Sequence[str]) -> tuple[str, ...]:
    """What the program finds wrong: a line each, or the end of a sanitizer's report."""
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}  # needs ptrace, which containers forbid
    try:
        done = subprocess.run(
            [program],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return (f"{program.name} did not end within {_TIMEOUT_S:.0f} s",)
    *found, summary = done.stdout.splitlines() or [""]
    if done.returncode == 0 and summary == f"{len(lines)} problems":
        return ()
    if found and done.returncode == 1 and summary.endswith(" problems"):
        return tuple(found)
    report = [line for line in done.stderr.splitlines() if "ERROR" in line or "runtime error" in line]
    return (f"{program.name} ended with status {done.returncode}: {(report or ['no report'])[0]}",)


def _recipe(build: Build, march: str, sources: Path, cxx: CxxCompiler) -> Recipe:
    folder = sources / "native"
    kernels = [path for path in sorted(folder.glob("*.cpp")) if not path.name.startswith("bind")]
    command = (*cxx.command, "-std=c++20", f"-march={march}", "-fno-math-errno", "-pthread", "-Wall", *_FLAGS[build])
    steps = [Step((*command, "-c", str(path)), f"{path.stem}.o") for path in (*kernels, folder / "driver" / "main.cpp")]
    link = (*cxx.command, "-pthread", *(_SANITIZE if build == "sanitized" else ()))
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    made_of = {
        "sources": digest.hexdigest(),
        "compiler": cxx.version,
        "target": cxx.target,
        "commands": json.dumps([link, *(step.command for step in steps)]).replace(str(sources), "csrc"),
    }
    return Recipe(f"native-driver-{build}", tuple(steps), link, (), made_of, suffix="")
