"""The native decoder: one more token per row through a whole GPT in one call, and linear layers with int8 weights.

Implementations are in `csrc/native`, for the CPU. Callers ask `step_limit` first, and have a path of their own where it
objects.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bimodal_kernels import loader

WIDTH_STEP = 16
"""Widths of layers must be multiples of it."""

_LIBRARY = torch.library.Library("bimodal", "FRAGMENT")  # type: ignore[no-untyped-call]
for _schema in (
    "decoder_step(Tensor token, Tensor lengths, Tensor(a!) keys, Tensor(b!) values, Tensor[] weights, Tensor[] memory,"
    " int[] cross_layers, Tensor? memory_mask, float layer_norm_eps, Tensor? rotations) -> Tensor",
    "int8_linear(Tensor x, Tensor weight, Tensor scale, Tensor? bias) -> Tensor",
):
    _LIBRARY.define(_schema, tags=(torch.Tag.pt2_compliant_tag,))  # type: ignore[no-untyped-call]

_step_op = torch.ops.bimodal.decoder_step.default
_int8_op = torch.ops.bimodal.int8_linear.default


def step_limit(device: torch.device, dtype: torch.dtype, widths: Sequence[int]) -> str | None:
    """What keeps `decoder_step` from serving layers of these widths; None: nothing. Compiles it if need be."""
    if device.type != "cpu":
        return f"serves cpu devices, not {device.type}"
    if dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return f"serves float32, not {torch.get_autocast_dtype('cpu') if dtype == torch.float32 else dtype}"
    odd = [width for width in widths if width % WIDTH_STEP]
    if odd:
        return f"serves widths that are multiples of {WIDTH_STEP}, not {odd[0]}"
    return loader.obstacle("native")


def decoder_step(
    token: Tensor,
    lengths: Tensor,
    keys: Tensor,
    values: Tensor,
    weights: list[Tensor],
    memory: list[Tensor],
    cross_layers: list[int],
    memory_mask: Tensor | None,
    layer_norm_eps: float,
    rotations: Tensor | None = None,
) -> Tensor:
    """Read one more token per row; logits [batch, vocab_size] after it. Inference only.

    Args:
        token: [batch] int64.
        lengths: [batch] int64, tokens so far; the new one's keys and values are written to that slot.
        keys: [layer, batch, head, slot, head_dim] fp32, contiguous.
        values: the same.
        weights: in the order in which they are used: token embedding (the head, too), position embedding unless there
            are rotations; per block norm, in_proj (query, key, value), out_proj, [norm, query_proj, out_proj without
            bias, gate], norm, up, down; norm. Each weight [out, in] is followed by its bias; int8 ones by their scales
            [out] first.
        memory: key and value [batch, head, token, head_dim] of each block in `cross_layers`.
        cross_layers: blocks that read the memory; the bracketed weights are theirs. Without a memory, none.
        memory_mask: [batch, token] bool, contiguous; None keeps all.
        layer_norm_eps: as for torch's layer norm.
        rotations: [position, head_dim / 2, 2], cosine and sine of the angles by which queries and keys are turned.
    """
    with torch._C._AutoDispatchBelowAutograd():
        return _step_op(  # type: ignore[no-any-return]
            token, lengths, keys, values, weights, memory, cross_layers, memory_mask, layer_norm_eps, rotations
        )


def int8_linear(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    """Linear layer of x [row, input] fp32 with weights scale[output] * weight[output, input] int8, on the CPU."""
    return _int8_op(x, weight, scale, bias)  # type: ignore[no-any-return]


@torch.library.register_fake("bimodal::decoder_step", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _step_fake(
    token: Tensor,
    lengths: Tensor,
    keys: Tensor,
    values: Tensor,
    weights: list[Tensor],
    memory: list[Tensor],
    cross_layers: list[int],
    memory_mask: Tensor | None,
    layer_norm_eps: float,
    rotations: Tensor | None = None,
) -> Tensor:
    return keys.new_empty((token.shape[0], weights[0].shape[0]))


@torch.library.register_fake("bimodal::int8_linear", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _int8_fake(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty((x.shape[0], weight.shape[0]))
