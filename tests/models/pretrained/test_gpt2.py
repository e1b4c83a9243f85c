import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model

from bimodal.errors import CheckpointError, UsageError
from bimodal.schema import ModelConfig
from bimodal.word_features import FeatureSizes
from bimodal_models import gpt, multimodal

NUMBERS = {
    "narrow": {"vocab_size": 11, "n_positions": 16, "n_embd": 12, "n_layer": 1, "n_head": 1},
    "deep": {"vocab_size": 97, "n_positions": 32, "n_embd": 24, "n_layer": 5, "n_head": 3, "n_inner": 40},
    "wide": {
        "vocab_size": 301,
        "n_positions": 64,
        "n_embd": 128,
        "n_layer": 2,
        "n_head": 2,
        "activation_function": "gelu_pytorch_tanh",
        "layer_norm_epsilon": 1e-3,
    },
}


def theirs(name: str, model=GPT2LMHeadModel):
    """A random GPT-2 with no weight at its starting value of 0 or 1."""
    torch.manual_seed(0)
    config = GPT2Config(**NUMBERS[name], bos_token_id=0, eos_token_id=0, initializer_range=0.2)
    built = model(config).eval()
    with torch.no_grad():
        for weight in built.parameters():
            weight += 0.1 * torch.randn(weight.shape)
    return built


def ours(folder, vocab_size: int = 11, **options):
    torch.manual_seed(1)
    return gpt.build(ModelConfig(name="gpt", init=str(folder)), vocab_size=vocab_size, kernel="sdpa", **options).eval()


@pytest.fixture
def saved(tmp_path):
    theirs("narrow").save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NUMBERS)
@torch.no_grad()
def test_logits_agree_with_transformers(tmp_path, name):
    reference = theirs(name)
    reference.save_pretrained(tmp_path)
    vocab_size, positions = reference.config.vocab_size, reference.config.n_positions
    model = ours(tmp_path, vocab_size)
    tokens = torch.randint(vocab_size, (3, positions), generator=torch.Generator().manual_seed(2))
    expected = reference(tokens).logits
    assert expected.std() > 0.5
    torch.testing.assert_close(model.logits(model.hidden(tokens)), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_dropout_stands_where_gpt2_has_it(tmp_path):
    reference = theirs("deep").train()
    reference.save_pretrained(tmp_path)
    for module in reference.modules():
        if hasattr(module, "attn_dropout"):
            module.attn_dropout.p = 0.0
    model = ours(tmp_path, 97).train()
    tokens = torch.arange(32)[None]
    torch.manual_seed(4)
    expected = reference(tokens).logits
    torch.manual_seed(4)
    torch.testing.assert_close(model.logits(model.hidden(tokens)), expected, atol=1e-4, rtol=0)


def test_configuration_is_the_checkpoints(tmp_path):
    theirs("deep").save_pretrained(tmp_path)
    config = ours(tmp_path, 97).config
    assert (config.num_layers, config.num_heads, config.embed_dim) == (5, 3, 24)
    assert (config.mlp_dim, config.max_positions, config.layer_norm_eps) == (40, 32, 1e-5)
    assert config.dropout == 0.1


@torch.no_grad()
def test_model_without_head_loads_too(tmp_path):
    reference = theirs("narrow", GPT2Model)
    reference.save_pretrained(tmp_path)
    tokens = torch.arange(11)[None]
    torch.testing.assert_close(ours(tmp_path).hidden(tokens), reference(tokens).last_hidden_state, atol=1e-4, rtol=0)


@torch.no_grad()
def test_decoder_of_the_multimodal_model_loads_the_same_weights(saved):
    config = ModelConfig(name="multimodal", init=str(saved))
    model = multimodal.build(config, vocab_size=11, kernel="sdpa", modalities=("image",)).eval()
    tokens = torch.arange(11)[None]
    assert torch.equal(model.hidden(tokens), ours(saved).hidden(tokens))
    assert model.config.embed_dim == 12


def test_a_tagging_head_stays_as_drawn(saved):
    assert ours(saved, num_tags=3).tag_head.weight.shape == (3, 12)


def test_so_does_one_that_reads_features_of_words(saved):
    sizes = FeatureSizes(window=3, words=9, shapes=5, affixes=4, unknown_word=1)
    model = ours(saved, num_tags=3, features=sizes)
    assert model.tag_head.out.weight.shape[0] == 3
    assert torch.equal(model.hidden(torch.arange(11)[None]), ours(saved).hidden(torch.arange(11)[None]))


def weights(model) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters())


def test_sharded_checkpoint_loads(saved, tmp_path):
    sharded = tmp_path / "sharded"
    theirs("narrow").save_pretrained(sharded, max_shard_size="5KB")
    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    for name, weight in weights(ours(sharded)).items():
        assert torch.equal(weight, weights(ours(saved))[name])


def test_pickled_checkpoint_loads_without_running_code(saved, tmp_path):
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    shutil.copy(saved / "config.json", pickled)
    torch.save(load_file(saved / "model.safetensors"), pickled / "pytorch_model.bin")
    for name, weight in weights(ours(pickled)).items():
        assert torch.equal(weight, weights(ours(saved))[name])


def test_half_precision_checkpoint_becomes_fp32(saved):
    tensors = load_file(saved / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in tensors.items()}, saved / "model.safetensors")
    assert ours(saved).token_embedding.weight.dtype == torch.float32


def test_another_vocabulary_is_refused(saved):
    with pytest.raises(UsageError, match=r"tokenizer has 12 tokens, .* was trained with 11\. Use the checkpoint's own"):
        ours(saved, 12)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("activation_function", "relu"),
        ("scale_attn_by_inverse_layer_idx", True),
        ("tie_word_embeddings", False),
    ],
)
def test_option_that_gpt_does_not_have_is_refused(saved, key, value):
    edit(saved, **{key: value})
    with pytest.raises(CheckpointError, match=rf"config.json has {key} = {value!r}, only .* is supported"):
        ours(saved)


def test_configuration_that_contradicts_the_weights_is_refused(saved):
    edit(saved, n_positions=20)
    with pytest.raises(CheckpointError, match=r"position_embedding.weight is \[16, 12\], expected \[20, 12\]"):
        ours(saved)


def test_missing_tensors_are_named(saved):
    edit(saved, n_layer=2)
    with pytest.raises(CheckpointError, match=r"12 of 28 tensors are missing: transformer\.h\.1\.ln_1\.weight, "):
        ours(saved)


def edit(folder, **changes) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
