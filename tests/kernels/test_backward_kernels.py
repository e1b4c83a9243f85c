"""What the CUDA backward kernels promise beyond small errors (test_emulator.py has those), on the emulator."""

from dataclasses import replace

import pytest
import torch

from bimodal_kernels.cases import Case
from bimodal_kernels.check.emulate import Run, run_program
from bimodal_kernels.check.emulator_build import emulator
from bimodal_kernels.check.emulator_file import Launch
from bimodal_kernels.check.trials import Trial, prepare

MASKED = Case("masked", 2, 2, 1, 20, 40, 64, True, "empty row", "float16")
BLIND = Case("blind", 1, 1, 1, 40, 20, 64, True, "none", "bfloat16")
GRADIENTS = ("grad_query", "grad_key", "grad_value")


@pytest.fixture(scope="session")
def program(compiler):
    return emulator("plain")  # sources that do not compile are a failure, not a reason to skip


def launch_of(case: Case) -> Launch:
    return prepare(Trial(case, "backward")).launch


def clean(run: Run) -> Run:
    assert run.counters.bugs() == {}
    return run


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.contiguous().view(torch.int16), b.contiguous().view(torch.int16))


def test_padded_keys_get_a_gradient_of_exactly_zero(program):
    launch = launch_of(MASKED)
    found = clean(run_program(program, launch)).outputs
    hidden = ~launch.inputs["mask"][:, None, :, None].expand_as(found["grad_key"])
    assert hidden.any()
    assert not found["grad_key"][hidden].any()
    assert not found["grad_value"][hidden].any()


def test_queries_that_see_nothing_get_a_gradient_of_exactly_zero(program):
    found = clean(run_program(program, launch_of(BLIND))).outputs["grad_query"]
    assert not found[:, :, :20].any()  # causal, 20 keys for 40 queries: the first 20 see none
    assert found[:, :, 20:].any()


def test_no_queries_leave_no_gradient(program):
    launch = launch_of(MASKED)
    empty = replace(launch, settings={**launch.settings, "queries": 0})
    found = clean(run_program(program, empty)).outputs
    assert not found["grad_key"].any()
    assert not found["grad_value"].any()


def test_expanded_gradient_is_read_with_its_stride_of_zero(program):
    launch = launch_of(BLIND)
    row = launch.inputs["grad_out"][:, :, :1]
    by_stride, copied = (
        clean(run_program(program, replace(launch, inputs={**launch.inputs, "grad_out": grad}))).outputs
        for grad in (row.expand(-1, -1, 40, -1), row.expand(-1, -1, 40, -1).contiguous())
    )
    assert all(same_bits(by_stride[name], copied[name]) for name in GRADIENTS)


def test_heads_of_a_group_are_summed_in_their_order(program):
    """The second run has the group's heads swapped: the same terms in another order, so only rounding may differ."""
    launch = launch_of(MASKED)
    swapped = {
        name: tensor.flip(1) if tensor.shape[1:2] == (MASKED.heads,) else tensor
        for name, tensor in launch.inputs.items()
    }
    first, second = (
        clean(run_program(program, replace(launch, inputs=inputs))).outputs for inputs in (launch.inputs, swapped)
    )
    assert same_bits(first["grad_query"], second["grad_query"].flip(1))
    torch.testing.assert_close(first["grad_key"], second["grad_key"], atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(first["grad_value"], second["grad_value"], atol=2e-3, rtol=1e-3)


def test_misaligned_gradient_is_refused(program):
    launch = launch_of(BLIND)
    odd = torch.zeros(1, 1, 40, 68, dtype=torch.bfloat16)[..., :64]  # rows of 136 bytes
    refused = run_program(program, replace(launch, inputs={**launch.inputs, "grad_out": odd}))
    assert refused.counters.error == 716  # cudaErrorMisalignedAddress
