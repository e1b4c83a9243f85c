"""The CUDA kernels on a GPU: the rows that the emulator runs. No GPU has run these tests yet."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bimodal_kernels import attention, attention_decode, loader
from bimodal_kernels.cases import Case, make_inputs, tagged, truth

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2}
ATTENTION = [case for case in tagged("cuda") if "decode" not in case.tags]
DECODE = [case for case in tagged("cuda") if "decode" in case.tags]


@pytest.fixture(autouse=True, scope="module")
def _kernels():
    if (reason := loader.obstacle("cuda")) is not None:
        pytest.fail(reason)  # with a GPU here, kernels that cannot be had are a fault


def run(case: Case, backend: str) -> tuple[Tensor, ...]:
    drawn = make_inputs(case, device="cuda")
    leaves = [tensor.detach().requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]
    out = attention(*leaves, key_padding_mask=drawn.key_padding_mask, causal=case.causal, backend=backend)
    return (out.detach(), *torch.autograd.grad(out, leaves, drawn.grad_out))


def error(got: Tensor, want: Tensor) -> float:
    return float((got.cpu().double() - want).abs().nan_to_num(nan=torch.inf).max())


@pytest.mark.parametrize("case", ATTENTION, ids=lambda case: case.name)
def test_errors_stay_within_their_budget_and_twice_torchs(case):
    facts = truth(case, make_inputs(case))
    for ours, theirs, want in zip(run(case, "cuda"), run(case, "sdpa"), (facts.out, *facts.grads), strict=True):
        size = max(1.0, float(want.abs().max()))
        assert error(ours, want) <= TOLERANCE[case.dtype] * size
        assert error(ours, want) <= 2 * error(theirs, want) + 2**-20


@pytest.mark.parametrize("case", DECODE, ids=lambda case: case.name)
def test_decoding_stays_within_its_budget(case):
    drawn = make_inputs(case, device="cuda")
    out = attention_decode(drawn.query, drawn.key, drawn.value, drawn.lengths, backend="cuda")
    assert error(out, truth(case, make_inputs(case)).out) <= TOLERANCE[case.dtype]


def test_the_same_inputs_give_the_same_bits():
    case = Case("bits", 2, 6, 2, 300, 411, 64, causal=True, mask="holes", dtype="bfloat16")
    first, second = run(case, "cuda"), run(case, "cuda")
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_current_stream_is_used():
    case = replace(ATTENTION[0], name="stream")
    drawn, stream = make_inputs(case, device="cuda"), torch.cuda.Stream()
    expected = run(case, "cuda")[0]
    with torch.cuda.stream(stream):
        torch.cuda._sleep(10_000_000)  # type: ignore[no-untyped-call]
        query = drawn.query * 1.0  # queued behind the pause: a kernel on another stream would read garbage
        out = attention(query, drawn.key, drawn.value, causal=case.causal, backend="cuda")
    stream.synchronize()
    assert torch.equal(out, expected)


def test_tensors_that_are_not_aligned_are_copied():
    case = Case("misaligned", 1, 2, 2, 33, 47, 64, dtype="float16")
    drawn = make_inputs(case, device="cuda")
    storage = torch.empty(drawn.query.numel() + 1, dtype=torch.float16, device="cuda")
    query = storage[1:].view_as(drawn.query).copy_(drawn.query)
    assert query.data_ptr() % 16
    aligned = attention(drawn.query, drawn.key, drawn.value, backend="cuda")
    assert torch.equal(attention(query, drawn.key, drawn.value, backend="cuda"), aligned)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_a_device_that_is_not_the_current_one():
    case = ATTENTION[0]
    drawn = make_inputs(case, device="cuda:1")
    out = attention(drawn.query, drawn.key, drawn.value, causal=case.causal, backend="cuda")
    assert out.device == torch.device("cuda:1")
    assert torch.equal(out.cpu(), run(case, "cuda")[0].cpu())
