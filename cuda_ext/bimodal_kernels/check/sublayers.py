"""The native sub-layers and their gradients against their definition in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from bimodal_kernels import reference, sublayers
from bimodal_kernels.sublayers import Linear, Norm

TOLERANCE = 2e-6
"""Largest error of a sum or a gradient, relative to the largest true value where that is above 1."""
_EPS, _SEED = 1e-5, 1


@dataclass(frozen=True, slots=True)
class SublayerCase:
    """The input of a sub-layer and the widths of its layers."""

    name: str
    batch: int
    positions: int
    heads: int
    head_dim: int
    mlp_dim: int
    keys: int = 5
    causal: bool = False
    mask: bool = False
    dropout: float = 0.0
    tanh: bool = False


CASES = (
    SublayerCase("one position", 1, 1, 1, 32, 64),
    SublayerCase("causal, dropout", 3, 11, 2, 32, 96, causal=True, dropout=0.3, tanh=True),
    SublayerCase("masked rows", 3, 7, 2, 16, 32, mask=True),
    # Blocks of the matrix unit: 384 rows of a thread, 512 of depth, which is all rows for gradients of weights.
    SublayerCase("several blocks", 9, 101, 1, 32, 544, dropout=0.1),
    # Layers that the matrix unit does not serve.
    SublayerCase("odd widths", 3, 7, 2, 12, 50, causal=True, dropout=0.3),
    SublayerCase("odd widths, masked rows", 5, 16, 3, 7, 33, mask=True, tanh=True),
)

Call = Callable[..., Tensor]
"""Takes the leaves, as they are or in float64."""


def faults() -> Iterator[str]:
    """What is wrong with sub-layers: sums, and gradients of their input and of every weight."""
    for case in CASES:
        for name, (leaves, ours, exact) in _sublayers(case).items():
            grad_out = torch.randn(leaves["x"].shape, generator=torch.Generator().manual_seed(2))
            found, truth = _results(ours, leaves, grad_out), _results(exact, leaves, grad_out, torch.float64)
            for what in truth:
                error = (found[what].double() - truth[what]).abs().nan_to_num(nan=torch.inf).max()
                relative = float(error / truth[what].abs().max().clamp_min(1))
                if not relative <= TOLERANCE:
                    yield f"{name}, {case.name}: {what} has error {relative:.2e} > {TOLERANCE:.1e}"


def _sublayers(case: SublayerCase) -> dict[str, tuple[dict[str, Tensor], Call, Call]]:
    """Of each sub-layer: its leaves, itself, and its definition."""
    width, draw = case.heads * case.head_dim, torch.Generator().manual_seed(len(case.name))

    def normal(*shape: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
        return mean + std * torch.randn(shape, generator=draw)

    def layer(outputs: int, inputs: int, name: str) -> dict[str, Tensor]:
        return {
            f"{name}_weight": normal(outputs, inputs, std=inputs**-0.5),
            f"{name}_bias": normal(outputs, std=0.3),
        }

    def keep(keys: int) -> Tensor | None:
        if not case.mask:
            return None
        mask = torch.rand(case.batch, keys, generator=draw) < 0.6
        mask[-1] = False
        return mask

    # An input far from 0, whose variance a sum of squares would lose.
    common = {
        "x": normal(case.batch, case.positions, width, mean=3.0),
        "norm_weight": normal(width, mean=1.0, std=0.3),
        "norm_bias": normal(width, std=0.3),
    }
    feed_forward = common | layer(case.mlp_dim, width, "up") | layer(width, case.mlp_dim, "down")
    self_attention = common | layer(3 * width, width, "qkv") | layer(width, width, "out")
    shape = (case.batch, case.keys, case.heads, case.head_dim)
    memory = {"key": normal(*shape).transpose(1, 2), "value": normal(*shape).transpose(1, 2)}
    cross = memory | layer(width, width, "query") | {"out_weight": normal(width, width, std=width**-0.5)}
    own, others = keep(case.positions), keep(case.keys)
    return {
        "feed-forward": (feed_forward, partial(_feed_forward, case), partial(_feed_forward_by_definition, case)),
        "self-attention": (
            self_attention,
            partial(_self_attention, case, own),
            partial(_self_attention_by_definition, case, own),
        ),
        "cross-attention": (
            common | cross | {"gate": torch.tensor([0.4])},
            partial(_cross_attention, others),
            partial(_cross_attention_by_definition, others),
        ),
    }


def _results(
    call: Call, leaves: dict[str, Tensor], grad_out: Tensor, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    mine = {name: leaf.to(dtype).detach().requires_grad_() for name, leaf in leaves.items()}
    torch.manual_seed(_SEED)
    out = call(**mine)
    grads = torch.autograd.grad(out, list(mine.values()), grad_out.to(dtype))
    return {"the sum": out.detach(), **{f"the gradient of {name}": g for name, g in zip(mine, grads, strict=True)}}


def _dropped(case: SublayerCase, y: Tensor) -> Tensor:
    """What dropout makes of y: the same elements as in the sub-layer, whose first draw is this one."""
    if not case.dropout:
        return y
    seed = int(torch.empty((), dtype=torch.int64).random_())
    kept: Tensor = torch.ops.bimodal.dropout(torch.ones(y.shape), case.dropout, seed)
    return y * kept.to(y.dtype)


def _normed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    normed: Tensor = F.layer_norm(x, weight.shape, weight, bias, _EPS)
    return normed


def _attended(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor:
    seen = reference.forward(query, key, value, mask, causal, query.shape[-1] ** -0.5)
    return seen.transpose(1, 2).flatten(2)


def _feed_forward(case: SublayerCase, **w: Tensor) -> Tensor:
    norm = Norm(w["norm_weight"], w["norm_bias"], _EPS)
    up, down = Linear(w["up_weight"], w["up_bias"]), Linear(w["down_weight"], w["down_bias"])
    return sublayers.feed_forward(w["x"], norm, up, down, tanh=case.tanh, dropout=case.dropout)


def _feed_forward_by_definition(case: SublayerCase, **w: Tensor) -> Tensor:
    hidden = F.linear(_normed(w["x"], w["norm_weight"], w["norm_bias"]), w["up_weight"], w["up_bias"])
    hidden = F.gelu(hidden, approximate="tanh" if case.tanh else "none")
    return w["x"] + _dropped(case, F.linear(hidden, w["down_weight"], w["down_bias"]))


def _self_attention(case: SublayerCase, mask: Tensor | None, **w: Tensor) -> Tensor:
    norm = Norm(w["norm_weight"], w["norm_bias"], _EPS)
    qkv, out = Linear(w["qkv_weight"], w["qkv_bias"]), Linear(w["out_weight"], w["out_bias"])
    return sublayers.self_attention(
        w["x"],
        norm,
        qkv,
        out,
        num_heads=case.heads,
        key_padding_mask=mask,
        causal=case.causal,
        dropout=case.dropout,
    )


def _self_attention_by_definition(case: SublayerCase, mask: Tensor | None, **w: Tensor) -> Tensor:
    qkv = F.linear(_normed(w["x"], w["norm_weight"], w["norm_bias"]), w["qkv_weight"], w["qkv_bias"])
    query, key, value = qkv.view(*qkv.shape[:2], 3, case.heads, case.head_dim).permute(2, 0, 3, 1, 4)
    seen = _attended(query, key, value, mask, causal=case.causal)
    return w["x"] + _dropped(case, F.linear(seen, w["out_weight"], w["out_bias"]))


def _cross_attention(mask: Tensor | None, **w: Tensor) -> Tensor:
    norm, query = Norm(w["norm_weight"], w["norm_bias"], _EPS), Linear(w["query_weight"], w["query_bias"])
    return sublayers.cross_attention(
        w["x"], w["key"], w["value"], norm, query, w["out_weight"], w["gate"], key_padding_mask=mask
    )


def _cross_attention_by_definition(mask: Tensor | None, **w: Tensor) -> Tensor:
    query = F.linear(_normed(w["x"], w["norm_weight"], w["norm_bias"]), w["query_weight"], w["query_bias"])
    query = query.view(*query.shape[:2], w["key"].shape[1], -1).transpose(1, 2)
    seen = _attended(query, w["key"], w["value"], mask, causal=False)
    return w["x"] + w["gate"].tanh() * F.linear(seen, w["out_weight"])
