"""The kernels as nvcc compiles them: PTX for the interpreter, machine code for the static gate. Imports no torch."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bimodal_kernels.recipe import NVCC_FLAGS, SOURCES
from bimodal_kernels.toolchain import CompileError, CudaToolkit, KernelUnavailableError

_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class KernelName:
    """What a mangled name stands for."""

    base: str
    format: str
    """`half` or `bfloat16`."""
    head_dim: int
    causal: bool | None
    """None for kernels that have no such choice."""

    def __str__(self) -> str:
        causal = {None: "", True: ", causal", False: ""}[self.causal]
        return f"{self.base}<{self.format}, {self.head_dim}{causal}>"


def kernel_name(mangled: str) -> KernelName:
    """Read `_ZN7bimodal14forward_kernelINS_4prim4HalfELi64ELb1EEEv...`.

    Raises:
        ValueError: not a kernel of ours.
    """
    head = re.match(r"_ZN7bimodal(\d+)", mangled)
    kind = re.search(r"INS_4prim(?:4(Half)|8(BFloat16))E", mangled)
    head_dim = re.search(r"Li(\d+)E", mangled)
    if head is None or kind is None or head_dim is None:
        raise ValueError(f"{mangled!r} is not the name of a kernel template over a format and a head_dim.")
    causal = re.search(r"Lb([01])E", mangled)
    return KernelName(
        base=mangled[head.end() : head.end() + int(head[1])],
        format=(kind[1] or kind[2]).lower(),
        head_dim=int(head_dim[1]),
        causal=None if causal is None else causal[1] == "1",
    )


def compile_ptx(toolkit: CudaToolkit, folder: Path, sources: Path = SOURCES) -> list[Path]:
    """PTX of every `.cu` in `sources/cuda`, as it is shipped for GPUs newer than the oldest.

    Raises:
        CompileError: nvcc failed; the message has what it said.
    """
    return [path for path, _ in _compile(toolkit, folder, sources, ("-arch=compute_80", "-ptx"), ".ptx")]


def compile_machine_code(
    toolkit: CudaToolkit, folder: Path, architecture: int, sources: Path = SOURCES
) -> list[tuple[Path, str]]:
    """Machine code of every `.cu` for sm_<architecture>, and what ptxas said of it.

    Raises:
        CompileError: nvcc failed; the message has what it said.
    """
    flags = (f"-arch=sm_{architecture}", "-cubin", "-Xptxas", "-v")
    return _compile(toolkit, folder, sources, flags, f".sm_{architecture}.cubin")


def find_cuobjdump(toolkit: CudaToolkit) -> Path:
    """The disassembler: from the package `nvidia-cuda-cuobjdump`, else the toolkit's, else the one on PATH.

    It calls nvdisasm, which must lie beside it or be on PATH.

    Raises:
        KernelUnavailableError: there is none.
    """
    try:
        files = importlib.metadata.files("nvidia-cuda-cuobjdump") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    candidates = [Path(str(file.locate())) for file in files if file.name == "cuobjdump"]
    candidates.append(toolkit.home / "bin" / "cuobjdump")
    candidates += [Path(found) for found in [shutil.which("cuobjdump")] if found]
    for path in candidates:
        works = path.is_file() and os.access(path, os.X_OK)
        if works and ((path.parent / "nvdisasm").is_file() or shutil.which("nvdisasm")):
            return path
    raise KernelUnavailableError("no disassembler: cuobjdump with nvdisasm is missing (pip install 'bimodal[kernels]')")


def disassemble(cuobjdump: Path, cubin: Path) -> dict[str, list[str]]:
    """The instructions of every kernel, by mangled name; operands follow the opcode.

    Raises:
        CompileError: cuobjdump failed.
    """
    text = _run((str(cuobjdump), "-sass", str(cubin)))
    functions = re.split(r"^\s*Function : (\S+)$", text, flags=re.MULTILINE)[1:]
    return {
        name: re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+ )?([A-Z][^;]*);", body)
        for name, body in zip(functions[::2], functions[1::2], strict=True)
    }


def _compile(
    toolkit: CudaToolkit, folder: Path, sources: Path, flags: Sequence[str], suffix: str
) -> list[tuple[Path, str]]:
    files = sorted((sources / "cuda").glob("*.cu"))
    if not files:
        raise KernelUnavailableError(f"no CUDA kernels: {sources / 'cuda'} has no .cu file")

    def compile_one(source: Path) -> tuple[Path, str]:
        output = folder / f"{source.stem}{suffix}"
        return output, _run((str(toolkit.nvcc), *NVCC_FLAGS, *flags, str(source), "-o", str(output)))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(compile_one, files))


def _run(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise KernelUnavailableError(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "error" in line] or [done.stderr.strip()]
        raise CompileError(f"{Path(command[0]).name} failed: {lines[0]}")
    return done.stdout + done.stderr
