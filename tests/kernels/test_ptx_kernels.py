"""The shipped CUDA kernels in the PTX interpreter: nvcc's own device code, checked against float64."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from bimodal_kernels.cases import Case
from bimodal_kernels.check.device_code import kernel_name
from bimodal_kernels.check.emulate import run_program
from bimodal_kernels.check.emulator_build import emulator
from bimodal_kernels.check.interpret import compiled_kernels, interpret_trial, interpret_trials
from bimodal_kernels.check.launches import record, recorder
from bimodal_kernels.check.ptx import Kernel
from bimodal_kernels.check.trials import Trial, all_trials, prepare
from bimodal_kernels.toolchain import KernelUnavailableError, find_cuda

SMALL = Case("holes, causal", 1, 2, 1, 37, 75, 64, True, "holes", "bfloat16")


class Compiled(NamedTuple):
    kernels: Mapping[str, Kernel]
    recorder: Path
    emulator: Path


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    try:
        find_cuda()
    except KernelUnavailableError as missing:
        pytest.skip(str(missing))
    return Compiled(compiled_kernels(), recorder(), emulator("plain"))  # what does not compile is a failure


@pytest.mark.parametrize("op", ["forward", "backward"])
def test_nvccs_code_is_right(compiled, op):
    found = interpret_trial(Trial(SMALL, op), compiled.kernels, compiled.recorder)
    assert found.faults == ()


@pytest.mark.parametrize("op", ["forward", "backward"])
def test_interpreter_and_emulator_count_the_same_mma(compiled, op):
    trial = Trial(SMALL, op)
    found = interpret_trial(trial, compiled.kernels, compiled.recorder)
    assert found.mma == run_program(compiled.emulator, prepare(trial).launch).counters.mma > 0


def test_decode_by_nvcc_is_right(compiled):
    case = Case("decode", 2, 4, 2, 1, 150, 128, False, "ragged", "float16")
    assert interpret_trial(Trial(case, "decode", splits=2), compiled.kernels, compiled.recorder).faults == ()


def test_every_combination_is_compiled(compiled):
    names = {kernel_name(mangled) for mangled in compiled.kernels}
    combinations = list(product(("half", "bfloat16"), (64, 128), (False, True)))
    for base in ("forward_kernel", "query_grad_kernel", "key_value_grad_kernel"):
        found = {(name.format, name.head_dim, name.causal) for name in names if name.base == base}
        assert sorted(found) == sorted(combinations)


def test_recorder_writes_down_what_the_launcher_asks_for(compiled):
    call = record(compiled.recorder, prepare(Trial(SMALL, "backward")).launch)
    assert [kernel_name(step.kernel).base for step in call.launches] == [
        "row_dot_kernel",
        "key_value_grad_kernel",
        "query_grad_kernel",
    ]
    key_value = call.launches[1]
    assert key_value.grid == (1, SMALL.kv_heads, SMALL.batch)
    assert key_value.threads == 128


def test_refused_call_is_no_empty_recording(compiled):
    launch = prepare(Trial(SMALL, "forward")).launch
    launch.settings["scale"] = -1.0
    with pytest.raises(ValueError, match="refused"):
        record(compiled.recorder, launch)


@pytest.mark.slow
def test_every_shipped_kernel_is_right_on_every_case(compiled):
    report = interpret_trials(all_trials())
    assert report.interpretations
    assert [fault for fault in report.faults if not fault.endswith("never ran")] == []
