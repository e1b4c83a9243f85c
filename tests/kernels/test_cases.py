import pytest
import torch

from bimodal_kernels import reference
from bimodal_kernels.cases import CASES, Case, make_inputs, tagged, truth


def by_name(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_names_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [case for case in CASES if "timed" not in case.tags], ids=lambda case: case.name)
def test_inputs_have_the_shape_dtype_and_layout_of_the_row(case):
    drawn = make_inputs(case)
    assert drawn.query.shape == (case.batch, case.heads, case.queries, case.head_dim)
    assert drawn.key.shape == drawn.value.shape == (case.batch, case.kv_heads, case.keys, case.head_dim)
    assert str(drawn.key.dtype) == f"torch.{case.dtype}"
    assert drawn.key.stride(-1) == 1
    copied = case.layout != "contiguous" and case.keys > 1
    assert drawn.key.is_contiguous() != copied or case.heads == case.batch == 1


def test_inputs_are_the_same_each_time_and_differ_between_rows():
    square, again = make_inputs(by_name("square")), make_inputs(by_name("square"))
    assert torch.equal(square.query, again.query)
    assert not torch.equal(square.query[0, 0, 0], make_inputs(by_name("one query")).query[0, 0, 0])


def test_mask_kinds():
    masks = {case.mask: make_inputs(case).key_padding_mask for case in by_name("primes").varied()}
    assert masks["none"] is None
    assert not masks["empty row"][-1].any()
    assert 0 < masks["holes"].sum() < masks["holes"].numel()
    ragged = masks["ragged"].int()
    assert (ragged.diff(dim=1) <= 0).all()


def test_decode_rows_have_one_query_and_keep_a_prefix():
    for case in tagged("decode"):
        assert case.queries == 1
        assert case.mask != "holes"


def test_slots_past_a_row_of_a_sliced_cache_are_poisoned():
    drawn = make_inputs(by_name("sliced, wide head"))
    storage = torch.as_strided(drawn.key, (1, 2, 140, 128), drawn.key.stride())
    assert storage[:, :, 70:].isnan().all()


def test_visible_pairs_count_what_the_causal_rule_leaves():
    case = Case("counted", 1, 1, 1, queries=4, keys=3, head_dim=1, causal=True)
    assert case.visible_pairs() == 0 + 1 + 2 + 3
    assert case.forward_flops() == 4 * 6


def test_truth_holds_log_sum_exp_and_gradients():
    case = Case("hand", 1, 1, 1, queries=1, keys=2, head_dim=1, mask="empty row")
    drawn = make_inputs(case)
    facts = truth(case, drawn)
    assert facts.log_sum_exp.tolist() == [[[-torch.inf]]]
    assert not any(grad.any() for grad in facts.grads)
    case = Case("hand", 1, 1, 1, queries=1, keys=2, head_dim=1)
    facts = truth(case, drawn := make_inputs(case))
    scores = (drawn.key.double() * drawn.query.double()).flatten()
    torch.testing.assert_close(facts.log_sum_exp.flatten(), scores.logsumexp(0, keepdim=True))
    torch.testing.assert_close(facts.grads[2].flatten(), scores.softmax(0) * drawn.grad_out.double().flatten())


def test_reference_passes_gradcheck():
    drawn = make_inputs(Case("checked", 2, 4, 2, 3, 5, 4, causal=True, mask="empty row", dtype="float64"))
    leaves = [tensor.requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]
    assert torch.autograd.gradcheck(
        lambda query, key, value: reference.forward(query, key, value, drawn.key_padding_mask, True, 0.5), leaves
    )
