"""The multimodal contestant: the same GPT, with eyes and ears.

Shape legend: batch, token, position, embed_dim.
"""

from typing import TYPE_CHECKING

from jaxtyping import Float, Int
from torch import Tensor, nn

from bimodal.errors import UsageError
from bimodal.schema import Modality, ModelConfig
from bimodal.types import Batch, Cache, Contestant, Context, ModelSpec
from bimodal.word_features import FeatureSizes, FeatureTensors
from bimodal_models import gpt
from bimodal_models.blocks.audio_encoder import AudioEncoder
from bimodal_models.blocks.context import FusedContext
from bimodal_models.blocks.cross_attention import GatedCrossAttention
from bimodal_models.blocks.fusion import Fusion
from bimodal_models.blocks.image_encoder import ImageEncoder
from bimodal_models.blocks.transformer import Block, init_fan_in
from bimodal_models.gpt import GPT
from bimodal_models.pretrained import vit, whisper


class Multimodal(nn.Module):
    """A GPT whose blocks read fused image and audio tokens through gated cross-attention.

    The decoder is the text-only contestant, drawn (or loaded) first and then given cross-attention layers
    whose gates are 0: at step 0 both contestants compute the same, to the bit. Encoders are optional; without
    any there is no cross-attention either, and it is the GPT.

    Args:
        decoder: a GPT without cross-attention; it is changed in place.
        image_encoder: None where there are no pictures.
        audio_encoder: None where there is no sound.
        config: the architecture, with the numbers of loaded checkpoints filled in.
        kernel: backend of `bimodal_kernels.attention`.

    Source: Alayrac et al. 2022 (Flamingo), sec. 3.1; the fused memory is this project's own.
    """

    def __init__(
        self,
        decoder: GPT,
        image_encoder: ImageEncoder | None,
        audio_encoder: AudioEncoder | None,
        *,
        config: ModelConfig,
        kernel: str,
    ) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = decoder.vocab_size
        self.decoder = decoder
        self.image_encoder = image_encoder
        self.audio_encoder = audio_encoder
        self.fusion: Fusion | None = None
        if image_encoder is not None or audio_encoder is not None:
            self.fusion = Fusion(
                config.embed_dim,
                image_dim=None if image_encoder is None else config.image.embed_dim,
                audio_dim=None if audio_encoder is None else config.audio.embed_dim,
                layer_norm_eps=config.layer_norm_eps,
            )
            for layer in _cross_layers(config):
                cross = GatedCrossAttention(
                    config.embed_dim, config.num_heads, layer_norm_eps=config.layer_norm_eps, kernel=kernel
                )
                self._block(layer).cross = cross.apply(init_fan_in)

    def encode(self, batch: Batch) -> FusedContext | None:
        """Cross-attention keys and values of the batch's pictures and sound; None where it has neither.

        Raises:
            ValueError: the batch has a modality that this model was built without, or of another shape.
        """
        image, audio = self._image_tokens(batch), None
        audio_mask = None
        if batch.audio is not None:
            if self.audio_encoder is None:
                raise ValueError(_no_encoder("audio"))
            audio, audio_mask = self.audio_encoder(batch.audio, batch.audio_mask)
        if self.fusion is None or (image is None and audio is None):
            return None
        memory, mask = self.fusion(image, batch.image_mask, audio, audio_mask)
        cross = [self._block(layer).cross for layer in range(self.config.num_layers)]
        layers = tuple(None if c is None else c.attention.keys_values(memory) for c in cross)
        return FusedContext(layers, mask)

    @property
    def encoders(self) -> dict[Modality, nn.Module]:
        """The encoders it has, so that each can be timed."""
        found: dict[Modality, nn.Module | None] = {"image": self.image_encoder, "audio": self.audio_encoder}
        return {modality: encoder for modality, encoder in found.items() if encoder is not None}

    def hidden(
        self, tokens: Int[Tensor, "batch position"], *, context: Context | None = None
    ) -> Float[Tensor, "batch position embed_dim"]:
        """Causal decoder states; see `GPT.hidden`."""
        return self.decoder.hidden(tokens, context=context)

    def logits(self, hidden: Float[Tensor, "... embed_dim"]) -> Float[Tensor, "... vocab_size"]:
        """Language-model logits of decoder states."""
        return self.decoder.logits(hidden)

    def tag(
        self,
        tokens: Int[Tensor, "batch position"],
        lengths: Int[Tensor, "batch"],
        *,
        features: FeatureTensors | None = None,
        context: Context | None = None,
    ) -> Float[Tensor, "batch position num_tags"]:
        """Tag logits; see `GPT.tag`."""
        return self.decoder.tag(tokens, lengths, features=features, context=context)

    def prefill(
        self,
        tokens: Int[Tensor, "batch position"],
        lengths: Int[Tensor, "batch"],
        *,
        max_length: int,
        context: Context | None = None,
    ) -> tuple[Float[Tensor, "batch vocab_size"], Cache]:
        """Read right-padded prompts; see `GPT.prefill`."""
        return self.decoder.prefill(tokens, lengths, max_length=max_length, context=context)

    def decode(
        self, token: Int[Tensor, "batch"], cache: Cache, *, context: Context | None = None
    ) -> tuple[Float[Tensor, "batch vocab_size"], Cache]:
        """Read one more token per row; see `GPT.decode`."""
        return self.decoder.decode(token, cache, context=context)

    def _image_tokens(self, batch: Batch) -> Tensor | None:
        if batch.image is None:
            return None
        if self.image_encoder is None:
            raise ValueError(_no_encoder("image"))
        tokens: Tensor = self.image_encoder(batch.image)
        return tokens

    def _block(self, layer: int) -> Block:
        block = self.decoder.blocks[layer]
        assert isinstance(block, Block)
        return block


def _no_encoder(modality: Modality) -> str:
    return (
        f"The batch has {modality} input, but the model was built without an {modality} encoder: "
        f"name {modality!r} among the modalities it is built for, or leave it out of the batch."
    )


def _cross_layers(config: ModelConfig) -> tuple[int, ...]:
    if config.cross_layers is None:
        return tuple(range(config.num_layers))
    wrong = [layer for layer in config.cross_layers if layer >= config.num_layers]
    if wrong or not config.cross_layers or len(set(config.cross_layers)) < len(config.cross_layers):
        raise UsageError(
            f"model.cross_layers {list(config.cross_layers)} must name decoder blocks, each once: "
            f"0 to {config.num_layers - 1}. Leave it out for all of them."
        )
    return config.cross_layers


def build(
    config: ModelConfig,
    *,
    vocab_size: int,
    kernel: str,
    modalities: tuple[Modality, ...],
    num_tags: int = 0,
    features: FeatureSizes | None = None,
) -> Multimodal:
    """A multimodal model with encoders for `modalities`; weights fresh, or those of the `init` settings.

    Raises:
        CheckpointError: a checkpoint cannot be loaded.
        UsageError: the numbers do not fit together, or the checkpoint has another vocabulary.
    """
    decoder = gpt.build(config, vocab_size=vocab_size, kernel=kernel, num_tags=num_tags, features=features)
    image_config, audio_config = config.image, config.audio
    image_encoder = audio_encoder = None
    if "image" in modalities:
        image_encoder, image_config = vit.build_encoder(config.image, kernel=kernel)
    if "audio" in modalities:
        audio_encoder, audio_config = whisper.build_encoder(config.audio, kernel=kernel)
    full = decoder.config.model_copy(update={"image": image_config, "audio": audio_config})
    return Multimodal(decoder, image_encoder, audio_encoder, config=full, kernel=kernel)


def quantise(model: Multimodal) -> None:
    """As `gpt.quantise`, cross-attention included; the encoders, which work once per example, stay as they are."""
    gpt.quantise(model.decoder)


MODEL = ModelSpec(
    name="multimodal",
    summary="the same GPT with gated cross-attention over image (ViT) and audio (Whisper-style) tokens",
    modalities=("image", "audio"),
    paper="Alayrac et al. 2022, Flamingo: a Visual Language Model for Few-Shot Learning",
    build=build,
    variants={"int8": quantise},
)

if TYPE_CHECKING:
    _: type[Contestant] = Multimodal
