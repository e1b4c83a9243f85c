"""Whisper checkpoints (any with an encoder inside) for the audio encoder."""

import torch

from bimodal.schema import AudioEncoderConfig
from bimodal_models.blocks.audio_encoder import AudioEncoder
from bimodal_models.pretrained.checkpoint import Checkpoint, open_checkpoint

MODEL_TYPE = "whisper"
SAMPLE_RATE_HZ = 16_000
_FRAMES_PER_TOKEN = 2

_POSITIONS = "embed_positions.weight"
_OUTSIDE = {
    f"{ours}.{kind}": f"{theirs}.{kind}"
    for ours, theirs in (("conv1", "conv1"), ("conv2", "conv2"), ("final_norm", "layer_norm"))
    for kind in ("weight", "bias")
}
_IN_PROJ = tuple(f"self_attn.{part}_proj.weight" for part in "qkv")
_BLOCK: dict[str, tuple[str, ...]] = {
    "attention.in_proj.weight": _IN_PROJ,
    "attention.query_bias": ("self_attn.q_proj.bias",),
    "attention.value_bias": ("self_attn.v_proj.bias",),
} | {
    f"{ours}.{kind}": (f"{theirs}.{kind}",)
    for ours, theirs in (
        ("attention_norm", "self_attn_layer_norm"),
        ("attention.out_proj", "self_attn.out_proj"),
        ("mlp_norm", "final_layer_norm"),
        ("mlp.up", "fc1"),
        ("mlp.down", "fc2"),
    )
    for kind in ("weight", "bias")
}


def build_encoder(config: AudioEncoderConfig, *, kernel: str) -> tuple[AudioEncoder, AudioEncoderConfig]:
    """An audio encoder with fresh weights, or those of `config.init`, and its full configuration.

    Raises:
        CheckpointError: `config.init` cannot be loaded.
        UsageError: the numbers do not fit together.
    """
    if config.init is None:
        return AudioEncoder(config, kernel=kernel), config
    checkpoint = open_checkpoint(config.init, model_type=MODEL_TYPE)
    config = architecture(checkpoint, config)
    encoder = AudioEncoder(config, kernel=kernel)
    load(encoder, checkpoint, config)
    return encoder, config


def architecture(checkpoint: Checkpoint, config: AudioEncoderConfig) -> AudioEncoderConfig:
    """`config` with the checkpoint's architecture and Whisper's sample rate; dropout stays ours.

    Raises:
        CheckpointError: an option of Whisper that `AudioEncoder` does not have.
    """
    checkpoint.require("activation_function", "gelu")
    return config.model_copy(
        update={
            "sample_rate_hz": SAMPLE_RATE_HZ,
            "num_mels": checkpoint.number("num_mel_bins"),
            "max_frames": _FRAMES_PER_TOKEN * checkpoint.number("max_source_positions"),
            "embed_dim": checkpoint.number("d_model"),
            "num_layers": checkpoint.number("encoder_layers"),
            "num_heads": checkpoint.number("encoder_attention_heads"),
            "mlp_dim": checkpoint.number("encoder_ffn_dim"),
        }
    )


def load(encoder: AudioEncoder, checkpoint: Checkpoint, config: AudioEncoderConfig) -> None:
    """Put the checkpoint's encoder weights into an encoder of its architecture.

    Raises:
        CheckpointError: tensors are missing, of other shapes, unreadable, or positions are not Whisper's.
    """
    prefix = checkpoint.prefix("conv1.weight", ("model.encoder.", "encoder.", ""))
    sources: dict[str, tuple[str, ...]] = {ours: (prefix + theirs,) for ours, theirs in _OUTSIDE.items()}
    for layer in range(config.num_layers):
        for ours, parts in _BLOCK.items():
            sources[f"blocks.{layer}.{ours}"] = tuple(f"{prefix}layers.{layer}.{part}" for part in parts)
    names = [name for parts in sources.values() for name in parts]
    tensors = checkpoint.read([*names, prefix + _POSITIONS])
    weights = {ours: torch.cat([tensors[name] for name in parts]) for ours, parts in sources.items()}
    checkpoint.load_into(encoder, weights)
    positions = tensors[prefix + _POSITIONS]
    # The encoder computes its fixed positions; half-precision checkpoints hold them to about 5e-4.
    if positions.shape != encoder.positions.shape or not torch.allclose(positions, encoder.positions.cpu(), atol=2e-3):
        raise checkpoint.error(f"{prefix + _POSITIONS} are not Whisper's sinusoids")
