"""The static gate: what can be read off the machine code, without running it. Imports no torch.

For every kernel and every target: registers and spills as ptxas reports them, instructions counted in the disassembly
(tensor cores used, local memory not), and how many blocks fit on a multiprocessor.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bimodal_kernels.build import Say, ensure_recipe
from bimodal_kernels.check.device_code import (
    KernelName,
    compile_machine_code,
    disassemble,
    find_cuobjdump,
    kernel_name,
)
from bimodal_kernels.recipe import SOURCES, Recipe, Step
from bimodal_kernels.toolchain import CompileError, CudaToolkit, KernelUnavailableError, find_cuda, find_cxx

ARCHITECTURES = (80, 90, 120)
"""Targets of the gate: the oldest the kernels serve, the data centre's, the newest consumer one."""

_WITHOUT_PRODUCTS = ("row_dot_kernel", "combine_kernel")
"""Kernels that multiply no matrices; every other one must use the tensor cores."""


@dataclass(frozen=True, slots=True)
class BlockShape:
    """What a launch asks for."""

    threads: int
    shared_bytes: int


@dataclass(frozen=True, slots=True)
class KernelBinary:
    """One kernel compiled for one architecture. None stands for what could not be found out here."""

    kernel: KernelName
    architecture: int
    registers: int
    stack_bytes: int
    spilled_bytes: int
    """Stored plus loaded."""
    static_shared_bytes: int
    tensor_core_instructions: int | None = None
    local_memory_instructions: int | None = None
    blocks_per_multiprocessor: int | None = None

    def faults(self) -> tuple[str, ...]:
        """What is not as it should be; empty: passed, as far as it was looked at."""
        found = []
        if self.spilled_bytes or self.stack_bytes:
            found.append(f"spills {self.spilled_bytes} bytes, stack of {self.stack_bytes} bytes")
        if self.local_memory_instructions:
            found.append(f"{self.local_memory_instructions} accesses to local memory")
        if self.tensor_core_instructions == 0 and self.kernel.base not in _WITHOUT_PRODUCTS:
            found.append("does not use the tensor cores")
        if self.blocks_per_multiprocessor == 0:
            found.append("no block fits on a multiprocessor")
        return tuple(f"{self.kernel} on sm_{self.architecture}: {fault}" for fault in found)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A proof that did not happen here."""

    proof: str
    reason: str


@dataclass(frozen=True, slots=True)
class StaticReport:
    """What the gate found."""

    binaries: tuple[KernelBinary, ...]
    skipped: tuple[Skipped, ...]
    failures: tuple[str, ...] = ()
    """Targets that did not compile."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that is not as it should be, one line each."""
        return (*self.failures, *(fault for binary in self.binaries for fault in binary.faults()))


def check_static(
    shapes: Mapping[KernelName, BlockShape],
    *,
    architectures: Sequence[int] = ARCHITECTURES,
    sources: Path = SOURCES,
    say: Say = lambda message: None,
) -> StaticReport:
    """Compile every kernel for every architecture and look at what came out.

    Args:
        shapes: how each kernel is launched (`launches.record_launches` knows), for the occupancy.
        architectures: such as 80 for sm_80; those that nvcc does not know are skipped, and said to be.
        sources: the kernels.
        say: told what takes long.
    """
    try:
        toolkit = find_cuda()
    except KernelUnavailableError as missing:
        return StaticReport((), (Skipped("static gate", str(missing)),))
    skipped = [
        Skipped(f"static gate, sm_{architecture}", f"nvcc {toolkit.version} does not know it")
        for architecture in architectures
        if architecture not in toolkit.architectures
    ]
    cuobjdump: Path | None = None
    try:
        cuobjdump = find_cuobjdump(toolkit)
    except KernelUnavailableError as missing:
        skipped.append(Skipped("static gate, instructions", str(missing)))
    binaries: list[KernelBinary] = []
    failures = []
    for architecture in (a for a in architectures if a in toolkit.architectures):
        say(f"compiling the CUDA kernels for sm_{architecture}")
        try:
            binaries += _compiled(toolkit, architecture, sources, cuobjdump)
        except CompileError as failed:
            failures.append(f"sm_{architecture}: {failed}")
    try:
        binaries = _with_occupancy(binaries, shapes, toolkit, say)
    except KernelUnavailableError as missing:
        skipped.append(Skipped("static gate, occupancy", str(missing)))
    return StaticReport(tuple(binaries), tuple(skipped), tuple(failures))


def _compiled(toolkit: CudaToolkit, architecture: int, sources: Path, cuobjdump: Path | None) -> list[KernelBinary]:
    binaries = []
    with tempfile.TemporaryDirectory(prefix="bimodal-static-") as folder:
        for cubin, said in compile_machine_code(toolkit, Path(folder), architecture, sources):
            instructions = disassemble(cuobjdump, cubin) if cuobjdump else {}
            for mangled, binary in read_ptxas_report(said, architecture).items():
                if cuobjdump:
                    binary = _with_instructions(binary, instructions[mangled])
                binaries.append(binary)
    return binaries


def read_ptxas_report(said: str, architecture: int) -> dict[str, KernelBinary]:
    """What `ptxas -v` says of each kernel, by mangled name."""
    binaries = {}
    for entry in re.split(r"Compiling entry function '", said)[1:]:
        mangled = entry.split("'", 1)[0]
        stack, stores, loads = map(
            int,
            re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", entry).groups(),  # type: ignore[union-attr]
        )
        registers = int(re.search(r"Used (\d+) registers", entry)[1])  # type: ignore[index]
        shared = re.search(r"(\d+) bytes smem", entry)
        binaries[mangled] = KernelBinary(
            kernel=kernel_name(mangled),
            architecture=architecture,
            registers=registers,
            stack_bytes=stack,
            spilled_bytes=stores + loads,
            static_shared_bytes=int(shared[1]) if shared else 0,
        )
    return binaries


def _with_instructions(binary: KernelBinary, instructions: Sequence[str]) -> KernelBinary:
    opcodes = [instruction.split(".")[0].split()[0] for instruction in instructions]
    return replace(
        binary,
        tensor_core_instructions=opcodes.count("HMMA"),
        local_memory_instructions=opcodes.count("LDL") + opcodes.count("STL"),
    )


def _with_occupancy(
    binaries: Sequence[KernelBinary],
    shapes: Mapping[KernelName, BlockShape],
    toolkit: CudaToolkit,
    say: Say,
) -> list[KernelBinary]:
    """Asks NVIDIA's calculator; a kernel whose launch is not known keeps None."""
    known = [binary for binary in binaries if binary.kernel in shapes]
    lines = [
        f"{binary.architecture} {binary.registers} {shapes[binary.kernel].threads} "
        f"{binary.static_shared_bytes} {shapes[binary.kernel].shared_bytes}"
        for binary in known
    ]
    program = ensure_recipe(_occupancy_recipe(toolkit), say).path
    done = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)
    found = dict(zip(known, map(int, done.stdout.split()), strict=True))
    return [replace(binary, blocks_per_multiprocessor=found.get(binary)) for binary in binaries]


def _occupancy_recipe(toolkit: CudaToolkit) -> Recipe:
    cxx = find_cxx()
    source = SOURCES / "occupancy" / "occupancy.cpp"
    command = (*cxx.command, "-std=c++17", "-O1", f"-I{toolkit.home / 'include'}", "-c", str(source))
    made_of = {"source": source.read_text(), "compiler": cxx.version, "cuda": toolkit.version}
    return Recipe("occupancy", (Step(command, "occupancy.o"),), cxx.command, (), made_of, suffix="")
