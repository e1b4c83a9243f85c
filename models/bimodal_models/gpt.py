"""The text-only contestant: GPT-2.

Shape legend: batch, position (token), embed_dim, vocab_size.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from bimodal.errors import UsageError
from bimodal.parts import part
from bimodal.schema import Modality, ModelConfig
from bimodal.types import Batch, Cache, Contestant, Context, ModelSpec
from bimodal.word_features import FeatureSizes, FeatureTensors
from bimodal_models.blocks import int8
from bimodal_models.blocks.attention import Filled, Store
from bimodal_models.blocks.cache import KeyValueCache
from bimodal_models.blocks.context import FusedContext
from bimodal_models.blocks.decoder_step import native_step
from bimodal_models.blocks.dropout import Dropout
from bimodal_models.blocks.int8 import Int8Embedding, Int8Linear
from bimodal_models.blocks.rotary import rotation_table
from bimodal_models.blocks.transformer import Block, BlockConfig, init_gpt2
from bimodal_models.blocks.word_tagger import WordTagger
from bimodal_models.pretrained import gpt2
from bimodal_models.pretrained.checkpoint import open_checkpoint

INIT_STD = 0.02


class GPT(nn.Module):
    """GPT-2: learned positions (or rotary ones), pre-LN blocks, GELU (tanh), a head tied to the token embedding.

    Dropout stands where GPT-2 has it, on embeddings and residuals, but not on attention weights (see
    `blocks.attention`). Blocks may be given a gated cross-attention layer after construction (`multimodal`).

    Args:
        config: the architecture; `config.init` is the builder's business.
        vocab_size: number of tokens.
        kernel: backend of `bimodal_kernels.attention`.
        num_tags: size of the tagging head; 0 is none.
        features: what the tagging head reads of words beside their states; None is nothing.

    Raises:
        UsageError: heads of these numbers do not fit.

    Source: Radford et al. 2019, sec. 2.3; rotary positions: see `blocks.rotary`.
    """

    rotations: Tensor | None
    """By position, for rotary positions; None for learned ones."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        vocab_size: int,
        kernel: str,
        num_tags: int = 0,
        features: FeatureSizes | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.num_tags = num_tags
        width = config.embed_dim
        self.token_embedding: nn.Embedding | Int8Embedding = nn.Embedding(vocab_size, width)
        learned = config.positions == "learned"
        self.position_embedding = nn.Embedding(config.max_positions, width) if learned else None
        self.dropout = Dropout(config.dropout, kernel=kernel)
        block = BlockConfig(
            embed_dim=width,
            num_heads=config.num_heads,
            mlp_dim=config.mlp_dim,
            dropout=config.dropout,
            layer_norm_eps=config.layer_norm_eps,
            activation="tanh",
        )
        self.blocks = nn.ModuleList(Block(block, kernel=kernel) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        table = None if learned else rotation_table(config.max_positions, width // config.num_heads)
        self.register_buffer("rotations", table, persistent=False)
        self.apply(partial(init_gpt2, std=INIT_STD))
        # Each block adds two residuals: keep the variance of their sum independent of depth.
        for block_module in self._blocks():
            for projection in (block_module.attention.out_proj, block_module.mlp.down):
                nn.init.normal_(projection.weight, std=INIT_STD / (2 * config.num_layers) ** 0.5)
        # Drawn last, so that the decoder is the same with and without it.
        self.tag_head: nn.Linear | WordTagger | None = None
        if num_tags and features is not None:
            self.tag_head = WordTagger(width, num_tags, features)
        elif num_tags:
            self.tag_head = nn.Linear(width, num_tags)
            self.tag_head.apply(init_gpt2)

    def encode(self, batch: Batch) -> None:
        """None: this contestant only reads."""
        return None

    def hidden(
        self, tokens: Int[Tensor, "batch position"], *, context: Context | None = None
    ) -> Float[Tensor, "batch position embed_dim"]:
        """Causal decoder states of right-padded tokens.

        Raises:
            ValueError: more tokens than positions, or a context this decoder cannot read.
        """
        return self._run(self._embed(tokens), self._readable(context), causal=True, rotations=self._rotations(tokens))

    def logits(self, hidden: Float[Tensor, "... embed_dim"]) -> Float[Tensor, "... vocab_size"]:
        """Language-model logits of decoder states."""
        table = self.token_embedding
        with part("logits"):
            if isinstance(table, Int8Embedding):
                return int8.product(hidden, table.weight, table.scale, None)
            return F.linear(hidden, table.weight)

    def tag(
        self,
        tokens: Int[Tensor, "batch position"],
        lengths: Int[Tensor, "batch"],
        *,
        features: FeatureTensors | None = None,
        context: Context | None = None,
    ) -> Float[Tensor, "batch position num_tags"]:
        """Tag logits of right-padded tokens; every token sees the whole text (bidirectional attention).

        Raises:
            ValueError: built without a tagging head, features given to a head that reads none (or none to one that
                does), or as for `hidden`.
        """
        if self.tag_head is None:
            raise ValueError("This model was built without a tagging head: build it with num_tags > 0.")
        there = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        mask = None if bool(there.all()) else there
        x, rotations = self._embed(tokens), self._rotations(tokens)
        states = self._run(x, self._readable(context), causal=False, key_padding_mask=mask, rotations=rotations)
        if isinstance(self.tag_head, WordTagger):
            if features is None:
                raise ValueError("This model's tagging head reads features of words: pass those of the batch.")
            return self.tag_head(states, features)  # type: ignore[no-any-return]
        if features is not None:
            raise ValueError("The tagging head reads no features of words: build the model with `features`.")
        return self.tag_head(states)  # type: ignore[no-any-return]

    @torch.no_grad()
    def prefill(
        self,
        tokens: Int[Tensor, "batch position"],
        lengths: Int[Tensor, "batch"],
        *,
        max_length: int,
        context: Context | None = None,
    ) -> tuple[Float[Tensor, "batch vocab_size"], Cache]:
        """Read right-padded prompts: logits after each row's last token, and a cache of `max_length` tokens.

        For inference only: no gradients.

        Raises:
            ValueError: the cache would outgrow the positions or not hold the prompts, or a prompt is empty.
        """
        if max_length > self.config.max_positions:
            raise ValueError(
                f"max_length {max_length} is more than the model's {self.config.max_positions} positions "
                "(model.max_positions). Ask for fewer new tokens, or shorten the prompts."
            )
        if tokens.shape[1] > max_length:
            raise ValueError(f"Prompts of {tokens.shape[1]} tokens do not fit into a cache of max_length {max_length}.")
        config = self.config
        x = self._embed(tokens)
        cache = KeyValueCache.empty(
            num_layers=config.num_layers,
            num_heads=config.num_heads,
            head_dim=config.embed_dim // config.num_heads,
            max_length=max_length,
            lengths=lengths,
            like=x,
            step=native_step(
                self.token_embedding,
                self.position_embedding,
                self._blocks(),
                self.final_norm,
                rotations=self.rotations,
            ),
        )
        if len(lengths) and not 1 <= cache.shortest <= cache.longest <= tokens.shape[1]:
            raise ValueError(
                f"Prompt lengths must lie in 1 to {tokens.shape[1]} (the width of tokens), "
                f"got {cache.shortest} to {cache.longest}."
            )
        stores = [partial(cache.fill, layer) for layer in range(config.num_layers)]
        states = self._run(x, self._readable(context), causal=True, stores=stores, rotations=self._rotations(tokens))
        last = states[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        return self.logits(last), cache

    @torch.no_grad()
    def decode(
        self, token: Int[Tensor, "batch"], cache: Cache, *, context: Context | None = None
    ) -> tuple[Float[Tensor, "batch vocab_size"], Cache]:
        """Read one more token per row: logits after it, and the cache, one longer. Inference only.

        Raises:
            ValueError: the cache is full, or was made by another kind of model.
        """
        if not isinstance(cache, KeyValueCache):
            raise ValueError(f"Expected the cache that prefill returned, got a {type(cache).__name__}.")
        if cache.longest >= cache.max_length:
            raise ValueError(f"The cache is full ({cache.max_length} tokens): prefill with a larger max_length.")
        readable = self._readable(context)
        if cache.step is not None:
            return cache.step(token, cache.lengths, cache.keys, cache.values, readable), cache.longer()
        x = self.token_embedding(token)
        if self.position_embedding is not None:
            x = x + self.position_embedding(cache.lengths)
        stores = [partial(cache.append, layer) for layer in range(self.config.num_layers)]
        states = self._run(
            self.dropout(x)[:, None],
            readable,
            causal=False,
            stores=stores,
            filled=cache.filled(),
            rotations=None if self.rotations is None else self.rotations[cache.lengths, None],
        )
        return self.logits(states[:, 0]), cache.longer()

    def _embed(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        if length > self.config.max_positions:
            raise ValueError(
                f"{length} tokens are more than the model's {self.config.max_positions} positions "
                "(model.max_positions). Shorten the text, or build a model with more positions."
            )
        x: Tensor = self.token_embedding(tokens)
        if self.position_embedding is not None:
            x = x + self.position_embedding.weight[:length]
        return self.dropout(x)  # type: ignore[no-any-return]

    def _rotations(self, tokens: Tensor) -> Tensor | None:
        return None if self.rotations is None else self.rotations[None, : tokens.shape[1]]

    def _run(
        self,
        x: Float[Tensor, "batch position embed_dim"],
        context: FusedContext | None,
        *,
        causal: bool,
        key_padding_mask: Bool[Tensor, "batch key"] | None = None,
        stores: Sequence[Store] | None = None,
        filled: Filled | None = None,
        rotations: Float[Tensor, "#batch position pair 2"] | None = None,
    ) -> Float[Tensor, "batch position embed_dim"]:
        for layer, block in enumerate(self.blocks):
            x = block(
                x,
                causal=causal,
                key_padding_mask=key_padding_mask,
                store=None if stores is None else stores[layer],
                filled=filled,
                rotations=rotations,
                memory=None if context is None else context.layers[layer],
                memory_mask=None if context is None else context.mask,
            )
        return self.final_norm(x)  # type: ignore[no-any-return]

    def _readable(self, context: Context | None) -> FusedContext | None:
        if context is None:
            return None
        if not isinstance(context, FusedContext):
            raise ValueError(f"Expected the context that encode returned, got a {type(context).__name__}.")
        if all(block.cross is None for block in self._blocks()):
            raise ValueError("A text-only model was given a context: it has no cross-attention to read it with.")
        return context

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


def build(
    config: ModelConfig,
    *,
    vocab_size: int,
    kernel: str,
    modalities: tuple[Modality, ...] = (),
    num_tags: int = 0,
    features: FeatureSizes | None = None,
) -> GPT:
    """A GPT with fresh weights, or those of `config.init`; `modalities` are not for it.

    Raises:
        CheckpointError: `config.init` cannot be loaded.
        UsageError: the numbers do not fit together, or the checkpoint has another vocabulary.
    """
    if vocab_size < 1:
        raise UsageError(f"vocab_size must be at least 1, got {vocab_size}.")
    if config.init is not None and config.positions != "learned":
        raise UsageError(
            f"model.init names a GPT-2 and model.positions is {config.positions!r}: its weights were trained with "
            "learned positions. Leave out one of the two."
        )
    if config.init is None:
        return GPT(config, vocab_size=vocab_size, kernel=kernel, num_tags=num_tags, features=features)
    checkpoint = open_checkpoint(config.init, model_type=gpt2.MODEL_TYPE)
    config = gpt2.architecture(checkpoint, config, vocab_size=vocab_size)
    model = GPT(config, vocab_size=vocab_size, kernel=kernel, num_tags=num_tags, features=features)
    gpt2.load(model, checkpoint, num_layers=config.num_layers)
    return model


def quantise(model: GPT) -> None:
    """Round the weights of every linear layer of the decoder, and of the embedding that is its head, to int8; in place.

    Norms, biases, gates, positions and a tagging head stay as they are: they are small.
    """
    for module in [module for block in model._blocks() for module in block.modules()]:
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, Int8Linear(child))
    if isinstance(model.token_embedding, nn.Embedding):
        model.token_embedding = Int8Embedding(model.token_embedding)


MODEL = ModelSpec(
    name="gpt",
    summary="GPT-2: reads text, and nothing else",
    modalities=(),
    paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
    build=build,
    variants={"int8": quantise},
)

if TYPE_CHECKING:
    _: type[Contestant] = GPT
