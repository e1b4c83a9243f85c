"""Runs trials on the emulator and says what was found: errors against float64, and the count of every detector.

reports = check_trials(all_trials())
assert not any(report.faults for report in reports)
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from bimodal_kernels.build import Say
from bimodal_kernels.check.emulator_build import BUILDS, Build, emulator
from bimodal_kernels.check.emulator_file import Launch, read_results, write_launch
from bimodal_kernels.check.trials import Prepared, Trial, largest_error, prepare
from bimodal_kernels.recipe import SOURCES

_SCHEDULES: Mapping[Build, tuple[int, ...]] = {"plain": (0, 1, 2, 3), "races": (0, 3), "sanitized": (0,)}
"""Bit 0: threads run in reverse; bit 1: blocks do, and copies land at their issue instead of at their wait."""

TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2}
"""Largest error of outputs and gradients, absolute where values stay below 1, else relative to the largest."""

LOG_SUM_EXP_TOLERANCE = 1e-5
TORCH_FACTOR = 2.0
"""Ours may err this many times as much as torch in the same dtype."""

FP32_ROUNDING = 2**-20
"""And this much more: torch can be exact by luck (with one key, all terms cancel); sums in fp32 are not."""

_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What the emulator counted. All but `mma` are bugs of a kernel; what each means: csrc/emulator/simt.hpp."""

    error: int = 0
    """The launcher's cudaError_t."""
    stuck: int = 0
    races: int = 0
    global_races: int = 0
    uninitialised: int = 0
    unwaited: int = 0
    misaligned: int = 0
    out_of_bounds: int = 0
    divergent: int = 0
    deadlocks: int = 0
    bank_conflicts: int = 0
    mma: int = 0

    def bugs(self) -> dict[str, int]:
        """What should be 0 and is not."""
        return {name: count for name, count in asdict(self).items() if name != "mma" and count}

    def __add__(self, other: Counters) -> Counters:
        return Counters(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counters)))


@dataclass(frozen=True, slots=True)
class Run:
    """One launch on one build of the emulator."""

    outputs: Mapping[str, Tensor]
    """Empty if the program died."""
    counters: Counters
    said: str
    """What the program reported on stderr; a sanitizer's report if it died of one."""
    died: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a trial, over all builds and schedules."""

    name: str
    errors: Mapping[str, float]
    """Largest error against float64 of each output."""
    torch_errors: Mapping[str, float]
    counters: Counters
    """Summed over builds and schedules, `mma` apart: that of one run."""
    sanitizer_reports: int
    faults: tuple[str, ...]
    """Everything that is not as it should be, one line each; empty: passed."""


def check_trials(
    trials: Sequence[Trial],
    *,
    builds: Sequence[Build] = BUILDS,
    sources: Path = SOURCES,
    workers: int | None = None,
    say: Say = lambda message: None,
    progress: Callable[[Report], None] = lambda report: None,
) -> tuple[Report, ...]:
    """Run every trial on every build under its schedules.

    Args:
        trials: what to run.
        builds: of the emulator.
        sources: the kernels; another folder than the package's own to try changed ones.
        workers: how many at a time; None: one for each core.
        say: told before something is compiled.
        progress: told of every report, in the order of the trials.

    Raises:
        KernelUnavailableError: the emulator cannot be compiled.
    """
    programs = {build: emulator(build, sources, say) for build in builds}
    reports = []
    with ThreadPoolExecutor(workers or _cores()) as pool:
        try:
            for report in pool.map(lambda trial: check_trial(trial, programs), trials):
                progress(report)
                reports.append(report)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return tuple(reports)


def check_trial(trial: Trial, programs: Mapping[Build, Path]) -> Report:
    """Run one trial on the given builds."""
    prepared = prepare(trial)
    with tempfile.TemporaryDirectory(prefix="bimodal-emulator-") as name:
        folder = Path(name)
        write_launch(prepared.launch, folder / "case")
        runs = {
            (build, schedule): _run(program, prepared.launch, folder, schedule)
            for build, program in programs.items()
            for schedule in _SCHEDULES[build]
        }
    return judge(trial, prepared, runs)


def judge(trial: Trial, prepared: Prepared, runs: Mapping[tuple[Build, int], Run]) -> Report:
    """What runs of one trial, by build and schedule, amount to."""
    errors = {
        output: max(largest_error(run.outputs[output], want) if run.outputs else torch.inf for run in runs.values())
        for output, want in prepared.expected.items()
    }
    total = sum((run.counters for run in runs.values()), Counters())
    first = next(iter(runs.values()))
    return Report(
        name=trial.name,
        errors=errors,
        torch_errors=prepared.torch_errors,
        counters=replace(total, mma=first.counters.mma),
        sanitizer_reports=sum(run.died for (build, _), run in runs.items() if build == "sanitized"),
        faults=(*judge_numbers(trial, prepared, errors), *_wrong_runs(runs)),
    )


def run_program(program: Path, launch: Launch, schedule: int = 0) -> Run:
    """One launch on one build under one schedule."""
    with tempfile.TemporaryDirectory(prefix="bimodal-emulator-") as folder:
        write_launch(launch, Path(folder) / "case")
        return _run(program, launch, Path(folder), schedule)


def _run(program: Path, launch: Launch, folder: Path, schedule: int) -> Run:
    results = folder / f"results-{program.name}-{schedule}"
    try:
        done = subprocess.run(
            [program, folder / "case", results, str(schedule)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
        )
    except subprocess.TimeoutExpired:
        return Run({}, Counters(), f"did not end within {_TIMEOUT_S:.0f} s", died=True)
    try:
        counters = Counters(**json.loads(done.stdout))
    except (ValueError, TypeError):
        return Run({}, Counters(), done.stderr or f"died with status {done.returncode}", died=True)
    outputs = read_results(launch, results)
    results.unlink()
    return Run(outputs, counters, done.stderr, died=False)


def judge_numbers(trial: Trial, prepared: Prepared, errors: Mapping[str, float]) -> list[str]:
    """What is above its bar, one line each."""
    faults = []
    for output, error in errors.items():
        largest = float(prepared.expected[output].masked_fill(prepared.expected[output].isinf(), 0).abs().max())
        bars = {"tolerance": TOLERANCE[trial.case.dtype] * max(1.0, largest if trial.op == "backward" else 1.0)}
        if output == "log_sum_exp":
            bars = {"tolerance": LOG_SUM_EXP_TOLERANCE}
        elif output in prepared.torch_errors:
            bars[f"{TORCH_FACTOR:g} x torch's error"] = TORCH_FACTOR * prepared.torch_errors[output] + FP32_ROUNDING
        faults += [
            f"{output}: error {error:.2e} > {bar:.2e}, the {name}" for name, bar in bars.items() if not error <= bar
        ]
    return faults


def _wrong_runs(runs: Mapping[tuple[Build, int], Run]) -> list[str]:
    faults = []
    for (build, schedule), run in runs.items():
        where = f"({build}, schedule {schedule})"
        if run.died:
            faults.append(f"died {where}: {_telling_line(run.said)}")
        faults += [f"{name} {count} {where}: {_telling_line(run.said)}" for name, count in run.counters.bugs().items()]
    alive = {key: run for key, run in runs.items() if not run.died}
    for build in {build for build, _ in alive}:
        results = [run for (of_build, _), run in alive.items() if of_build == build]
        if any(not _same_bits(run.outputs, results[0].outputs) for run in results):
            faults.append(f"results differ between schedules ({build})")
    if len({run.counters.mma for run in alive.values()}) > 1:
        faults.append(f"mma counts differ between runs: {sorted({run.counters.mma for run in alive.values()})}")
    return faults


def _same_bits(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return all(
        torch.equal(a[name].contiguous().view(torch.uint8), b[name].contiguous().view(torch.uint8)) for name in a
    )


def _telling_line(said: str) -> str:
    lines = said.strip().splitlines() or ["no report"]
    return next((line for line in lines if "ERROR: " in line or "runtime error" in line), lines[0]).strip()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
