"""The compiled ops as torch sees them, on the CPU library."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bimodal_kernels import attention, attention_decode, fallbacks, loader, reference
from bimodal_kernels.cases import EDGES, Case, make_inputs, tagged
from bimodal_kernels.shapes import check_decode_inputs

pytestmark = pytest.mark.skipif(loader.obstacle("native") is not None, reason="the CPU library cannot be had")

forward_op = torch.ops.bimodal.attention_forward.default
backward_op = torch.ops.bimodal.attention_backward.default
decode_op = torch.ops.bimodal.attention_decode.default

CASE = Case("ops", 2, 4, 2, 7, 11, 16, causal=True, mask="empty row")
DECODE = Case("ops, decode", 3, 4, 2, 1, 11, 16, mask="empty row")


def leaves(case: Case) -> list[Tensor]:
    drawn = make_inputs(case)
    return [tensor.requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]


# opcheck looks at the gradients of tensors that are no leaves, which torch warns of.
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_opcheck_forward():
    mask = make_inputs(CASE).key_padding_mask
    torch.library.opcheck(forward_op, (*leaves(CASE), mask, True, 0.25))
    torch.library.opcheck(forward_op, (*leaves(CASE), None, False, 0.25))


def test_opcheck_backward():
    drawn = make_inputs(CASE)
    tensors = (drawn.query, drawn.key, drawn.value)
    out, log_sum_exp = forward_op(*tensors, drawn.key_padding_mask, True, 0.25)
    arguments = (drawn.grad_out, *tensors, out, log_sum_exp, drawn.key_padding_mask, True, 0.25)
    torch.library.opcheck(backward_op, arguments)


def test_opcheck_decode():
    drawn = make_inputs(DECODE)
    torch.library.opcheck(decode_op, (drawn.query, drawn.key, drawn.value, drawn.lengths, 0.25))


def native(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return attention(query, key, value, key_padding_mask=mask, causal=True, backend="native")


COMPILE = """
import torch
from bimodal_kernels import attention, attention_decode
from bimodal_kernels.cases import Case, make_inputs

drawn = make_inputs(Case("compiled", 2, 4, 2, 7, 11, 16, causal=True, mask="empty row"))

def step(query, key, value):
    out = attention(query * 2.0, key, value, key_padding_mask=drawn.key_padding_mask, causal=True, backend="native")
    return out.square().sum()

results = []
for call in (step, torch.compile(step, fullgraph=True), torch.compile(step, fullgraph=True, backend="aot_eager")):
    leaves = [tensor.detach().requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]
    results.append(torch.autograd.grad(call(*leaves), leaves))
for other in results[1:]:
    for ours, theirs in zip(results[0], other, strict=True):
        torch.testing.assert_close(ours, theirs)

query, lengths = drawn.query[:, :, :1], torch.tensor([11, 4])

def decode(query, lengths):
    return attention_decode(query, drawn.key, drawn.value, lengths, backend="native")

assert torch.equal(decode(query, lengths), torch.compile(decode, fullgraph=True, backend="aot_eager")(query, lengths))
"""


def test_compiles_into_one_graph_and_computes_the_same():
    # In a process without the run-time checks of shapes, which torch.compile cannot trace.
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", COMPILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_inputs_give_the_same_bits(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        case = Case("bits", 2, 3, 3, 150, 170, 64, causal=True, mask="holes")
        drawn = make_inputs(case)
        runs = []
        for _ in range(3):
            tensors = [t.detach().requires_grad_() for t in (drawn.query, drawn.key, drawn.value)]
            out = native(*tensors, drawn.key_padding_mask)
            runs.append((out, *torch.autograd.grad(out, tensors, drawn.grad_out)))
    finally:
        torch.set_num_threads(before)
    for run in runs[1:]:
        assert all(torch.equal(first, other) for first, other in zip(runs[0], run, strict=True))


@pytest.mark.parametrize("case", [c for c in EDGES if c.head_dim <= 16 and c.keys < 100], ids=lambda case: case.name)
def test_gradients_agree_with_a_reference_that_passes_gradcheck(case):
    exact = make_inputs(replace(case, dtype="float64"))
    wide = [tensor.requires_grad_() for tensor in (exact.query, exact.key, exact.value)]
    out = reference.forward(*wide, exact.key_padding_mask, case.causal, exact.scale)
    wanted = torch.autograd.grad(out, wide, exact.grad_out)
    narrow = [tensor.detach().float().requires_grad_() for tensor in wide]
    out = attention(*narrow, key_padding_mask=exact.key_padding_mask, causal=case.causal, backend="native")
    for ours, theirs in zip(torch.autograd.grad(out, narrow, exact.grad_out.float()), wanted, strict=True):
        torch.testing.assert_close(ours.double(), theirs, atol=1e-5, rtol=1e-5)


def test_gradients_with_stride_0_are_taken():
    tensors = leaves(CASE)
    native(*tensors).sum().backward()  # the gradient of a sum is one number, expanded
    expected = leaves(CASE)
    attention(*expected, causal=True, backend="reference").sum().backward()
    for ours, theirs in zip(tensors, expected, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)


def test_second_derivatives_are_refused_not_wrong():
    tensors = leaves(CASE)
    (grad,) = torch.autograd.grad(native(*tensors).square().sum(), tensors[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_autocast_chooses_the_dtype_once_and_again():
    tensors = leaves(CASE)
    with torch.autocast("cpu", torch.bfloat16):
        first = native(*tensors)
        second = native(first, *tensors[1:])  # bf16 and fp32 meet
        raw, _ = forward_op(*tensors, None, True, 0.25)
    assert (first.dtype, second.dtype, raw.dtype) == (torch.bfloat16,) * 3
    second.float().sum().backward()
    assert tensors[0].grad.dtype == torch.float32


@pytest.mark.parametrize("case", [c for c in tagged("decode") if c.dtype == "float32" and "timed" not in c.tags])
@pytest.mark.parametrize("backend", ["native", "sdpa", "reference"])
def test_decoding_is_attention_to_the_filled_slots(case, backend):
    drawn = make_inputs(case)
    key, value = drawn.key.nan_to_num(), drawn.value.nan_to_num()
    found = attention_decode(drawn.query, key, value, drawn.lengths, backend=backend)
    expected = reference.forward(drawn.query, key, value, drawn.key_padding_mask, False, drawn.scale)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=2e-6)


def test_native_reads_no_slot_beyond_a_rows_length():
    drawn = make_inputs(DECODE)
    expected = decode_op(drawn.query, drawn.key, drawn.value, drawn.lengths, 0.25)
    beyond = ~drawn.key_padding_mask[:, None, :, None]
    key, value = (tensor.masked_fill(beyond, torch.nan) for tensor in (drawn.key, drawn.value))
    assert torch.equal(decode_op(drawn.query, key, value, drawn.lengths, 0.25), expected)


def test_decode_inputs_are_checked():
    drawn = make_inputs(DECODE)
    with pytest.raises(ValueError, match=r"int64 lengths \[batch\] = \[3\]; got torch.int32 \[3\]"):
        check_decode_inputs(drawn.query, drawn.key, drawn.value, drawn.lengths.int())
    with pytest.raises(ValueError, match=r"one query per row; got query \[3, 4, 2, 16\]"):
        check_decode_inputs(drawn.query.expand(3, 4, 2, 16), drawn.key, drawn.value, drawn.lengths)


def test_a_call_beyond_the_limits_runs_on_sdpa_and_is_counted():
    fallbacks.forget()
    tensors = [tensor.double() for tensor in leaves(CASE)]
    with pytest.warns(RuntimeWarning, match="native serves float32 and bfloat16, not float64; used sdpa"):
        out = native(*tensors)
    native(*tensors)  # counted, not warned of again
    torch.testing.assert_close(out, attention(*tensors, causal=True, backend="reference"))
    assert fallbacks.recorded() == {"native serves float32 and bfloat16, not float64; used sdpa": 2}
