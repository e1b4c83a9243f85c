"""The decoder's step in one native call computes what goes layer by layer, or says why it does not serve."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from bimodal.generate import generate
from bimodal.schema import DecodeConfig
from bimodal_kernels import fallbacks, loader
from bimodal_kernels.toolchain import KernelUnavailableError, find_cxx
from bimodal_models import gpt, multimodal

BUILD = {"gpt": gpt.build, "multimodal": multimodal.build}
QUANTISE = {"gpt": gpt.quantise, "multimodal": multimodal.quantise}


@pytest.fixture(autouse=True, scope="module")
def _kernels():
    try:
        find_cxx()
    except KernelUnavailableError as missing:
        pytest.skip(str(missing))
    assert loader.obstacle("native") is None


@pytest.fixture(params=BUILD)
def name(request):
    return request.param


@pytest.fixture
def build(name, tiny, make):
    """A model with noise on its weights; with pictures and sound if it can use them, in one of two blocks if asked."""

    def build(**changes):
        torch.manual_seed(0)
        model = BUILD[name](
            tiny.model_copy(update=changes), vocab_size=make.vocab_size, kernel="native", modalities=("image", "audio")
        )
        return make.shaken(model)

    return build


def prefilled(model, batch, context, max_length=14):
    return model.prefill(batch.tokens, batch.lengths, max_length=max_length, context=context)


@torch.no_grad()
@pytest.mark.parametrize(
    "changes", [{}, {"num_heads": 1, "mlp_dim": 48}, {"cross_layers": (1,)}, {"positions": "rotary"}], ids=str
)
@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("weights", ["fp32", "int8"])
def test_gives_the_logits_of_the_layers_one_by_one(build, name, make, changes, rows, weights):
    model = build(**changes)
    if weights == "int8":
        QUANTISE[name](model)
    batch = make.batch(("image", "audio") if name == "multimodal" else (), rows=rows)
    context = model.encode(batch)
    _, cache = prefilled(model, batch, context)
    assert cache.step is not None
    layered = replace(cache.select(torch.arange(rows)), step=None)
    for token in range(5):
        tokens = (torch.arange(rows) + token) % make.vocab_size
        logits, cache = model.decode(tokens, cache, context=context)
        expected, layered = model.decode(tokens, layered, context=context)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_model_with_eyes_may_be_given_nothing_to_see(make, tiny):
    torch.manual_seed(0)
    model = make.shaken(multimodal.build(tiny, vocab_size=make.vocab_size, kernel="native", modalities=("image",)))
    batch = make.batch(())
    _, cache = prefilled(model, batch, None)
    layered = replace(cache.select(torch.arange(4)), step=None)
    tokens = torch.arange(4)
    torch.testing.assert_close(model.decode(tokens, cache)[0], model.decode(tokens, layered)[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("strategy", ["greedy", "sample", "beam"])
def test_writes_the_texts_that_the_layers_one_by_one_write(build, name, make, strategy, monkeypatch):
    model = build()
    batch = make.batch(("image", "audio") if name == "multimodal" else ())
    context = model.encode(batch)
    config = DecodeConfig(strategy=strategy, max_new_tokens=12)

    def write() -> list[list[int]]:
        generator = torch.Generator().manual_seed(3)
        return generate(
            model, batch.tokens, batch.lengths, context=context, config=config, end_token=0, generator=generator
        )

    native = write()
    monkeypatch.setattr(gpt, "native_step", lambda *_, **__: None)
    assert native[0] != native[1]
    assert native == write()


@torch.no_grad()
def test_keys_and_values_stay_where_they_are(build, make):
    model, batch = build(), make.batch(())
    logits, cache = prefilled(model, batch, None)
    _, longer = model.decode(logits.argmax(-1), cache)
    assert longer.keys.data_ptr() == cache.keys.data_ptr()
    assert longer.lengths.tolist() == (batch.lengths + 1).tolist()


def wrap_a_layer(model):
    class Scaled(nn.Linear):
        pass

    model.blocks[0].mlp.up = Scaled(16, 64)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (wrap_a_layer, "serves plain layers, not Scaled"),
        (lambda model: model.train(), "serves no dropout"),
        (lambda model: model.double(), "serves float32, not torch.float64"),
        (lambda model: model.final_norm.double(), "serves one dtype and device, not several"),
        (lambda model: model.blocks[1].mlp.register_forward_hook(lambda *_: None), "serves plain layers, not MLP"),
    ],
)
def test_what_the_step_does_not_serve_is_recorded(tiny, make, change, reason):
    from bimodal_models.blocks.decoder_step import native_step

    model = make.shaken(gpt.build(tiny, vocab_size=make.vocab_size, kernel="native"))
    change(model)
    fallbacks.forget()
    with pytest.warns(RuntimeWarning, match=reason):
        step = native_step(model.token_embedding, model.position_embedding, list(model.blocks), model.final_norm)
    assert step is None
    assert fallbacks.recorded() == {f"native decoder step {reason}; used one layer at a time": 1}
    fallbacks.forget()


def test_odd_widths_still_generate(make, tiny):
    model = gpt.build(tiny.model_copy(update={"embed_dim": 24}), vocab_size=make.vocab_size, kernel="native").eval()
    fallbacks.forget()
    with pytest.warns(RuntimeWarning, match="serves widths that are multiples of 16, not 24"):
        _, cache = prefilled(model, make.batch(()), None)
    assert cache.step is None
    fallbacks.forget()


def test_other_backends_have_no_step(make, tiny):
    model = gpt.build(tiny, vocab_size=make.vocab_size, kernel="sdpa").eval()
    _, cache = prefilled(model, make.batch(()), None)
    assert cache.step is None
    assert fallbacks.recorded() == {}
