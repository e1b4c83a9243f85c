import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from bimodal.errors import CheckpointError
from bimodal.schema import AudioEncoderConfig, ImageEncoderConfig, ModelConfig
from bimodal_models import multimodal
from bimodal_models.pretrained import vit, whisper

VITS = {
    "one patch": {
        "hidden_size": 12,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "image_size": 8,
        "patch_size": 8,
    },
    "deep": {"hidden_size": 24, "num_hidden_layers": 4, "num_attention_heads": 3, "image_size": 20, "patch_size": 4},
    "wide": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8},
}
WHISPERS = {
    "short": {"d_model": 8, "encoder_layers": 1, "encoder_attention_heads": 2, "max_source_positions": 5},
    "deep": {"d_model": 24, "encoder_layers": 4, "encoder_attention_heads": 3, "max_source_positions": 40},
    "many mels": {
        "d_model": 64,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "max_source_positions": 21,
        "num_mel_bins": 128,
    },
}


def shaken(model):
    """No weight at its starting value of 0 or 1; fixed positions stay."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn(weight.shape)
    return model.eval()


def their_vit(name: str = "deep", model=ViTModel):
    torch.manual_seed(0)
    return shaken(model(ViTConfig(**VITS[name], intermediate_size=20)))


def their_whisper(name: str = "deep") -> WhisperForConditionalGeneration:
    torch.manual_seed(0)
    config = WhisperConfig(
        **WHISPERS[name],
        encoder_ffn_dim=20,
        vocab_size=9,
        decoder_layers=1,
        decoder_attention_heads=1,
        decoder_ffn_dim=4,
        max_target_positions=4,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )
    return shaken(WhisperForConditionalGeneration(config))


def our_vit(folder, size: int):
    encoder, config = vit.build_encoder(ImageEncoderConfig(image_size=size, init=str(folder)), kernel="sdpa")
    return encoder.eval(), config


def our_whisper(folder):
    encoder, config = whisper.build_encoder(AudioEncoderConfig(init=str(folder)), kernel="sdpa")
    return encoder.eval(), config


def pictures(size: int) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", VITS)
@torch.no_grad()
def test_image_tokens_agree_with_transformers(tmp_path, name):
    reference = their_vit(name)
    reference.save_pretrained(tmp_path)
    size = VITS[name]["image_size"]
    encoder, config = our_vit(tmp_path, size)
    expected = reference(pictures(size)).last_hidden_state
    torch.testing.assert_close(encoder(pictures(size)), expected, atol=1e-4, rtol=0)
    assert (config.embed_dim, config.patch_size) == (VITS[name]["hidden_size"], VITS[name]["patch_size"])
    assert (config.num_layers, config.mlp_dim) == (VITS[name]["num_hidden_layers"], 20)


@pytest.mark.parametrize("size", [8, 28])
@torch.no_grad()
def test_positions_are_resampled_to_another_picture_size(tmp_path, size):
    reference = their_vit()
    reference.save_pretrained(tmp_path)
    expected = reference(pictures(size), interpolate_pos_encoding=True).last_hidden_state
    torch.testing.assert_close(our_vit(tmp_path, size)[0](pictures(size)), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_vit_inside_a_classifier_loads_too(tmp_path):
    reference = their_vit(model=ViTForImageClassification)
    reference.save_pretrained(tmp_path)
    expected = reference.vit(pictures(20)).last_hidden_state
    torch.testing.assert_close(our_vit(tmp_path, 20)[0](pictures(20)), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_vit_with_module_names_loads_too(tmp_path):
    reference = their_vit()
    reference.save_pretrained(tmp_path)
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    assert "layers.0.attention.q_proj.weight" in load_file(tmp_path / "model.safetensors")
    expected = reference(pictures(20)).last_hidden_state
    torch.testing.assert_close(our_vit(tmp_path, 20)[0](pictures(20)), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", WHISPERS)
@torch.no_grad()
def test_audio_tokens_agree_with_transformers(tmp_path, name):
    reference = their_whisper(name)
    reference.save_pretrained(tmp_path)
    encoder, config = our_whisper(tmp_path)
    mels = reference.config.num_mel_bins
    frames = 2 * reference.config.max_source_positions
    clip = torch.randn(2, mels, frames, generator=torch.Generator().manual_seed(1))
    expected = reference.model.encoder(clip).last_hidden_state
    assert (config.max_frames, config.num_mels, config.sample_rate_hz) == (frames, mels, 16_000)
    torch.testing.assert_close(encoder(clip)[0], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("part", ["model", "model.encoder"])
def test_whisper_saved_in_part_loads_too(tmp_path, part):
    reference = their_whisper("short")
    reference.get_submodule(part).save_pretrained(tmp_path)
    encoder, _ = our_whisper(tmp_path)
    assert torch.equal(encoder.conv1.weight, reference.model.encoder.conv1.weight)


def test_trained_positions_are_refused(tmp_path):
    reference = their_whisper("short")
    reference.model.encoder.embed_positions.weight[1] += 0.1
    reference.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"embed_positions.weight are not Whisper's sinusoids"):
        our_whisper(tmp_path)


@pytest.mark.parametrize(("key", "value"), [("hidden_act", "relu"), ("qkv_bias", False), ("num_channels", 1)])
def test_option_that_the_image_encoder_does_not_have_is_refused(tmp_path, key, value):
    their_vit().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(CheckpointError, match=f"config.json has {key} = {value!r}, only"):
        our_vit(tmp_path, 20)


def test_patch_positions_that_are_no_square_are_refused(tmp_path):
    their_vit().save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["embeddings.position_embeddings"] = torch.zeros(1, 1 + 24, 24)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="its 24 patch positions are not a square"):
        our_vit(tmp_path, 20)


def test_multimodal_takes_its_encoders_from_checkpoints(tmp_path):
    their_vit().save_pretrained(tmp_path / "vit")
    their_whisper().save_pretrained(tmp_path / "whisper")
    config = ModelConfig(
        name="multimodal",
        num_layers=1,
        embed_dim=8,
        image=ImageEncoderConfig(image_size=20, init=str(tmp_path / "vit")),
        audio=AudioEncoderConfig(init=str(tmp_path / "whisper")),
    )
    model = multimodal.build(config, vocab_size=5, kernel="sdpa", modalities=("image", "audio"))
    assert (model.config.image.num_layers, model.config.audio.num_layers) == (4, 4)
    assert torch.equal(
        model.image_encoder.class_token,
        load_file(tmp_path / "vit" / "model.safetensors")["embeddings.cls_token"],
    )
