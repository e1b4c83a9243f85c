"""The native decoder against its definition in float64: linear layers, and whole steps of small decoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from bimodal_kernels import decoder

TOLERANCE = 2e-6
"""Largest error of a linear layer or of a step's logits, relative to the largest true value where that is above 1."""

ROWS = (1, 2, 5, 6, 7, 12, 33)
LAYERS = ((16, 1), (16, 16), (48, 17), (256, 100), (3072, 31))
"""Inputs and outputs. Rows share a pass over the weights in groups of at most 6; outputs come in vectors of 16."""


@dataclass(frozen=True, slots=True)
class StepCase:
    """A decoder and the rows that take a step in it."""

    name: str
    lengths: tuple[int, ...]
    heads: int = 2
    head_dim: int = 16
    mlp_dim: int = 48
    vocab: int = 37
    blocks: int = 2
    cross_layers: tuple[int, ...] = ()
    mask: bool = False
    int8: bool = False
    rotary: bool = False


STEPS = (
    StepCase("one row", (5,)),
    StepCase("nothing before it", (0,)),
    StepCase("rows of several lengths", (3, 0, 7, 5, 7, 1, 2)),
    StepCase("odd heads", (2, 4), heads=4, head_dim=12),
    StepCase("rotary positions", (3, 0, 7), heads=4, head_dim=12, rotary=True),
    StepCase("cross-attention in the second block", (3, 6), cross_layers=(1,)),
    StepCase("a memory with holes, and one that is all hole", (3, 6, 2), cross_layers=(0, 1), mask=True),
)
ALL_STEPS = (*STEPS, *(replace(case, name=f"{case.name}, int8", int8=True) for case in STEPS))


@dataclass(frozen=True, slots=True)
class Step:
    """Arguments of `decoder.decoder_step`, and the logits and cache there should be, in float64."""

    arguments: tuple[list[Tensor] | list[int] | Tensor | float | None, ...]
    logits: Tensor
    keys: Tensor
    values: Tensor


def linear_faults() -> Iterator[str]:
    """What is wrong with int8 layers; fp32 ones differ by a load, and are in the steps."""
    for inputs, outputs in LAYERS:
        for rows in ROWS:
            draw = torch.Generator().manual_seed(rows * inputs + outputs)
            x, bias = torch.randn(rows, inputs, generator=draw), torch.randn(outputs, generator=draw)
            weight, scale = _rounded(torch.randn(outputs, inputs, generator=draw))
            exact = F.linear(x.double(), weight.double() * scale.double()[:, None], bias.double())
            yield from _fault(
                f"int8 layer, {rows} x {inputs} -> {outputs}", decoder.int8_linear(x, weight, scale, bias), exact
            )


def step_faults() -> Iterator[str]:
    """What is wrong with steps: logits, and what they leave in the cache."""
    for case in ALL_STEPS:
        step = make_step(case)
        logits = decoder.decoder_step(*step.arguments)  # type: ignore[arg-type]
        yield from _fault(f"step, {case.name}: logits", logits, step.logits)
        for name, index, exact in (("keys", 2, step.keys), ("values", 3, step.values)):
            found = step.arguments[index]
            assert isinstance(found, Tensor)
            yield from _fault(f"step, {case.name}: {name}", found, exact)


def make_step(case: StepCase) -> Step:
    """Draw a decoder and a cache, and compute one step by its definition.

    Source: Radford et al. 2019, sec. 2.3; gated cross-attention: Alayrac et al. 2022 (Flamingo), sec. 3.1.2.
    """
    draw = torch.Generator().manual_seed(len(case.name))
    width, batch, slots, eps = case.heads * case.head_dim, len(case.lengths), max(case.lengths) + 2, 1e-5
    lengths, rows = torch.tensor(case.lengths), torch.arange(batch)
    taken: list[Tensor] = []

    def vector(size: int, mean: float = 0.0) -> Tensor:
        taken.append(mean + 0.3 * torch.randn(size, generator=draw))
        return taken[-1].double()

    def matrix(outputs: int, inputs: int) -> Tensor:
        weight: Tensor = torch.randn(outputs, inputs, generator=draw) / inputs**0.5
        if not case.int8:
            taken.append(weight)
            return weight.double()
        steps, scale = _rounded(weight)
        taken.extend((steps, scale))
        return steps.double() * scale.double()[:, None]

    def norm(x: Tensor) -> Tensor:
        weight, bias = vector(width, mean=1.0), vector(width)
        normed: Tensor = F.layer_norm(x, (width,), weight, bias, eps)
        return normed

    def linear(x: Tensor, outputs: int) -> Tensor:
        weight = matrix(outputs, x.shape[1])
        return F.linear(x, weight, vector(outputs))

    def attend(query: Tensor, key: Tensor, value: Tensor, keep: Tensor) -> Tensor:
        query = query.view(batch, case.heads, 1, case.head_dim)
        scores = (query @ key.double().transpose(2, 3) / case.head_dim**0.5).masked_fill(
            ~keep[:, None, None], -torch.inf
        )
        seen: Tensor = scores.softmax(-1).nan_to_num(0.0) @ value.double()
        return seen.view(batch, width)

    shape = (case.blocks, batch, case.heads, slots, case.head_dim)
    keys, values = (torch.randn(shape, generator=draw) for _ in range(2))
    exact_keys, exact_values = keys.double(), values.double()
    token = torch.randint(case.vocab, (batch,), generator=draw)
    memory_mask = torch.arange(5) % 3 != rows[:, None] % 3 if case.mask else None
    if memory_mask is not None:
        memory_mask[-1] = False
    there = torch.ones(batch, 5, dtype=torch.bool) if memory_mask is None else memory_mask
    memory: list[Tensor] = []

    table = matrix(case.vocab, width)
    x, rotations = table[token], None
    if case.rotary:
        rotations = torch.randn(slots, case.head_dim // 2, 2, generator=draw)
    else:
        positions = 0.3 * torch.randn(slots, width, generator=draw)
        taken.append(positions)
        x = x + positions.double()[lengths]
    for layer in range(case.blocks):
        query, key, value = linear(norm(x), 3 * width).view(batch, 3, case.heads, case.head_dim).unbind(1)
        if rotations is not None:
            query, key = (_rotated(part, rotations.double()[lengths]) for part in (query, key))
        exact_keys[layer, rows, :, lengths], exact_values[layer, rows, :, lengths] = key, value
        seen = attend(query, exact_keys[layer], exact_values[layer], torch.arange(slots) <= lengths[:, None])
        x = x + linear(seen, width)
        if layer in case.cross_layers:
            memory += [
                torch.randn(batch, 5, case.heads, case.head_dim, generator=draw).transpose(1, 2) for _ in range(2)
            ]
            seen = attend(linear(norm(x), width), memory[-2], memory[-1], there)
            seen = F.linear(seen, matrix(width, width))
            x = x + vector(1, mean=0.5).tanh() * seen
        x = x + linear(F.gelu(linear(norm(x), case.mlp_dim), approximate="tanh"), width)
    logits = F.linear(norm(x), table)
    arguments = (token, lengths, keys, values, taken, memory, list(case.cross_layers), memory_mask, eps, rotations)
    return Step(arguments, logits, exact_keys, exact_values)


def _rotated(x: Tensor, by: Tensor) -> Tensor:
    # x [row, head, head_dim], by [row, pair, 2]: each pair of numbers times [[cos, -sin], [sin, cos]]
    cosine, sine = by[:, None, :, 0], by[:, None, :, 1]
    first, second = x[..., ::2], x[..., 1::2]
    return torch.stack([first * cosine - second * sine, first * sine + second * cosine], -1).flatten(-2)


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    scale = weight.abs().amax(dim=1) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale


def _fault(what: str, found: Tensor, exact: Tensor) -> Iterator[str]:
    error = float((found.double() - exact).abs().nan_to_num(nan=torch.inf).max() / exact.abs().max().clamp_min(1))
    if not error <= TOLERANCE:
        yield f"{what} have error {error:.2e} > {TOLERANCE:.1e}"
