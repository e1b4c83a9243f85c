"""Mutation testing: every small wrong edit of the kernels in `mutants/` must be noticed by the proofs.

A mutant is made in a copy of the sources and given to the smallest proof that should notice it: the emulator (the fast
build first; the one that judges races, and the sanitized one, only while it survives), the PTX interpreter for what the
emulator replaces, the CPU proof for the CPU kernels.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bimodal_kernels.build import ensure_recipe
from bimodal_kernels.check import native_driver
from bimodal_kernels.check.emulate import check_trials
from bimodal_kernels.check.emulator_build import BUILDS, Build
from bimodal_kernels.check.instantiations import interpreter_trials
from bimodal_kernels.check.interpret import compiled_kernels, interpret_trial
from bimodal_kernels.check.launches import recorder
from bimodal_kernels.check.mutants import Group, Mutant
from bimodal_kernels.check.native import check_native
from bimodal_kernels.check.outcome import Line, Outcome
from bimodal_kernels.check.trials import OPS, Op, Trial, all_trials
from bimodal_kernels.recipe import SOURCES, native_recipe
from bimodal_kernels.toolchain import CompileError

_BUILDS: Mapping[Group, tuple[Build, ...]] = MappingProxyType(
    {"synchronisation": ("races", "plain", "sanitized"), "indices and masks": BUILDS, "numbers": BUILDS}
)
"""Of the emulator, the likeliest to notice first."""

_NATIVE_BUILDS: tuple[native_driver.Build, ...] = ("plain", "sanitized")

LEAST: Mapping[str, int] = MappingProxyType(
    {"synchronisation": 10, "indices and masks": 10, "device assembly": 5, "native": 10}
)
"""How many mutants a group must have for the list to mean something."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    killed_by: str | None
    """The proof and its first fault; None: it survived."""
    broken: str | None = None
    """It does not compile, which says nothing about the proofs."""


def try_mutants(mutants: Sequence[Mutant], tell: Callable[[Verdict], None] = lambda verdict: None) -> Outcome:
    """Try every mutant, one after the other.

    Args:
        mutants: as `mutants.load` returns them.
        tell: told of every verdict.

    Raises:
        KernelUnavailableError: a compiler that their proofs need is missing.
    """
    verdicts = []
    for mutant in mutants:
        verdicts.append(judge(mutant))
        tell(verdicts[-1])
    groups = dict.fromkeys(mutant.group for mutant in mutants)
    lines = []
    for group in groups:
        of_group = [verdict for verdict in verdicts if verdict.mutant.group == group]
        killed = sum(verdict.killed_by is not None for verdict in of_group)
        lines.append(
            Line(f"{group}: killed", f"{killed} of {len(of_group)}", "all", ok=killed == len(of_group)),
        )
    survivors = [verdict for verdict in verdicts if verdict.killed_by is None]
    return Outcome(
        "mutants",
        tuple(lines),
        faults=tuple(
            f"mutant {verdict.mutant.name} ({verdict.mutant.file}) "
            + (f"does not compile: {verdict.broken}" if verdict.broken else "survived")
            for verdict in survivors
        ),
    )


def judge(mutant: Mutant, sources: Path = SOURCES) -> Verdict:
    """Make one mutant and see which proof notices it."""
    with tempfile.TemporaryDirectory(prefix="bimodal-mutant-") as name, _own_cache(Path(name) / "cache"):
        tree = Path(name) / "csrc"
        shutil.copytree(sources, tree)
        mutant.apply(tree)
        try:
            return Verdict(mutant, next(_faults(mutant, tree), None))
        except CompileError as error:
            return Verdict(mutant, None, broken=str(error))


def _faults(mutant: Mutant, tree: Path) -> Iterator[str]:
    """What the proofs find, lazily: the first is enough."""
    if mutant.group == "native":
        return _faults_of_cpu_kernels(tree)
    if mutant.group == "device assembly":
        return _faults_in_interpreter(tree, _ops(mutant))
    return _faults_on_emulator(tree, _ops(mutant), _BUILDS[mutant.group])


def _faults_of_cpu_kernels(tree: Path) -> Iterator[str]:
    problems = native_driver.problems()
    for build in _NATIVE_BUILDS:
        found = native_driver.faults(native_driver.driver(build, sources=tree), problems)
        yield from (f"native, without torch ({build}): {fault}" for fault in found)
    library = ensure_recipe(native_recipe(tree, ("-O1",)), lambda message: None).path
    yield from (f"native: {fault}" for fault in check_native(library, stop_early=True).faults)


def _faults_in_interpreter(tree: Path, ops: tuple[Op, ...]) -> Iterator[str]:
    kernels, program = compiled_kernels(tree), recorder(tree)
    for trial in interpreter_trials(ops):
        found = interpret_trial(trial, kernels, program)
        yield from (f"interpreter, {trial.name}: {fault}" for fault in found.faults)


def _faults_on_emulator(tree: Path, ops: tuple[Op, ...], builds: Sequence[Build]) -> Iterator[str]:
    for build in builds:
        for few in _by_and_by(all_trials(ops)):
            for report in check_trials(few, builds=(build,), sources=tree):
                yield from (f"emulator ({build}), {report.name}: {fault}" for fault in report.faults)


def _by_and_by(trials: Sequence[Trial], size: int = 6) -> Iterator[Sequence[Trial]]:
    """In small lots, so that a mutant that dies early costs little."""
    for start in range(0, len(trials), size):
        yield trials[start : start + size]


def _ops(mutant: Mutant) -> tuple[Op, ...]:
    """The ops whose kernels the file is part of."""
    return tuple(op for op in OPS if Path(mutant.file).name.startswith(op)) or OPS


@contextmanager
def _own_cache(folder: Path) -> Iterator[None]:
    """Mutants must not fill the user's cache of compiled kernels."""
    before = os.environ.get("BIMODAL_CACHE")
    os.environ["BIMODAL_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["BIMODAL_CACHE"]
        else:
            os.environ["BIMODAL_CACHE"] = before
