"""The CPU kernels without torch. What the machine's own instruction set gives is tested in test_native.py."""

import platform
import subprocess

import pytest

from bimodal_kernels.check.native_driver import driver, faults, problems

SOME = problems()[::7]


pytestmark = pytest.mark.usefixtures("compiler")


def test_problems_cover_every_edge_in_both_dtypes_and_with_threads():
    assert len(problems()) > 400
    assert {line.split()[-1] for line in problems()} == {"1", "3"}
    assert {line.split()[-2] for line in problems()} == {"float32", "bfloat16"}


@pytest.mark.slow
def test_sanitizers_find_nothing():
    assert faults(driver("sanitized"), problems()) == ()


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="instruction sets of x86-64")
@pytest.mark.parametrize("march", ["x86-64-v3", "x86-64"])
def test_other_instruction_sets_give_the_right_answers(march):
    if march == "x86-64-v3" and "avx2" not in subprocess.run(["lscpu"], capture_output=True, text=True).stdout:
        pytest.skip("this machine has no AVX2")
    assert faults(driver("plain", march=march), SOME) == ()


def test_what_the_program_prints_is_reported(tmp_path):
    program = tmp_path / "driver"
    program.write_text("#!/bin/sh\ncat > /dev/null\necho 'out is off by 1 > 4e-06'\necho '1 problems'\nexit 1\n")
    program.chmod(0o755)
    assert faults(program, SOME[:1]) == ("out is off by 1 > 4e-06",)


def test_program_that_dies_is_reported_with_the_sanitizers_error(tmp_path):
    program = tmp_path / "driver"
    program.write_text("#!/bin/sh\ncat > /dev/null\necho '==1==ERROR: AddressSanitizer: overflow' >&2\nexit 134\n")
    program.chmod(0o755)
    assert faults(program, SOME[:1]) == ("driver ended with status 134: ==1==ERROR: AddressSanitizer: overflow",)


def test_program_that_skips_problems_is_not_taken_for_a_pass(tmp_path):
    program = tmp_path / "driver"
    program.write_text("#!/bin/sh\ncat > /dev/null\necho '1 problems'\n")
    program.chmod(0o755)
    assert faults(program, SOME[:2]) == ("driver ended with status 0: no report",)
