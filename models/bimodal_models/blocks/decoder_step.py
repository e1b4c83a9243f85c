"""The whole decoder for one more token per row as one native call, where that serves. Legend: batch, vocab_size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bimodal_kernels import decoder, fallbacks
from bimodal_models.blocks.attention import Attention
from bimodal_models.blocks.context import FusedContext
from bimodal_models.blocks.cross_attention import GatedCrossAttention
from bimodal_models.blocks.dropout import Dropout
from bimodal_models.blocks.int8 import Int8Embedding, Int8Linear
from bimodal_models.blocks.transformer import MLP, Block

_LAYERS = (nn.LayerNorm, nn.Linear, Int8Linear, nn.Embedding, Int8Embedding, Dropout, nn.Dropout, nn.GELU)
_KNOWN = (Block, Attention, GatedCrossAttention, MLP, *_LAYERS)
"""Modules that the native step computes; anything else, such as an adapter, goes layer by layer."""


@dataclass(frozen=True, slots=True)
class DecoderStep:
    """A decoder's weights, in the order in which `bimodal_kernels.decoder` wants them."""

    plain: list[Tensor]
    """Without cross-attention."""
    crossed: list[Tensor]
    """With it."""
    cross_layers: list[int]
    layer_norm_eps: float
    rotations: Float[Tensor, "position pair 2"] | None
    """None: positions are an embedding, and so among the weights."""

    def __call__(
        self,
        token: Int[Tensor, "batch"],
        lengths: Int[Tensor, "batch"],
        keys: Float[Tensor, "layer batch head slot head_dim"],
        values: Float[Tensor, "layer batch head slot head_dim"],
        context: FusedContext | None,
    ) -> Float[Tensor, "batch vocab_size"]:
        """Logits after one more token per row; its keys and values are written behind each row's first `lengths`."""
        weights, cross_layers, mask = self.plain, list[int](), None
        memory: list[Tensor] = []
        if context is not None:
            weights, cross_layers, mask = self.crossed, self.cross_layers, context.mask
            memory = [tensor for layer in cross_layers for tensor in context.layers[layer] or ()]
        return decoder.decoder_step(
            token, lengths, keys, values, weights, memory, cross_layers, mask, self.layer_norm_eps, self.rotations
        )


def native_step(
    token_embedding: nn.Embedding | Int8Embedding,
    position_embedding: nn.Embedding | None,
    blocks: Sequence[Block],
    final_norm: nn.LayerNorm,
    *,
    rotations: Float[Tensor, "position pair 2"] | None = None,
) -> DecoderStep | None:
    """The step of a decoder with a tied head, in one call; None if it has to go layer by layer.

    A decoder whose attention runs on `native` and whose step cannot is recorded as a fallback.
    """
    if blocks[0].attention.kernel != "native" or torch.compiler.is_compiling():
        return None
    embeddings = [token_embedding] if position_embedding is None else [token_embedding, position_embedding]
    reason = _obstacle([module for part in (*embeddings, *blocks, final_norm) for module in part.modules()])
    if reason is not None:
        fallbacks.record("native decoder step", reason, "one layer at a time")
        return None
    first, last = [*_tensors(*embeddings)], [*_tensors(final_norm)]
    return DecoderStep(
        plain=[*first, *(tensor for block in blocks for tensor in _of_block(block, crossed=False)), *last],
        crossed=[*first, *(tensor for block in blocks for tensor in _of_block(block, crossed=True)), *last],
        cross_layers=[layer for layer, block in enumerate(blocks) if block.cross is not None],
        layer_norm_eps=final_norm.eps,
        rotations=rotations,
    )


def _of_block(block: Block, *, crossed: bool) -> Iterator[Tensor]:
    yield from _tensors(block.attention_norm, block.attention.in_proj, block.attention.out_proj)
    if block.cross is not None and crossed:
        yield from _tensors(block.cross.norm, block.cross.attention.query_proj, block.cross.attention.out_proj)
        yield block.cross.gate
    yield from _tensors(block.mlp_norm, block.mlp.up, block.mlp.down)


def _tensors(*modules: nn.Module) -> Iterator[Tensor]:
    """Each one's weight, then its scale and its bias where it has them."""
    for module in modules:
        for tensor in (module.weight, getattr(module, "scale", None), getattr(module, "bias", None)):
            if isinstance(tensor, Tensor):
                yield tensor


def _obstacle(modules: Sequence[nn.Module]) -> str | None:
    """What keeps the native step from computing what these modules compute."""
    for module in modules:
        if type(module) not in _KNOWN or module._forward_hooks or module._forward_pre_hooks:
            return f"serves plain layers, not {type(module).__name__}"
        if isinstance(module, nn.Dropout) and module.training and module.p > 0:
            return "serves no dropout"
        if isinstance(module, nn.GELU) and module.approximate != "tanh":
            return "serves GELU by tanh, not the exact one"
        if isinstance(module, Attention) and module.memory_dim is None and module.in_proj.bias is None:
            return "serves keys with a bias, not without"
    tensors = [tensor for module in modules for tensor in module._parameters.values() if tensor is not None]
    weights = [tensor for tensor in tensors if tensor.is_floating_point()]
    if any(weight.dtype != weights[0].dtype or weight.device != weights[0].device for weight in weights):
        return "serves one dtype and device, not several"
    widths = {module.in_features for module in modules if isinstance(module, nn.Linear | Int8Linear)}
    return decoder.step_limit(weights[0].device, weights[0].dtype, sorted(widths))
