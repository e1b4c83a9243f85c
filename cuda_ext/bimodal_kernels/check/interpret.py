"""Runs trials in the PTX interpreter: nvcc's own device code, launched as the launchers launch it.

The emulator compiles the kernels' C++ with another compiler and replaces every primitive; this sees what the emulator
cannot, the inline assembly and what nvcc made of the rest.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bimodal_kernels.build import Say
from bimodal_kernels.check.device_code import compile_ptx, kernel_name
from bimodal_kernels.check.emulate import judge_numbers
from bimodal_kernels.check.emulator_file import memory_span
from bimodal_kernels.check.launches import RecordedCall, record, recorder
from bimodal_kernels.check.ptx import GlobalMemory, Kernel, Launch, ProgramFault, launch, parse_ptx
from bimodal_kernels.check.trials import Prepared, Trial, largest_error, prepare
from bimodal_kernels.recipe import SOURCES
from bimodal_kernels.toolchain import find_cuda


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What was found when a trial ran in the interpreter."""

    name: str
    kernels: tuple[str, ...]
    """Mangled names of what ran."""
    errors: Mapping[str, float]
    """Largest error against float64 of each output."""
    mma: int
    """Executed by a warp; the emulator must count as many."""
    warp_instructions: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InterpreterReport:
    """All trials, and the kernels that none of them reached."""

    interpretations: tuple[Interpretation, ...]
    not_run: tuple[str, ...]
    """Shipped kernels that no trial launched."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that is not as it should be, one line each; empty: passed."""
        faults = [f"{found.name}: {fault}" for found in self.interpretations for fault in found.faults]
        return (*faults, *(f"{kernel_name(mangled)} never ran" for mangled in self.not_run))


def interpret_trials(
    trials: Sequence[Trial],
    *,
    sources: Path = SOURCES,
    say: Say = lambda message: None,
    progress: Callable[[Interpretation], None] = lambda interpretation: None,
) -> InterpreterReport:
    """Run every trial on the PTX of `sources`.

    Args:
        trials: what to run.
        sources: the kernels; another folder than the package's own to try changed ones.
        say: told before something is compiled.
        progress: told of every interpretation, in the order of the trials.

    Raises:
        KernelUnavailableError: nvcc or the C++ compiler is missing, or compiling failed.
    """
    kernels = compiled_kernels(sources, say)
    program = recorder(sources, say)
    found = []
    for trial in trials:  # one after the other: most of them take a fraction of a second
        found.append(interpret_trial(trial, kernels, program))
        progress(found[-1])
    run = {name for interpretation in found for name in interpretation.kernels}
    return InterpreterReport(tuple(found), tuple(sorted(kernels.keys() - run)))


def compiled_kernels(sources: Path = SOURCES, say: Say = lambda message: None) -> dict[str, Kernel]:
    """Every shipped kernel's PTX, parsed, by mangled name.

    Raises:
        KernelUnavailableError: nvcc is missing or failed.
    """
    toolkit = find_cuda()
    say("compiling the CUDA kernels to PTX")
    with tempfile.TemporaryDirectory(prefix="bimodal-ptx-") as folder:
        modules = [parse_ptx(path.read_text()) for path in compile_ptx(toolkit, Path(folder), sources)]
    return {name: kernel for module in modules for name, kernel in module.items()}


def interpret_trial(trial: Trial, kernels: Mapping[str, Kernel], recorder_program: Path) -> Interpretation:
    """Run one trial."""
    prepared = prepare(trial)
    call = record(recorder_program, prepared.launch)
    memory = _place_tensors(prepared, call)
    counts: Counter[str] = Counter()
    faults = []
    try:
        for step in call.launches:
            how = Launch(step.grid, step.threads, step.shared_bytes, step.parameters)
            counts += launch(kernels[step.kernel], how, memory)
    except (ProgramFault, NotImplementedError) as fault:
        faults.append(str(fault))
    errors = {
        name: largest_error(_read_back(memory, call.addresses[name], prepared.launch.outputs[name]), wanted)
        for name, wanted in prepared.expected.items()
    }
    return Interpretation(
        name=trial.name,
        kernels=tuple(step.kernel for step in call.launches),
        errors=errors,
        mma=counts["mma"],
        warp_instructions=counts.total(),
        faults=(*faults, *judge_numbers(trial, prepared, errors)),
    )


def _place_tensors(prepared: Prepared, call: RecordedCall) -> GlobalMemory:
    """Inputs as they are, outputs as NaN, each where the parameters say it is."""
    memory = GlobalMemory()
    for name, tensor in prepared.launch.inputs.items():
        memory.allocate(_bytes(tensor), call.addresses[name])
    for name, tensor in prepared.launch.outputs.items():
        memory.allocate(np.full_like(_bytes(tensor), 0xFF), call.addresses[name])
    return memory


def _bytes(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return memory_span(tensor).contiguous().view(torch.uint8).numpy()


def _read_back(memory: GlobalMemory, address: int, like: Tensor) -> Tensor:
    found = memory.read_back(address, _bytes(like))
    return torch.from_numpy(found).view(like.dtype).as_strided(like.shape, like.stride())
