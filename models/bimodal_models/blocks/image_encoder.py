"""A Vision Transformer. Legend: batch, channel, height, width, token (class token, then patches by row)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal.errors import UsageError
from bimodal.schema import ImageEncoderConfig
from bimodal_models.blocks.dropout import Dropout
from bimodal_models.blocks.transformer import Block, BlockConfig, init_fan_in

NUM_CHANNELS = 3


class ImageEncoder(nn.Module):
    """ViT without pooler or classifier: patches, class token, learned positions, pre-LN blocks, final norm.

    Laid out as Hugging Face's ViTModel, whose weights it loads (`pretrained.vit`).

    Raises:
        UsageError: patches do not tile the picture.

    Source: Dosovitskiy et al. 2021, sec. 3.1.
    """

    def __init__(self, config: ImageEncoderConfig, *, kernel: str) -> None:
        super().__init__()
        size, patch, width = config.image_size, config.patch_size, config.embed_dim
        if size % patch:
            raise UsageError(
                f"model.image.patch_size {patch} does not tile pictures of {size}x{size}: "
                f"model.image.image_size must be a multiple of it, such as {max(1, size // patch) * patch}."
            )
        self.image_size = size
        self.patch_embedding = nn.Conv2d(NUM_CHANNELS, width, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.position_embedding = nn.Parameter(torch.empty(1, (size // patch) ** 2 + 1, width))
        self.dropout = Dropout(config.dropout, kernel=kernel)
        block = BlockConfig(
            embed_dim=width,
            num_heads=config.num_heads,
            mlp_dim=config.mlp_dim,
            dropout=config.dropout,
            layer_norm_eps=config.layer_norm_eps,
            activation="none",
        )
        self.blocks = nn.ModuleList(Block(block, kernel=kernel) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.apply(init_fan_in)
        nn.init.trunc_normal_(self.class_token, std=0.02)
        nn.init.trunc_normal_(self.position_embedding, std=0.02)

    def forward(self, image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch token embed_dim"]:
        """Tokens of pictures in [-1, 1].

        Raises:
            ValueError: the pictures do not have the size the encoder was built for.
        """
        wanted = (NUM_CHANNELS, self.image_size, self.image_size)
        if tuple(image.shape[1:]) != wanted:
            raise ValueError(
                f"The image encoder was built for pictures of {_size(wanted)}, "
                f"got {_size(tuple(image.shape[1:]))}. Resize them, or set model.image.image_size."
            )
        x = torch.cat([self.class_token.expand(len(image), -1, -1), self.patches(image)], dim=1)
        x = self.dropout(x + self.position_embedding)
        for block in self.blocks:
            x = block(x)
        return self.final_norm(x)  # type: ignore[no-any-return]

    def patches(self, image: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch patch embed_dim"]:
        """Pictures cut into patches and projected, row by row.

        One matrix product: it is what a convolution computes whose stride is its kernel size, at half the time on a
        CPU. `patch_embedding` keeps the weights, laid out as ViT's.
        """
        batch, channels = image.shape[:2]
        size = self.patch_embedding.kernel_size[0]
        side = self.image_size // size
        cut = image.reshape(batch, channels, side, size, side, size).permute(0, 2, 4, 1, 3, 5)
        pixels = cut.reshape(batch, side * side, channels * size * size)
        return F.linear(pixels, self.patch_embedding.weight.flatten(1), self.patch_embedding.bias)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
