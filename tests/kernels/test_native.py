"""The C++ kernels for CPUs against float64: the cases of `cases.py`, and some around their block sizes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from bimodal_kernels import attention, ops
from bimodal_kernels.cases import EDGES, Case, Inputs, Truth, make_inputs, tagged, truth

forward_op = torch.ops.bimodal.attention_forward.default
backward_op = torch.ops.bimodal.attention_backward.default

# Blocks are 48 queries by 96 keys (64 backward) of vectors of up to 16; widths 64 and 128 have code of their own.
# From 160 positions on (256 backward) a matrix unit takes over where there is one, in squares of 32 by 32.
BLOCKS = (
    Case("one vector and one query", 1, 2, 2, 17, 17, 64, causal=True),
    Case("whole blocks", 1, 1, 1, 96, 192, 64, causal=True),
    Case("ragged blocks", 1, 2, 2, 101, 263, 64, causal=True, mask="holes"),
    Case("more queries than keys", 1, 2, 2, 263, 101, 64, causal=True),
    Case("patches", 1, 2, 2, 197, 197, 64),
    Case("grouped blocks", 2, 6, 2, 71, 150, 64, causal=True, mask="ragged"),
    Case("wide, ragged", 1, 2, 1, 50, 130, 128, causal=True, mask="holes"),
    Case("width of its own", 1, 2, 2, 50, 130, 80),
    Case("odd width", 1, 2, 1, 50, 130, 37, causal=True, mask="empty row"),
    Case("few queries, many keys", 1, 6, 2, 4, 1111, 64, causal=True, mask="holes"),
    Case("five queries", 1, 6, 2, 5, 333, 64, causal=True, mask="holes"),
    Case("long, holes", 1, 4, 2, 259, 300, 64, causal=True, mask="holes", layout="positions first"),
    Case("long, fewer keys", 2, 2, 2, 290, 259, 32, causal=True, mask="empty row"),
    Case("long, wide", 2, 2, 1, 256, 289, 128, mask="ragged"),
)


pytestmark = pytest.mark.usefixtures("native_kernels")


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def run(case: Case, drawn: Inputs) -> Truth:
    arguments = (drawn.key_padding_mask, case.causal, drawn.scale)
    out, log_sum_exp = forward_op(drawn.query, drawn.key, drawn.value, *arguments)
    grads = backward_op(drawn.grad_out, drawn.query, drawn.key, drawn.value, out, log_sum_exp, *arguments)
    return Truth(out, log_sum_exp, grads)


def torchs_own(case: Case, drawn: Inputs) -> list[Tensor]:
    leaves = [tensor.detach().requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]
    out = attention(*leaves, key_padding_mask=drawn.key_padding_mask, causal=case.causal, backend="sdpa")
    return [out.detach(), *torch.autograd.grad(out, leaves, drawn.grad_out)]


def largest_error(ours: Tensor, exact: Tensor) -> float:
    """Relative to the tensor's largest element, or absolute if that is below 1."""
    return ((ours.double() - exact).abs().max() / exact.abs().max().clamp_min(1)).item()


@pytest.mark.parametrize("case", [*EDGES, *BLOCKS], ids=lambda case: case.name)
def test_agrees_with_float64(case):
    check_against_float64(case)


@pytest.mark.parametrize("case", BLOCKS, ids=lambda case: case.name)
def test_heads_cut_into_parts_for_several_threads_agree_with_float64(case, three_threads):
    check_against_float64(case)


def check_against_float64(case: Case) -> None:
    drawn = make_inputs(case)
    ours, exact = run(case, drawn), truth(case, drawn)
    for got, want in zip((ours.out, *ours.grads), (exact.out, *exact.grads), strict=True):
        assert got.isfinite().all()
        assert largest_error(got, want) <= 2e-6
    torch.testing.assert_close(ours.log_sum_exp.double(), exact.log_sum_exp, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("case", [*BLOCKS[::2], *tagged("edge")], ids=lambda case: case.name)
def test_bfloat16_stays_within_its_error_budget(case):
    case = replace(case, dtype="bfloat16")
    drawn = make_inputs(case)
    ours, exact = run(case, drawn), truth(case, drawn)
    for got, want in zip((ours.out, *ours.grads), (exact.out, *exact.grads), strict=True):
        assert got.dtype == torch.bfloat16
        assert largest_error(got.float(), want) <= 1.6e-2


def test_error_is_at_most_twice_torchs_own():
    # Root mean squares per tensor, and the largest element over all cases: the largest of one small tensor is luck.
    worst = torch.zeros(2, 4, dtype=torch.float64)
    for case in BLOCKS:
        drawn = make_inputs(case)
        ours, theirs, exact = run(case, drawn), torchs_own(case, drawn), truth(case, drawn)
        for i, (got, own, want) in enumerate(
            zip((ours.out, *ours.grads), theirs, (exact.out, *exact.grads), strict=True)
        ):
            error, own_error = (got - want), (own - want)
            assert error.square().mean().sqrt() <= 2 * own_error.square().mean().sqrt(), (case.name, i)
            worst[:, i] = torch.maximum(worst[:, i], torch.stack([error.abs().max(), own_error.abs().max()]))
    assert (worst[0] <= 2 * worst[1]).all()


@pytest.mark.parametrize("case", BLOCKS, ids=lambda case: case.name)
def test_repeats_to_the_bit(case, three_threads):
    drawn = make_inputs(case)
    first, second = run(case, drawn), run(case, drawn)
    for one, other in zip(
        (first.out, first.log_sum_exp, *first.grads), (second.out, second.log_sum_exp, *second.grads), strict=True
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize("loud", [4, 30, -30])
@pytest.mark.parametrize("queries", [3, 70, 170])
def test_scores_far_from_0_are_weighed_by_a_reference_near_their_maximum(queries, loud):
    # Every score of a row has about the same large size: far above what 2^x can hold, or far below.
    draw = torch.Generator().manual_seed(1)
    key = torch.randn(1, 2, 300, 64, generator=draw) + 4
    query = torch.randn(1, 2, queries, 64, generator=draw) + loud
    value = torch.randn(1, 2, 300, 64, generator=draw)
    out, log_sum_exp = forward_op(query, key, value, None, False, 0.125)
    scores = query.double() @ key.double().mT * 0.125
    torch.testing.assert_close(log_sum_exp.double(), scores.logsumexp(-1), atol=0, rtol=1e-6)
    own = scaled_dot_product_attention(query, key, value).double()
    exact = scores.softmax(-1) @ value.double()
    assert (out - exact).square().mean() <= 4 * (own - exact).square().mean()


@pytest.mark.parametrize(("queries", "head_dim"), [(20, 16), (170, 32)])
def test_maximum_that_grows_from_block_to_block_rescales_what_was_summed(queries, head_dim):
    key = torch.arange(400.0).reshape(1, 1, 400, 1).expand(1, 1, 400, head_dim) / head_dim  # score of key j: j
    value = torch.randn(1, 1, 400, head_dim, generator=torch.Generator().manual_seed(0))
    query = torch.ones(1, 1, queries, head_dim)
    for sign in (1.0, -1.0):
        out, log_sum_exp = forward_op(query * sign, key, value, None, False, 1.0)
        scores = sign * torch.arange(400.0).double().expand(queries, 400)
        # Scores of 400 are 577 in base 2, whose last bit is worth 6e-5.
        torch.testing.assert_close(out[0, 0].double(), scores.softmax(-1) @ value[0, 0].double(), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(log_sum_exp[0, 0].double(), scores.logsumexp(-1), atol=1e-6, rtol=1e-6)


def test_query_that_sees_nothing_gives_0_and_minus_infinity_and_no_gradients():
    case = Case("", 2, 2, 2, 20, 9, 64, causal=True, mask="empty row")  # the first 11 queries come before every key
    ours = run(case, make_inputs(case))
    assert not ours.out[1].any()
    assert not ours.out[:, :, :11].any()
    assert (ours.log_sum_exp[1] == -torch.inf).all()
    assert (ours.log_sum_exp[0, :, :11] == -torch.inf).all()
    assert ours.log_sum_exp[0, :, 11:].isfinite().all()
    assert not any(grad[1].any() for grad in ours.grads)
    assert not ours.grads[0][:, :, :11].any()


def test_gradient_that_is_one_number_everywhere_needs_no_copy():
    case = Case("", 2, 4, 2, 30, 50, 64)
    drawn = make_inputs(case)
    row = torch.randn(64, generator=torch.Generator().manual_seed(0))
    repeated = row.expand(2, 4, 30, 64)
    assert repeated.stride() == (0, 0, 0, 1)
    as_view = run(case, replace(drawn, grad_out=repeated))
    as_copy = run(case, replace(drawn, grad_out=repeated.contiguous()))
    for one, other in zip(as_view.grads, as_copy.grads, strict=True):
        assert torch.equal(one, other)


def test_sum_of_the_output_can_be_differentiated():
    drawn = make_inputs(Case("", 1, 2, 2, 20, 20, 16))
    leaves = [tensor.requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]
    ours, reference = (
        torch.autograd.grad(attention(*leaves, backend=backend).sum(), leaves) for backend in ("native", "reference")
    )
    for one, other in zip(ours, reference, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", tagged("decode"), ids=lambda case: case.name)
def test_decoding_equals_attention_to_the_slots_in_use(case, dtype):
    case = replace(case, dtype=dtype)
    drawn = make_inputs(case)
    spoilt = [tensor.clone() for tensor in (drawn.key, drawn.value)]
    for tensor in spoilt:
        for row, length in enumerate(drawn.lengths.tolist()):
            tensor[row, :, length:] = torch.nan  # not to be read
    out = ops.decode(drawn.query, *spoilt, drawn.lengths, drawn.scale)
    exact = truth(case, drawn).out
    assert out.isfinite().all()
    assert largest_error(out.float(), exact) <= (2e-6 if dtype == "float32" else 1.6e-2)


def test_long_cache_of_few_heads_is_shared_out_among_threads(three_threads):
    case = Case("", 1, 4, 2, 1, 3000, 64, mask="ragged")
    drawn = make_inputs(case)
    out = ops.decode(drawn.query, drawn.key, drawn.value, drawn.lengths, drawn.scale)
    assert largest_error(out, truth(case, drawn).out) <= 2e-6
    assert torch.equal(out, ops.decode(drawn.query, drawn.key, drawn.value, drawn.lengths, drawn.scale))


def test_results_lie_in_memory_as_projections_want_them():
    case = Case("", 2, 3, 3, 10, 12, 64)
    ours = run(case, make_inputs(case))
    for tensor in (ours.out, *ours.grads):
        assert tensor.transpose(1, 2).is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_dtype_without_a_kernel_is_refused(dtype):
    tensor = torch.zeros(1, 1, 2, 16, dtype=dtype)
    with pytest.raises(RuntimeError, match="take float32 and bfloat16 tensors"):
        forward_op(tensor, tensor, tensor, None, False, 1.0)


def test_tensors_that_do_not_fit_are_refused():
    query, key = torch.zeros(1, 2, 3, 16), torch.zeros(1, 2, 4, 16)
    with pytest.raises(RuntimeError, match="do not fit together"):
        forward_op(query, key, torch.zeros(1, 2, 5, 16), None, False, 1.0)
    with pytest.raises(RuntimeError, match="contiguous bool key_padding_mask"):
        forward_op(query, key, key, torch.ones(1, 3, dtype=torch.bool), False, 1.0)
