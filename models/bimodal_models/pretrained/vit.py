"""ViT checkpoints (ViTModel, or a ViTFor... with one inside) for the image encoder."""

import torch
from torch import Tensor
from torch.nn import functional as F

from bimodal.schema import ImageEncoderConfig
from bimodal_models.blocks.image_encoder import NUM_CHANNELS, ImageEncoder
from bimodal_models.pretrained.checkpoint import Checkpoint, open_checkpoint

MODEL_TYPE = "vit"

_OUTSIDE = {
    "class_token": "embeddings.cls_token",
    "position_embedding": "embeddings.position_embeddings",
    "patch_embedding.weight": "embeddings.patch_embeddings.projection.weight",
    "patch_embedding.bias": "embeddings.patch_embeddings.projection.bias",
    "final_norm.weight": "layernorm.weight",
    "final_norm.bias": "layernorm.bias",
}
_Names = dict[str, tuple[str, ...]]
_HUB_BLOCK: _Names = {
    "attention_norm": ("layernorm_before",),
    "attention.in_proj": tuple(f"attention.attention.{part}" for part in ("query", "key", "value")),
    "attention.out_proj": ("attention.output.dense",),
    "mlp_norm": ("layernorm_after",),
    "mlp.up": ("intermediate.dense",),
    "mlp.down": ("output.dense",),
}
"""Names in files."""
_MODULE_BLOCK: _Names = {
    "attention_norm": ("layernorm_before",),
    "attention.in_proj": tuple(f"attention.{part}_proj" for part in "qkv"),
    "attention.out_proj": ("attention.o_proj",),
    "mlp_norm": ("layernorm_after",),
    "mlp.up": ("mlp.fc1",),
    "mlp.down": ("mlp.fc2",),
}
"""Names of transformers 5's modules, as a plain dump of a state dict has them."""


def build_encoder(config: ImageEncoderConfig, *, kernel: str) -> tuple[ImageEncoder, ImageEncoderConfig]:
    """An image encoder with fresh weights, or those of `config.init`, and its full configuration.

    Raises:
        CheckpointError: `config.init` cannot be loaded.
        UsageError: the numbers do not fit together.
    """
    if config.init is None:
        return ImageEncoder(config, kernel=kernel), config
    checkpoint = open_checkpoint(config.init, model_type=MODEL_TYPE)
    config = architecture(checkpoint, config)
    encoder = ImageEncoder(config, kernel=kernel)
    load(encoder, checkpoint, config)
    return encoder, config


def architecture(checkpoint: Checkpoint, config: ImageEncoderConfig) -> ImageEncoderConfig:
    """`config` with the checkpoint's architecture; image_size and dropout stay ours.

    Raises:
        CheckpointError: an option of ViT that `ImageEncoder` does not have.
    """
    checkpoint.require("hidden_act", "gelu")
    checkpoint.require("qkv_bias", True)
    checkpoint.require("num_channels", NUM_CHANNELS)
    return config.model_copy(
        update={
            "patch_size": checkpoint.number("patch_size"),
            "embed_dim": checkpoint.number("hidden_size"),
            "num_layers": checkpoint.number("num_hidden_layers"),
            "num_heads": checkpoint.number("num_attention_heads"),
            "mlp_dim": checkpoint.number("intermediate_size"),
            "layer_norm_eps": float(checkpoint.config.get("layer_norm_eps", 1e-12)),
        }
    )


def load(encoder: ImageEncoder, checkpoint: Checkpoint, config: ImageEncoderConfig) -> None:
    """Put the checkpoint's weights into an encoder, positions resampled to the encoder's picture size.

    Raises:
        CheckpointError: tensors are missing, of other shapes, or unreadable.
    """
    prefix = checkpoint.prefix("embeddings.cls_token", ("", "vit."))
    from_hub = f"{prefix}encoder.layer.0.layernorm_before.weight" in checkpoint.files
    blocks, names = ("encoder.layer", _HUB_BLOCK) if from_hub else ("layers", _MODULE_BLOCK)
    sources: _Names = {ours: (prefix + theirs,) for ours, theirs in _OUTSIDE.items()}
    for layer in range(config.num_layers):
        for ours, parts in names.items():
            for kind in ("weight", "bias"):
                sources[f"blocks.{layer}.{ours}.{kind}"] = tuple(
                    f"{prefix}{blocks}.{layer}.{part}.{kind}" for part in parts
                )
    tensors = checkpoint.read(name for parts in sources.values() for name in parts)
    weights = {ours: torch.cat([tensors[name] for name in parts]) for ours, parts in sources.items()}
    weights["position_embedding"] = _resampled(
        checkpoint, weights["position_embedding"], config.image_size // config.patch_size
    )
    checkpoint.load_into(encoder, weights)


def _resampled(checkpoint: Checkpoint, positions: Tensor, side: int) -> Tensor:
    """Positions [1, 1 + patches, embed_dim] for side x side patches; bicubic, the class token's left alone.

    Source: Dosovitskiy et al. 2021, sec. 3.2; as Hugging Face's `interpolate_pos_encoding`.
    """
    patches, width = positions.shape[1] - 1, positions.shape[2]
    old = round(patches**0.5)
    if old * old != patches:
        raise checkpoint.error(f"its {patches} patch positions are not a square")
    if old == side:
        return positions
    grid = positions[:, 1:].reshape(1, old, old, width).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1], grid.permute(0, 2, 3, 1).reshape(1, side * side, width)], dim=1)
