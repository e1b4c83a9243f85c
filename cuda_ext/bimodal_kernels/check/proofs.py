"""The proofs that need no GPU, each a function from nothing to an `Outcome`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from bimodal_kernels.build import Say, ensure_recipe
from bimodal_kernels.check import native, native_driver
from bimodal_kernels.check.device_code import KernelName, kernel_name
from bimodal_kernels.check.emulate import (
    FP32_ROUNDING,
    LOG_SUM_EXP_TOLERANCE,
    TOLERANCE,
    TORCH_FACTOR,
    Counters,
    Report,
    check_trials,
)
from bimodal_kernels.check.instantiations import interpreter_trials
from bimodal_kernels.check.interpret import interpret_trials
from bimodal_kernels.check.launches import record, recorder
from bimodal_kernels.check.outcome import Line, Outcome, bounded, count
from bimodal_kernels.check.static_gate import BlockShape, KernelBinary, check_static
from bimodal_kernels.check.trials import all_trials, prepare
from bimodal_kernels.recipe import native_recipe
from bimodal_kernels.toolchain import CompileError, KernelUnavailableError

Progress = Callable[[str, int, int], None]
"""`progress(what, done, total)`."""

Proof = Callable[[Progress, Say], Outcome]


def run_proof(name: str, progress: Progress, say: Say) -> Outcome:
    """Run one of `PROOFS`; what cannot be done here is an outcome, too."""
    started = time.monotonic()
    try:
        outcome = PROOFS[name](progress, say)
    except CompileError as error:
        outcome = Outcome(name, (), faults=(str(error),))
    except KernelUnavailableError as error:
        outcome = Outcome(name, (), skipped=(str(error),))
    return replace(outcome, seconds=time.monotonic() - started)


def prove_native(progress: Progress, say: Say) -> Outcome:
    """The CPU kernels against float64 and torch, as compiled for use."""
    library = ensure_recipe(native_recipe(), say).path
    progress("CPU kernels", 0, 1)
    found = native.check_native(library)
    progress("CPU kernels", 1, 1)
    lines = [Line("cases, twice to the bit", str(found.cases), "")]
    for kind, error in found.errors.items():
        dtype = kind.split()[0]
        if kind.endswith("log_sum_exp"):
            lines.append(bounded(f"{kind}: error", error, native.LOG_SUM_EXP_TOLERANCE))
            continue
        lines.append(bounded(f"{kind}: error", error, native.TOLERANCE[dtype]))
        if kind in found.torch_errors:
            lines.append(bounded(f"{kind}: x torch's", error / found.torch_errors[kind], native.TORCH_FACTOR))
    progress("CPU kernels, sanitized", 0, 1)
    reports = native_driver.faults(native_driver.driver("sanitized", say=say), native_driver.problems())
    progress("CPU kernels, sanitized", 1, 1)
    lines.append(count("ASan and UBSan reports", len(reports)))
    return Outcome("native", tuple(lines), faults=(*found.faults, *reports))


def prove_on_emulator(progress: Progress, say: Say) -> Outcome:
    """Every case through the CUDA sources, compiled for the emulator three times."""
    trials = all_trials()
    reports: list[Report] = []

    def tell(report: Report) -> None:
        reports.append(report)
        progress("emulator", len(reports), len(trials))

    progress("emulator", 0, len(trials))
    check_trials(trials, say=say, progress=tell)
    total = sum((report.counters for report in reports), Counters())
    lines = [*(Line(f"cases, {op}", str(number), "") for op, number in Counter(trial.op for trial in trials).items())]
    for dtype, bar in TOLERANCE.items():
        of_dtype = [r for r, trial in zip(reports, trials, strict=True) if trial.case.dtype == dtype]
        outs, gradients = _errors(of_dtype, ("out",)), _errors(of_dtype, ("grad_query", "grad_key", "grad_value"))
        lines += [
            bounded(f"{dtype} out: error", max(error for error, _ in outs), bar),
            bounded(f"{dtype} out: x torch's", _times_torchs(outs), TORCH_FACTOR),
            # Their bar grows with the gradients of a case, which are sums: it is judged case by case.
            Line(f"{dtype} gradients: error", f"{max(error for error, _ in gradients):.2g}", ""),
            bounded(f"{dtype} gradients: x torch's", _times_torchs(gradients), TORCH_FACTOR),
        ]
    lse = max(report.errors.get("log_sum_exp", 0.0) for report in reports)
    lines += [
        bounded("log_sum_exp: error", lse, LOG_SUM_EXP_TOLERANCE),
        count("cases with any fault", sum(bool(report.faults) for report in reports)),
        count("races in shared memory", total.races),
        count("races in global memory", total.global_races),
        count("uninitialised reads", total.uninitialised),
        count("reads of unwaited copies", total.unwaited),
        count("misaligned accesses", total.misaligned),
        count("accesses out of bounds", total.out_of_bounds),
        count("bank conflicts", total.bank_conflicts),
        count("divergent operations", total.divergent),
        count("deadlocks", total.deadlocks + total.stuck),
        count("ASan and UBSan reports", sum(report.sanitizer_reports for report in reports)),
        Line("mma executed", str(total.mma), "> 0", total.mma > 0),
    ]
    faults = tuple(f"{report.name}: {fault}" for report in reports for fault in report.faults)
    return Outcome("emulator", tuple(lines), faults=faults)


def prove_in_interpreter(progress: Progress, say: Say) -> Outcome:
    """Every shipped instantiation as nvcc compiled it, counted against the emulator."""
    trials = interpreter_trials()
    done: list[str] = []

    def tell(what: object) -> None:
        done.append(str(what))
        progress("PTX interpreter", len(done), len(trials))

    progress("PTX interpreter", 0, len(trials))
    report = interpret_trials(trials, say=say, progress=tell)
    emulated = check_trials(trials, builds=("plain",), say=say)
    disagreeing = [
        f"{by_ptx.name}: the interpreter executes {by_ptx.mma} mma, the emulator {by_emulator.counters.mma}"
        for by_ptx, by_emulator in zip(report.interpretations, emulated, strict=True)
        if by_ptx.mma != by_emulator.counters.mma
    ]
    run = {kernel for found in report.interpretations for kernel in found.kernels}
    lines = (
        Line("instantiations run", f"{len(run)} of {len(run) + len(report.not_run)}", "all", not report.not_run),
        Line("warp instructions", str(sum(found.warp_instructions for found in report.interpretations)), ""),
        Line("mma executed", str(sum(found.mma for found in report.interpretations)), ""),
        count("mma counts unlike emulator's", len(disagreeing)),
        count("faults", len(report.faults)),
    )
    return Outcome("interpreter", lines, faults=(*report.faults, *disagreeing))


def prove_statically(progress: Progress, say: Say) -> Outcome:
    """Registers, spills, instructions and occupancy of the machine code."""
    progress("machine code", 0, 1)
    report = check_static(_block_shapes(say), say=say)
    progress("machine code", 1, 1)
    lines: list[Line] = []
    for architecture in dict.fromkeys(binary.architecture for binary in report.binaries):
        lines += _static_lines(f"sm_{architecture}", [b for b in report.binaries if b.architecture == architecture])
    skipped = tuple(f"{skip.proof}: {skip.reason}" for skip in report.skipped)
    return Outcome("machine code", tuple(lines), faults=tuple(report.faults), skipped=skipped)


PROOFS: Mapping[str, Proof] = MappingProxyType(
    {
        "native": prove_native,
        "emulator": prove_on_emulator,
        "interpreter": prove_in_interpreter,
        "static": prove_statically,
    }
)
"""In the order in which they run."""


def _errors(reports: list[Report], outputs: tuple[str, ...]) -> list[tuple[float, float | None]]:
    """Ours and torch's, of every output of every case."""
    return [(r.errors[output], r.torch_errors.get(output)) for r in reports for output in outputs if output in r.errors]


def _times_torchs(errors: list[tuple[float, float | None]]) -> float:
    """The worst case's error as a multiple of torch's; rounding that torch may lack by luck is forgiven."""
    return max(ours / (theirs + FP32_ROUNDING / TORCH_FACTOR) for ours, theirs in errors if theirs is not None)


def _block_shapes(say: Say) -> dict[KernelName, BlockShape]:
    program = recorder(say=say)
    shapes: dict[KernelName, BlockShape] = {}
    for trial in interpreter_trials():
        for step in record(program, prepare(trial).launch).launches:
            shapes[kernel_name(step.kernel)] = BlockShape(step.threads, step.shared_bytes)
    return shapes


def _static_lines(target: str, binaries: list[KernelBinary]) -> list[Line]:
    lines = [
        Line(f"{target}: kernels", str(len(binaries)), ""),
        Line(f"{target}: registers, most", str(max(binary.registers for binary in binaries)), "<= 255"),
        count(f"{target}: bytes spilled", sum(binary.spilled_bytes + binary.stack_bytes for binary in binaries)),
    ]
    tensor_core = [b.tensor_core_instructions for b in binaries if b.tensor_core_instructions is not None]
    if tensor_core:
        lines.append(Line(f"{target}: HMMA", str(sum(tensor_core)), "> 0", sum(tensor_core) > 0))
    local = [b.local_memory_instructions for b in binaries if b.local_memory_instructions is not None]
    if local:
        lines.append(count(f"{target}: local memory", sum(local)))
    occupancy = [b.blocks_per_multiprocessor for b in binaries if b.blocks_per_multiprocessor is not None]
    if occupancy:
        lines.append(Line(f"{target}: blocks per SM, fewest", str(min(occupancy)), ">= 1", min(occupancy) > 0))
    return lines
