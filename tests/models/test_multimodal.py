import pytest
import torch
from torch.nn import functional as F

from bimodal.schema import ModelConfig
from bimodal.types import Batch
from bimodal_models import gpt, multimodal
from bimodal_models.multimodal import Multimodal

BOTH = ("image", "audio")


def build(config: ModelConfig, modalities=BOTH, seed: int = 0, **changes) -> Multimodal:
    torch.manual_seed(seed)
    return multimodal.build(config.model_copy(update=changes), vocab_size=13, kernel="sdpa", modalities=modalities)


def build_gpt(config: ModelConfig, seed: int = 0) -> gpt.GPT:
    torch.manual_seed(seed)
    return gpt.build(config, vocab_size=13, kernel="sdpa")


@pytest.mark.parametrize("modalities", [(), ("image",), ("audio",), BOTH])
def test_starts_as_gpt_to_the_bit(tiny, make, modalities):
    ours, theirs, batch = build(tiny, modalities).eval(), build_gpt(tiny).eval(), make.batch(modalities)
    states = ours.hidden(batch.tokens, context=ours.encode(batch))
    assert torch.equal(states, theirs.hidden(batch.tokens))
    assert torch.equal(ours.logits(states), theirs.logits(states))


def test_starts_as_gpt_to_the_bit_while_decoding(tiny, make):
    ours, theirs, batch = build(tiny).eval(), build_gpt(tiny).eval(), make.batch(BOTH)
    context = ours.encode(batch)
    our_logits, our_cache = ours.prefill(batch.tokens, batch.lengths, max_length=9, context=context)
    their_logits, their_cache = theirs.prefill(batch.tokens, batch.lengths, max_length=9)
    assert torch.equal(our_logits, their_logits)
    token = our_logits.argmax(-1)
    assert torch.equal(ours.decode(token, our_cache, context=context)[0], theirs.decode(token, their_cache)[0])


def test_dropout_draws_the_same_numbers_as_in_gpt(tiny, make):
    ours, theirs, batch = build(tiny).train(), build_gpt(tiny).train(), make.batch(BOTH)
    context = ours.encode(batch)
    torch.manual_seed(1)
    expected = theirs.hidden(batch.tokens)
    torch.manual_seed(1)
    assert torch.equal(ours.hidden(batch.tokens, context=context), expected)


def test_decoder_weights_do_not_depend_on_the_modalities(tiny):
    weights = [build(tiny, modalities).decoder.token_embedding.weight for modalities in ((), BOTH)]
    assert torch.equal(*weights)


@pytest.mark.parametrize("modality", BOTH)
def test_an_open_gate_lets_the_modality_through(tiny, make, modality):
    model = make.shaken(build(tiny, (modality,)))
    batch, other = make.batch((modality,)), make.batch((modality,), seed=1)
    seen = model.hidden(batch.tokens, context=model.encode(batch))
    assert not torch.isclose(seen[0], model.hidden(batch.tokens, context=model.encode(other))[0]).all()


@pytest.mark.parametrize(("modality", "row"), [("image", 1), ("audio", 2)])
def test_row_without_the_modality_computes_what_text_alone_computes(tiny, make, modality, row):
    model, batch = make.shaken(build(tiny, (modality,))), make.batch((modality,))
    with_context = model.hidden(batch.tokens, context=model.encode(batch))
    text_only = model.hidden(batch.tokens)
    assert torch.equal(with_context[row], text_only[row])
    assert not torch.equal(with_context[0], text_only[0])


def test_a_missing_picture_is_not_a_picture_of_zeros(tiny, make):
    model, batch = make.shaken(build(tiny)), make.batch(BOTH)
    context = model.encode(batch)
    image_tokens, audio_tokens = 5, 7
    assert context.mask.sum(1).tolist() == [
        image_tokens + 5,  # 9 of 14 frames
        audio_tokens,
        image_tokens,
        image_tokens + audio_tokens,
    ]


def test_everything_present_needs_no_mask(tiny, make):
    model, batch = build(tiny, ("image",)), make.batch(("image",))
    whole = type(batch)(batch.tokens, batch.targets, batch.lengths, image=batch.image)
    assert model.encode(whole).mask is None


def test_builds_encoders_only_for_the_modalities_it_is_given(tiny):
    model = build(tiny, ("image",))
    assert model.audio_encoder is None
    assert model.image_encoder is not None
    assert build(tiny, ()).fusion is None


def test_without_modalities_it_has_exactly_the_weights_of_gpt(tiny):
    count = [sum(p.numel() for p in model.parameters()) for model in (build(tiny, ()), build_gpt(tiny))]
    assert count[0] == count[1]


def test_batch_with_a_modality_it_was_built_without_is_refused(tiny, make):
    with pytest.raises(ValueError, match="batch has audio input, but the model was built without an audio encoder"):
        build(tiny, ("image",)).encode(make.batch(BOTH))


def test_cross_attention_stands_in_the_chosen_blocks_only(tiny, make):
    model = build(tiny, cross_layers=(1,))
    assert [block.cross is not None for block in model.decoder.blocks] == [False, True]
    assert [kept is not None for kept in model.encode(make.batch(BOTH)).layers] == [False, True]


@pytest.mark.parametrize("layers", [(2,), (), (0, 0)])
def test_cross_layers_that_do_not_exist_are_refused(tiny, layers):
    with pytest.raises(ValueError, match=r"model.cross_layers .* must name decoder blocks, each once: 0 to 1"):
        build(tiny, cross_layers=layers)


def test_context_for_a_text_only_model_is_refused(tiny, make):
    batch = make.batch(BOTH)
    with pytest.raises(ValueError, match="text-only model was given a context"):
        build_gpt(tiny).hidden(batch.tokens, context=build(tiny).encode(batch))


def test_learns_what_only_the_picture_tells(tiny):
    """Four pictures, one empty prompt: text alone cannot do better than ln 4."""
    draw = torch.Generator().manual_seed(0)
    model = build(tiny, ("image",), dropout=0.0)
    batch = Batch(
        tokens=torch.zeros(4, 1, dtype=torch.long),
        targets=torch.arange(4)[:, None],
        lengths=torch.ones(4, dtype=torch.long),
        image=torch.randn(4, 3, 8, 8, generator=draw),
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(100):
        logits = model.logits(model.hidden(batch.tokens, context=model.encode(batch)))
        loss = F.cross_entropy(logits[:, 0], batch.targets[:, 0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1


def test_gradients_reach_the_encoders_once_the_gate_is_open(tiny, make):
    model, batch = make.shaken(build(tiny)), make.batch(BOTH)
    model.hidden(batch.tokens, context=model.encode(batch)).square().sum().backward()
    for encoder in (model.image_encoder, model.audio_encoder):
        assert all(weight.grad.abs().sum() > 0 for weight in encoder.parameters())
