"""Weights rounded to int8: how far off they are, and that everything reads them alike."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bimodal_models import gpt, multimodal
from bimodal_models.blocks.int8 import Int8Embedding, Int8Linear, quantised


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def layer(inputs: int = 32, outputs: int = 7, *, bias: bool = True) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        linear.weight.copy_(drawn(outputs, inputs))
    return linear


def widened(int8: Int8Linear) -> torch.Tensor:
    return int8.weight * int8.scale[:, None]


def test_no_weight_is_off_by_more_than_half_a_step_of_its_output():
    weight = drawn(50, 40) * torch.logspace(-3, 3, 50)[:, None]
    steps, scale = quantised(weight)
    assert ((steps * scale[:, None] - weight).abs() <= 0.5001 * scale[:, None]).all()
    assert (steps.abs().amax(dim=1) == 127).all()


def test_an_output_of_zeros_stays_zero():
    steps, scale = quantised(torch.zeros(2, 16))
    assert (steps * scale[:, None]).eq(0).all()


@pytest.mark.parametrize("inputs", [32, 20])  # the native kernel serves one of them
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_computes_with_its_rounded_weights(inputs, bias):
    linear = layer(inputs, bias=bias)
    int8, x = Int8Linear(linear), drawn(2, 3, inputs)
    torch.testing.assert_close(int8(x), F.linear(x, widened(int8), linear.bias), atol=1e-5, rtol=1e-5)


def test_a_layer_computes_in_the_dtype_of_its_input():
    int8, x = Int8Linear(layer(bias=False)), drawn(3, 32)
    found = int8(x.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), int8(x), atol=0.2, rtol=0.02)


def test_an_embedding_looks_up_rounded_rows():
    embedding = nn.Embedding(9, 16)
    int8, tokens = Int8Embedding(embedding), torch.tensor([[3, 0], [8, 3]])
    assert int8(tokens).shape == (2, 2, 16)
    torch.testing.assert_close(int8(tokens), embedding(tokens), atol=0.5 * float(int8.scale.max()) + 1e-6, rtol=0)


def test_every_linear_layer_of_the_decoder_and_its_head_are_rounded_and_nothing_else(tiny, make):
    model = multimodal.build(tiny, vocab_size=make.vocab_size, kernel="sdpa", modalities=("image", "audio"))
    before = copy.deepcopy(model)
    multimodal.quantise(model)
    left = [name for name, module in model.decoder.named_modules() if type(module) is nn.Linear]
    assert left == []
    assert isinstance(model.decoder.token_embedding, Int8Embedding)
    assert isinstance(model.decoder.blocks[0].cross.attention.query_proj, Int8Linear)
    rest = {name: weight for name, weight in model.named_parameters() if not name.startswith("decoder.")}
    assert rest
    for name, weight in rest.items():
        assert torch.equal(weight, before.get_parameter(name))


@torch.no_grad()
@pytest.mark.parametrize("kernel", ["sdpa", "native"])
def test_a_rounded_model_computes_nearly_what_it_did(tiny, make, kernel):
    model = make.shaken(gpt.build(tiny, vocab_size=make.vocab_size, kernel=kernel))
    batch = make.batch(())
    before = model.logits(model.hidden(batch.tokens))
    gpt.quantise(model)
    after = model.logits(model.hidden(batch.tokens))
    assert not torch.equal(before, after)
    assert (after - before).norm() < 0.05 * before.norm()


@torch.no_grad()
def test_a_rounded_model_is_stored_and_loaded_as_any_other(tiny, make):
    model = make.shaken(gpt.build(tiny, vocab_size=make.vocab_size, kernel="sdpa"))
    other = gpt.build(tiny, vocab_size=make.vocab_size, kernel="sdpa").eval()
    for each in (model, other):
        gpt.quantise(each)
    other.load_state_dict(model.state_dict())
    tokens = make.batch(()).tokens
    assert torch.equal(other.hidden(tokens), model.hidden(tokens))


def test_a_tagging_head_stays_as_it_is(tiny, make):
    model = gpt.build(tiny, vocab_size=make.vocab_size, kernel="sdpa", num_tags=3)
    gpt.quantise(model)
    assert type(model.tag_head) is nn.Linear
