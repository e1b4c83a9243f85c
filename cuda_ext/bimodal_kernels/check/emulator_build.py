"""Three builds of the emulator, each the kernels' own sources compiled by the C++ compiler. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from bimodal_kernels.build import Say, ensure_recipe
from bimodal_kernels.recipe import SOURCES, Recipe, Step
from bimodal_kernels.toolchain import find_cxx

Build = Literal["plain", "races", "sanitized"]
"""`plain`: fast. `races`: judges every access to shared memory and to outputs. `sanitized`: ASan and UBSan."""

BUILDS: tuple[Build, ...] = ("plain", "races", "sanitized")

_SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_KERNEL_FLAGS: Mapping[Build, tuple[str, ...]] = MappingProxyType(
    # -fsanitize=thread only to have every access instrumented: hooks.cpp replaces that sanitizer's runtime.
    {"plain": ("-O2",), "races": ("-O1", "-fsanitize=thread", "-DBIMODAL_WATCH"), "sanitized": _SANITIZE}
)
_MACHINE_FLAGS: Mapping[Build, tuple[str, ...]] = MappingProxyType(
    {"plain": ("-O2",), "races": ("-O2", "-DBIMODAL_WATCH"), "sanitized": _SANITIZE}
)
_PROGRAM = ("driver.cpp", "call.cpp", "case_file.cpp")  # the rest of the folder is the machine
_HOOKS = "hooks.cpp"


def emulator(build: Build, sources: Path = SOURCES, say: Say = lambda message: None) -> Path:
    """The program that runs the kernels' launchers on case files, from the cache or compiled now.

    Args:
        build: which of the three.
        sources: the folder that holds `cuda` and `emulator`; another than the package's own to try changed kernels.
        say: told before something takes long.

    Raises:
        KernelUnavailableError: there is no C++ compiler, compiling failed, or the cache cannot be written.
    """
    kernels = sorted((sources / "cuda").glob("*.cu"))
    mains = [sources / "emulator" / name for name in _PROGRAM]
    return ensure_recipe(emulated(f"emulator-{build}", build, kernels, mains, sources), say).path


def emulated(
    name: str, build: Build, kernels: Sequence[Path], mains: Sequence[Path], sources: Path = SOURCES
) -> Recipe:
    """How to make a program out of kernels, what calls them, and the emulated machine.

    Args:
        name: of the program.
        build: which of the three.
        kernels: files whose accesses the races build watches.
        mains: files of the program that it does not.
        sources: the folder that holds `cuda` and `emulator`.

    Raises:
        KernelUnavailableError: there is no C++ compiler.
    """
    cxx = find_cxx()
    folder = sources / "emulator"
    include = (f"-I{sources}", f"-I{folder / 'shim'}")
    common = (*cxx.command, "-std=c++17", f"-march={cxx.march}", "-Wall", "-Wextra", "-Wno-unknown-pragmas", *include)
    machine = [
        path
        for path in sorted(folder.rglob("*.cpp"))
        if path.name not in _PROGRAM and (path.name != _HOOKS or build == "races")
    ]
    steps = [Step((*common, *_KERNEL_FLAGS[build], "-x", "c++", "-c", str(path)), f"{path.name}.o") for path in kernels]
    steps += [Step((*common, *_MACHINE_FLAGS[build], "-c", str(path)), f"{path.name}.o") for path in (*mains, *machine)]
    link = (*cxx.command, *(_SANITIZE if build == "sanitized" else ()))
    commands = json.dumps([link, *(step.command for step in steps)])
    made_of = {
        "sources": _digest([*_files(sources), *kernels, *mains]),
        "compiler": cxx.version,
        "target": cxx.target,
        "commands": commands.replace(str(sources), "csrc"),
    }
    return Recipe(name, tuple(steps), link, (), made_of, suffix="")


def _files(sources: Path) -> list[Path]:
    """What a program may be made of: all but the binding to torch."""
    found = (path for folder in ("cuda", "emulator") for path in sorted((sources / folder).rglob("*")))
    return [path for path in found if path.is_file() and path.name != "bind.cpp"]


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()
