"""Models of transformers, small and with random weights, on our attention against their own eager one."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    ViTConfig,
    ViTModel,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from bimodal_kernels import fallbacks, transformers_attention
from bimodal_kernels.transformers_attention import as_visibility

VOCAB = 61


@pytest.fixture(autouse=True)
def registered():
    transformers_attention.register()
    fallbacks.forget()


def both(kind: type, config) -> tuple[nn.Module, nn.Module]:
    """The same random weights under eager attention and under ours."""
    torch.manual_seed(0)
    # A model writes its implementation into its config: two models need two.
    eager = kind._from_config(deepcopy(config), attn_implementation="eager").eval()
    ours = kind._from_config(deepcopy(config), attn_implementation="bimodal").eval()
    assert (eager.config._attn_implementation, ours.config._attn_implementation) == ("eager", "bimodal")
    ours.load_state_dict(eager.state_dict())
    return eager, ours


def gpt2():
    return both(GPT2LMHeadModel, GPT2Config(vocab_size=VOCAB, n_positions=64, n_embd=64, n_layer=2, n_head=2))


def llama(**changes):
    numbers = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=VOCAB, hidden_size=64, intermediate_size=96, **(numbers | changes))
    return both(LlamaForCausalLM, config)


def bert():
    config = BertConfig(
        vocab_size=VOCAB, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96
    )
    return both(BertModel, config)


def vit():
    config = ViTConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96, image_size=32, patch_size=8
    )
    return both(ViTModel, config)


def whisper():
    config = WhisperConfig(
        vocab_size=VOCAB,
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=96,
        decoder_ffn_dim=96,
        num_mel_bins=8,
        max_source_positions=20,
        max_target_positions=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    return both(WhisperForConditionalGeneration, config)


def tokens(batch: int = 3, length: int = 11) -> torch.Tensor:
    return torch.randint(3, VOCAB, (batch, length), generator=torch.Generator().manual_seed(1))


def left_padded() -> torch.Tensor:
    mask = torch.ones(3, 11, dtype=torch.long)
    mask[0, :4] = 0
    mask[2, :1] = 0
    return mask


def right_padded() -> torch.Tensor:
    return left_padded().flip(1)


def text(mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    return {"input_ids": tokens()} | ({} if mask is None else {"attention_mask": mask})


def speech() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(2)
    return {"input_features": torch.randn(3, 8, 40, generator=draw), "decoder_input_ids": tokens()}


def picture() -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))}


CALLS = {
    "gpt2": (gpt2, text()),
    "gpt2, left padding": (gpt2, text(left_padded())),
    "gpt2, right padding": (gpt2, text(right_padded())),
    "llama, grouped": (llama, text()),
    "llama, grouped, left padding": (llama, text(left_padded())),
    "bert": (bert, text()),
    "bert, padding": (bert, text(right_padded())),
    "vit": (vit, picture()),
    "whisper": (whisper, speech()),
}


@pytest.mark.parametrize("name", CALLS)
def test_forward_and_backward_agree_with_eager_attention(name):
    make, inputs = CALLS[name]
    eager, ours = make()
    results = []
    for model in (eager, ours):
        out = model(**inputs)[0]
        kept = inputs.get("attention_mask")
        # What stands at padding is nobody's business, and eager attention makes something up there.
        out = out if kept is None else out[kept.bool()]
        model.zero_grad()
        (out.square().mean()).backward()
        results.append((out.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    (expected, wanted), (found, got) = results
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    assert wanted.keys() == got.keys()
    for parameter in wanted:
        torch.testing.assert_close(got[parameter], wanted[parameter], atol=2e-5, rtol=1e-3)
    assert fallbacks.recorded() == {}


@pytest.mark.parametrize("make", [gpt2, llama], ids=["gpt2", "llama, grouped"])
@pytest.mark.parametrize("mask", [None, left_padded()], ids=["no padding", "left padding"])
@pytest.mark.parametrize("beams", [1, 3])
def test_generate_writes_the_same_tokens(make, mask, beams):
    eager, ours = make()
    options = {"max_new_tokens": 12, "do_sample": False, "num_beams": beams, "pad_token_id": 0, "eos_token_id": 2}
    assert torch.equal(eager.generate(**text(mask), **options), ours.generate(**text(mask), **options))
    assert fallbacks.recorded() == {}


def test_generate_of_an_encoder_decoder_writes_the_same_tokens():
    eager, ours = whisper()
    inputs = {"input_features": speech()["input_features"]}
    wanted, got = (model.generate(**inputs, max_new_tokens=10, do_sample=False) for model in (eager, ours))
    assert torch.equal(wanted, got)
    assert fallbacks.recorded() == {}


def test_a_sliding_window_is_left_to_transformers_and_said_to_be():
    config = MistralConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=4,
    )
    eager, ours = both(MistralForCausalLM, config)
    with pytest.warns(RuntimeWarning, match="cannot say this mask with causal and padding; used transformers' sdpa"):
        found = ours(**text())[0]
    torch.testing.assert_close(found, eager(**text())[0], atol=2e-5, rtol=1e-4)
    assert sum(fallbacks.recorded().values()) == 2  # one for each layer


def test_a_mask_of_the_users_own_is_not_misread():
    eager, ours = gpt2()
    draw = torch.Generator().manual_seed(3)
    mask = (torch.rand(3, 1, 11, 11, generator=draw) < 0.5) | torch.eye(11, dtype=torch.bool)
    additive = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    with pytest.warns(RuntimeWarning, match="cannot say this mask"):
        found = ours(input_ids=tokens(), attention_mask=mask)[0]
    torch.testing.assert_close(found, eager(input_ids=tokens(), attention_mask=additive)[0], atol=2e-5, rtol=1e-4)


def test_dropout_on_attention_weights_is_left_to_transformers_and_said_to_be():
    _, ours = gpt2()
    with pytest.warns(RuntimeWarning, match="has no dropout on attention weights; used transformers' sdpa"):
        ours.train()(**text())


def test_masks_are_looked_at_once_per_forward_pass(monkeypatch):
    looked = []
    monkeypatch.setattr(
        transformers_attention, "as_visibility", lambda mask: looked.append(mask) or as_visibility(mask)
    )
    _, ours = llama(num_hidden_layers=3)
    ours(**text(left_padded()))
    assert len(looked) == 1


CAUSAL = torch.ones(5, 5, dtype=torch.bool).tril()


def test_visibility_of_a_causal_mask_with_padding():
    kept = torch.tensor([[False, True, True, True, True], [True] * 5])
    found = as_visibility(kept[:, None, None] & CAUSAL)
    assert found is not None
    assert found.causal
    assert torch.equal(found.key_padding_mask, kept)


def test_visibility_of_additive_masks():
    assert as_visibility(torch.zeros(2, 1, 5, 5).masked_fill(~CAUSAL, -torch.inf)) == (None, True)
    assert as_visibility(torch.zeros(2, 1, 5, 5)) == (None, False)
    assert as_visibility(torch.full((2, 1, 5, 5), -0.5)) is None


def test_visibility_is_not_guessed():
    window = CAUSAL & ~CAUSAL.tril(-3)
    assert as_visibility(window[None, None]) is None
    assert as_visibility(CAUSAL.T[None, None]) is None
    assert as_visibility(CAUSAL.expand(1, 2, 5, 5)) is None  # one for each head
    first_query_blind = CAUSAL.clone()
    first_query_blind[0, 0] = False
    assert as_visibility(first_query_blind[None, None]) is None


def test_a_mask_changed_in_place_is_looked_at_again():
    query = torch.randn(1, 1, 5, 8)
    mask = CAUSAL.clone()[None, None]
    module = nn.Module()
    first, _ = transformers_attention.attention_forward(module, query, query, query, mask)
    mask.fill_(True)
    second, _ = transformers_attention.attention_forward(module, query, query, query, mask)
    assert not torch.allclose(first, second)
