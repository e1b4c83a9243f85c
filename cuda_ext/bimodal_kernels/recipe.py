"""What each library of compiled kernels is made of: sources, commands, and the key that tells builds apart.

There are two, and either can be there without the other: `native` (all of `csrc/native/*.cpp`, for the CPU) and `cuda`
(all of `csrc/cuda/*.cu` and `*.cpp`). In each, `bind*.cpp` alone include torch's headers, through the stable ABI
(`TORCH_TARGET_VERSION`): they compile in seconds, and the library serves every later torch. Imports no torch.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bimodal_kernels.toolchain import CxxCompiler, KernelUnavailableError, find_cuda, find_cxx, gpu_capabilities

SOURCES = Path(__file__).parent / "csrc"
_BINDING = "bind.cpp"
_STABLE_ABI = "-DTORCH_TARGET_VERSION=0x020a000000000000ULL"  # torch 2.10
_CXX_FLAGS = ("-std=c++20", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-fPIC", "-fvisibility=hidden", "-Wall")
SANITIZE_FLAGS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NVCC_FLAGS = ("-std=c++17", "-O3", "-Xcompiler", "-fPIC,-fvisibility=hidden")
_OLDEST_GPU = 80
"""The kernels use mma, ldmatrix and cp.async as sm_80 has them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One compiler call; its output follows `-o`."""

    command: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a library: compile every step (in any order, in one folder), then link."""

    name: str
    compile: tuple[Step, ...]
    link: tuple[str, ...]
    """Without the object files and the output, which follow."""
    libraries: tuple[str, ...]
    made_of: Mapping[str, str]
    """What the key is a hash of; kept beside the library."""
    suffix: str = ".so"

    @property
    def key(self) -> str:
        """Differs whenever the library could."""
        return hashlib.sha256(json.dumps(dict(self.made_of), sort_keys=True).encode()).hexdigest()[:16]


def native_recipe(tree: Path = SOURCES, flags: tuple[str, ...] = ()) -> Recipe:
    """The CPU library, for exactly this CPU.

    Args:
        tree: the folder that holds `native`; another than the package's own to try changed kernels.
        flags: more of them, after the usual ones.

    Raises:
        KernelUnavailableError: something it needs is missing; the message says what.
    """
    sources = _sources("native", tree)
    cxx = find_cxx()
    march = f"-march={cxx.march}"
    torch_home = _torch_home()
    steps = [
        Step(
            (*cxx.command, *_CXX_FLAGS, march, *flags, *_torch_flags(source, torch_home), "-c", str(source)),
            f"{source.stem}.o",
        )
        for source in sources
    ]
    return Recipe(
        "native",
        tuple(steps),
        (*cxx.command, "-shared", *(flag for flag in flags if flag.startswith("-fsanitize"))),
        (f"-L{torch_home / 'lib'}", "-ltorch_cpu"),
        _made_of("native", tree, cxx, steps, torch_home),
    )


def cuda_recipe() -> Recipe:
    """The CUDA library, for the GPUs here; without any, for sm_80 and, through PTX, for what came later.

    Raises:
        KernelUnavailableError: something it needs is missing; the message says what.
    """
    sources = _sources("cuda", SOURCES)
    toolkit, cxx = find_cuda(), find_cxx()
    torch_home = _torch_home()
    include = f"-I{toolkit.home / 'include'}"  # before all others: torch ships some of the toolkit's headers
    targets = _gencode(toolkit.architectures, gpu_capabilities())
    host = ("-DUSE_CUDA", include, *_CXX_FLAGS)
    steps = [
        Step((str(toolkit.nvcc), *NVCC_FLAGS, *targets, "-c", str(source)), f"{source.stem}.cu.o")
        if source.suffix == ".cu"
        else Step((*cxx.command, *host, *_torch_flags(source, torch_home), "-c", str(source)), f"{source.stem}.o")
        for source in sources
    ]
    return Recipe(
        "cuda",
        tuple(steps),
        (*cxx.command, "-shared"),
        (
            f"-L{torch_home / 'lib'}",
            # torch, not torch_cuda: the library also loads beside a CPU-only torch. The linker would drop it as unused.
            "-Wl,--no-as-needed",
            "-ltorch",
            "-ltorch_cpu",
            f"-L{toolkit.home / 'lib64'}",
            f"-L{toolkit.home / 'lib'}",
            "-lcudart_static",
            "-ldl",
            "-lrt",
            "-lpthread",
        ),
        _made_of("cuda", SOURCES, cxx, steps, torch_home) | {"cuda": toolkit.version},
    )


RECIPES: Mapping[str, Callable[[], Recipe]] = MappingProxyType({"native": native_recipe, "cuda": cuda_recipe})
"""The libraries, by name."""


def _sources(name: str, tree: Path) -> list[Path]:
    if sys.platform == "win32":
        raise KernelUnavailableError("the kernels are compiled on Linux and macOS only")
    kinds = ("*.cpp", "*.cu") if name == "cuda" else ("*.cpp",)
    found = sorted(path for kind in kinds for path in (tree / name).glob(kind))
    if not any(path.name == _BINDING for path in found):
        raise KernelUnavailableError(f"the sources of the {name} kernels are not in this installation")
    return found


def _torch_home() -> Path:
    # Without importing torch: building must stay possible for `bench kernels build`, and cheap to ask about.
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise KernelUnavailableError("torch is not installed")
    home = Path(spec.submodule_search_locations[0])
    if not (home / "include" / "torch" / "csrc" / "stable" / "library.h").is_file():
        raise KernelUnavailableError(f"torch {importlib.metadata.version('torch')} has no stable C++ interface")
    return home


def _torch_flags(source: Path, torch_home: Path) -> tuple[str, ...]:
    return (_STABLE_ABI, f"-I{torch_home / 'include'}") if source.name.startswith("bind") else ()


def _gencode(known: tuple[int, ...], present: tuple[int, ...]) -> tuple[str, ...]:
    """Machine code for the GPUs present; PTX of the oldest where there are none or nvcc does not know them."""
    usable = [capability for capability in present if capability >= _OLDEST_GPU and capability in known]
    flags = [f"-gencode=arch=compute_{capability},code=sm_{capability}" for capability in usable or [_OLDEST_GPU]]
    if not usable or len(usable) < len(present):
        flags.append(f"-gencode=arch=compute_{_OLDEST_GPU},code=compute_{_OLDEST_GPU}")
    return tuple(flags)


def _made_of(name: str, tree: Path, cxx: CxxCompiler, steps: list[Step], torch_home: Path) -> dict[str, str]:
    sources = hashlib.sha256()
    for path in sorted(path for path in (tree / name).rglob("*") if path.is_file()):
        sources.update(f"{path.relative_to(tree)}\0".encode() + path.read_bytes())
    commands = json.dumps([step.command for step in steps])
    return {
        "sources": sources.hexdigest(),
        "compiler": cxx.version,
        "target": cxx.target,
        # Where things are installed does not change what comes out.
        "commands": commands.replace(str(tree), "csrc").replace(str(torch_home), "torch"),
        "torch": importlib.metadata.version("torch"),
    }
