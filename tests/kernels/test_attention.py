from dataclasses import replace

import jaxtyping
import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from bimodal_kernels import attention, sdpa
from bimodal_kernels.cases import EDGES, Case, Inputs, make_inputs, tagged
from bimodal_kernels.shapes import check_inputs

EVERYWHERE = ["sdpa", "reference"]
NAMED = {case.name: case for case in tagged("edge")}


def inputs(name: str, dtype: str = "float32") -> tuple[Tensor, Tensor, Tensor]:
    drawn = make_inputs(replace(NAMED[name], dtype=dtype))
    return drawn.query, drawn.key, drawn.value


def attend(case: Case, drawn: Inputs, backend: str) -> Tensor:
    return attention(
        drawn.query,
        drawn.key,
        drawn.value,
        key_padding_mask=drawn.key_padding_mask,
        causal=case.causal,
        backend=backend,
    )


def by_loops(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """The definition in float64, one query at a time, sharing no code with the backends."""
    query, key, value = query.double(), key.double(), value.double()
    batch, heads, queries, head_dim = query.shape
    groups, keys = heads // key.shape[1], key.shape[2]
    out = torch.zeros_like(query)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                seen = [
                    j for j in range(keys) if (mask is None or mask[b, j]) and (not causal or j <= i + keys - queries)
                ]
                if seen:
                    scores = key[b, h // groups, seen] @ query[b, h, i] / head_dim**0.5
                    out[b, h, i] = scores.softmax(0) @ value[b, h // groups, seen]
    return out


@pytest.mark.parametrize("backend", EVERYWHERE)
@pytest.mark.parametrize("case", EDGES, ids=lambda case: case.name)
def test_agrees_with_the_definition_in_float64(case, backend):
    drawn = make_inputs(case)
    expected = by_loops(drawn.query, drawn.key, drawn.value, drawn.key_padding_mask, case.causal)
    torch.testing.assert_close(attend(case, drawn, backend).double(), expected, atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize("case", EDGES, ids=lambda case: case.name)
def test_sdpa_and_reference_have_the_same_gradients(case):
    drawn = make_inputs(replace(case, dtype="float64"))
    gradients = []
    for backend in ("sdpa", "reference"):
        leaves = [tensor.requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]
        gradients.append(torch.autograd.grad(attend(case, drawn, backend), leaves, drawn.grad_out))
    for ours, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, reference, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("backend", EVERYWHERE)
def test_row_that_sees_nothing_gives_exactly_0_and_finite_gradients(backend):
    tensors = [tensor.requires_grad_() for tensor in inputs("square")]
    mask = torch.tensor([[True], [False]]).expand(2, 16)
    out = attention(*tensors, key_padding_mask=mask, causal=True, backend=backend)
    out.sum().backward()
    assert torch.equal(out[-1], torch.zeros_like(out[-1]))
    for tensor in tensors:
        assert tensor.grad.isfinite().all()
        assert not tensor.grad[-1].any()


@pytest.mark.parametrize(
    ("name", "causal", "masked"),
    [
        ("square", True, False),
        ("fewer queries", False, False),
        ("one query", True, False),
        ("fewer queries", True, True),
    ],
)
def test_sdpa_builds_a_mask_only_where_it_needs_one(monkeypatch, name, causal, masked):
    masks = []

    def spy(*args, attn_mask=None, **options):
        masks.append(attn_mask is not None)
        return scaled_dot_product_attention(*args, attn_mask=attn_mask, **options)

    monkeypatch.setattr(sdpa, "scaled_dot_product_attention", spy)
    attention(*inputs(name), causal=causal)
    assert masks == [masked]


@pytest.mark.parametrize("backend", EVERYWHERE)
def test_no_keys_give_0(backend):
    query = torch.ones(2, 2, 3, 4)
    empty = torch.ones(2, 2, 0, 4)
    assert torch.equal(attention(query, empty, empty, backend=backend), torch.zeros(2, 2, 3, 4))


@pytest.mark.parametrize("backend", EVERYWHERE)
@pytest.mark.parametrize("causal", [False, True])
def test_non_contiguous_inputs_give_the_same(causal, backend):
    packed = torch.randn(2, 9, 3, 4, 8, generator=torch.Generator().manual_seed(0))
    views = packed.permute(2, 0, 3, 1, 4).unbind()
    copies = [view.contiguous() for view in views]
    assert not views[0].is_contiguous()
    torch.testing.assert_close(
        attention(*views, causal=causal, backend=backend),
        attention(*copies, causal=causal, backend=backend),
        atol=1e-6,
        rtol=1e-6,
    )


@pytest.mark.parametrize("backend", EVERYWHERE)
def test_scale_replaces_the_default(backend):
    query, key, value = inputs("square")
    torch.testing.assert_close(
        attention(query, key, value, scale=0.5, backend=backend),
        attention(query * 0.5 * 8.0, key, value, backend=backend),  # head_dim 64: the default is 1 / 8
        atol=1e-6,
        rtol=1e-5,
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2e-3), ("bfloat16", 1.6e-2)])
@pytest.mark.parametrize("backend", EVERYWHERE)
def test_half_precision_stays_within_its_error_budget(dtype, tolerance, backend):
    query, key, value = inputs("square", dtype)
    out = attention(query, key, value, causal=True, backend=backend)
    assert out.dtype == query.dtype
    torch.testing.assert_close(
        out.double(), by_loops(query, key, value, None, causal=True), atol=tolerance, rtol=tolerance
    )


@pytest.mark.parametrize(
    ("query", "key", "value", "message"),
    [
        (
            (2, 4, 5),
            (2, 4, 5, 8),
            (2, 4, 5, 8),
            r"as \[batch, heads, position, head_dim\]; got query \[2, 4, 5\]",
        ),
        ((2, 4, 5, 8), (2, 4, 5, 8), (2, 4, 6, 8), r"key and value of one shape; got .*value \[2, 4, 6, 8\]"),
        ((2, 4, 5, 8), (3, 4, 5, 8), (3, 4, 5, 8), r"one batch and one head_dim .* key \[3, 4, 5, 8\]"),
        ((2, 4, 5, 8), (2, 4, 5, 9), (2, 4, 5, 9), r"one batch and one head_dim .* key \[2, 4, 5, 9\]"),
        ((2, 4, 5, 8), (2, 3, 5, 8), (2, 3, 5, 8), r"query heads \(4\) .* multiple of .*key heads \(3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(query, key, value, message):
    with pytest.raises(ValueError, match=message):
        check_inputs(torch.zeros(query), torch.zeros(key), torch.zeros(value), None)


def test_dtypes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"one dtype; got query torch.float32, key torch.float64"):
        check_inputs(torch.zeros(1, 1, 1, 1), *torch.zeros(2, 1, 1, 1, 1, dtype=torch.float64), None)


@pytest.mark.parametrize("mask", [torch.ones(2, 6, dtype=torch.bool), torch.ones(2, 5)])
def test_mask_of_another_shape_or_dtype_is_refused(mask):
    with pytest.raises(ValueError, match=r"bool key_padding_mask \[batch, key\] = \[2, 5\], True = keep; got"):
        check_inputs(*torch.zeros(3, 2, 4, 5, 8), mask)


def test_the_door_checks_its_inputs():
    with pytest.raises(ValueError, match=r"query heads \(4\)"):
        attention(torch.zeros(2, 4, 5, 8), *torch.zeros(2, 2, 3, 5, 8))


def test_the_door_carries_shape_annotations():
    with pytest.raises(jaxtyping.TypeCheckError, match="key"):
        attention(torch.zeros(2, 4, 5, 8), *torch.zeros(2, 3, 4, 5, 8))


def test_unknown_backend_is_refused():
    with pytest.raises(ValueError, match=r"Kernel 'flash' is not a backend: cuda, native, sdpa, reference"):
        attention(*torch.zeros(3, 1, 1, 1, 1), backend="flash")
