"""The attention problems that tests, emulator, PTX interpreter, GPU and microbenchmarks share: one row each.

To add one: a row in `CASES`. Its tags say who takes it up; `EDGES` are also varied over every mask and `causal`.

Legend: batch, heads, kv_heads, queries, keys, head_dim.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from bimodal_kernels import reference

MaskKind = Literal["none", "ragged", "holes", "empty row"]
"""Which keys are kept: all; a prefix of each row; three quarters at random; ragged, and the last row sees none."""

Layout = Literal["contiguous", "packed", "positions first", "sliced"]
"""How the inputs lie in memory.

`contiguous`: [batch, heads, position, head_dim]. `packed`: views of one [batch, position, 3, heads, head_dim], as a
fused projection leaves them (needs as many queries as keys, and as many key heads as heads). `positions first`:
[batch, position, heads, head_dim] each. `sliced`: the first slots of larger caches, that of the values
[batch, slot, heads, head_dim].
"""

Tag = Literal["edge", "block", "cuda", "decode", "timed", "model"]
"""Who takes a row up.

`edge`: every backend is tested on it against float64, with every mask, causal or not, forward and backward.
`block`: larger than the blocks that the CPU kernels cut their work into; the CPU proof runs it as it stands.
`cuda`: the fp16 and bf16 kernels run it, on the emulator, in the PTX interpreter (the small ones) and on a GPU.
`decode`: one query per row against a cache, the row's mask giving the lengths.
`timed`: `bench kernels bench` and pytest-benchmark time it.
`model`: a shape that the shipped models produce.
"""

DTYPES = {name: getattr(torch, name) for name in ("float16", "bfloat16", "float32", "float64")}


@dataclass(frozen=True, slots=True)
class Case:
    """One attention problem."""

    name: str
    batch: int
    heads: int
    kv_heads: int
    queries: int
    keys: int
    head_dim: int
    causal: bool = False
    mask: MaskKind = "none"
    dtype: str = "float32"
    layout: Layout = "contiguous"
    tags: frozenset[Tag] = frozenset()

    def visible_pairs(self) -> int:
        """Pairs of query and key in one head that the causal rule leaves (padding not counted)."""
        if not self.causal:
            return self.queries * self.keys
        return sum(min(self.keys, max(0, i + 1 + self.keys - self.queries)) for i in range(self.queries))

    def forward_flops(self) -> int:
        """Multiplications and additions of the two matrix products; 2 per visible pair, product and head_dim."""
        return 4 * self.batch * self.heads * self.visible_pairs() * self.head_dim

    def varied(self) -> tuple[Case, ...]:
        """This row with every mask, causal and not."""
        kinds: tuple[MaskKind, ...] = ("none", "ragged", "holes", "empty row")
        return tuple(
            replace(self, name=f"{self.name}, {kind}{', causal' if causal else ''}", mask=kind, causal=causal)
            for kind in kinds
            for causal in (False, True)
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tensors of a case, unit normal, drawn from its name."""

    query: Tensor
    key: Tensor
    value: Tensor
    grad_out: Tensor
    key_padding_mask: Tensor | None
    scale: float

    @property
    def lengths(self) -> Tensor:
        """Keys per row, int64 [batch]; means something for masks that keep a prefix (`none`, `ragged`, `empty row`)."""
        if self.key_padding_mask is None:
            return torch.full((self.key.shape[0],), self.key.shape[2], device=self.key.device)
        return self.key_padding_mask.sum(dim=1)


@dataclass(frozen=True, slots=True)
class Truth:
    """Results in float64."""

    out: Tensor
    log_sum_exp: Tensor
    grads: tuple[Tensor, Tensor, Tensor]
    """Of query, key and value."""


def make_inputs(case: Case, *, device: str = "cpu") -> Inputs:
    """The tensors of a case; always the same ones, on every device.

    Raises:
        ValueError: the layout does not suit the shape.
    """
    draw = torch.Generator().manual_seed(zlib.crc32(case.name.encode()))
    dtype = DTYPES[case.dtype]

    def normal(heads: int, length: int) -> Tensor:
        return torch.randn(case.batch, heads, length, case.head_dim, generator=draw, dtype=torch.float64).to(dtype)

    query, key, value, grad_out = (
        normal(case.heads, case.queries),
        normal(case.kv_heads, case.keys),
        normal(case.kv_heads, case.keys),
        normal(case.heads, case.queries),
    )
    mask = _mask(case, draw)
    query, key, value = (tensor.to(device) for tensor in _laid_out(case, query, key, value))
    return Inputs(
        query, key, value, grad_out.to(device), None if mask is None else mask.to(device), case.head_dim**-0.5
    )


def truth(case: Case, inputs: Inputs) -> Truth:
    """Output, log-sum-exp and gradients of a case in float64, by the reference, on the CPU."""
    query, key, value = (
        tensor.detach().cpu().double().contiguous().requires_grad_()
        for tensor in (inputs.query, inputs.key, inputs.value)
    )
    mask = None if inputs.key_padding_mask is None else inputs.key_padding_mask.cpu()
    out = reference.forward(query, key, value, mask, case.causal, inputs.scale)
    grads = torch.autograd.grad(out, (query, key, value), inputs.grad_out.cpu().double())
    log_sum_exp = reference.log_sum_exp(query, key, mask, case.causal, inputs.scale).detach()
    return Truth(out.detach(), log_sum_exp, (grads[0], grads[1], grads[2]))


def tagged(tag: Tag) -> tuple[Case, ...]:
    """The rows with a tag, in their order."""
    return tuple(case for case in CASES if tag in case.tags)


def _mask(case: Case, draw: torch.Generator) -> Tensor | None:
    if case.mask == "none":
        return None
    if case.mask == "holes":
        return torch.rand(case.batch, case.keys, generator=draw) < 0.75
    lengths = torch.randint(case.keys // 2, case.keys + 1, (case.batch,), generator=draw)
    lengths[0] = (case.keys + 1) // 2
    if case.mask == "empty row":
        lengths[-1] = 0
    return torch.arange(case.keys) < lengths[:, None]


def _laid_out(case: Case, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    if case.layout == "contiguous":
        return query, key, value
    if case.layout == "positions first":
        query, key, value = (tensor.transpose(1, 2).contiguous().transpose(1, 2) for tensor in (query, key, value))
        return query, key, value
    if case.layout == "sliced":
        key, value = (torch.cat([t, torch.full_like(t, torch.nan)], dim=2) for t in (key, value))
        value = value.transpose(1, 2).contiguous().transpose(1, 2)
        return query, key[:, :, : case.keys], value[:, :, : case.keys]
    if query.shape != key.shape:
        raise ValueError(f"Case {case.name!r}: the packed layout needs query and key of one shape.")
    packed = torch.stack([tensor.transpose(1, 2) for tensor in (query, key, value)], dim=2)
    query, key, value = packed.permute(2, 0, 3, 1, 4).unbind()
    return query, key, value


def _tags(*tags: Tag) -> frozenset[Tag]:
    return frozenset(tags)


_EDGE, _BLOCK, _CUDA, _DECODE = _tags("edge"), _tags("block"), _tags("cuda"), _tags("decode")
_CUDA_DECODE = _tags("cuda", "decode")
_TIMED, _TIMED_DECODE = _tags("timed"), _tags("timed", "decode")
_MODEL, _MODEL_DECODE = _tags("timed", "model"), _tags("timed", "model", "decode")

# name, batch, heads, kv_heads, queries, keys, head_dim
CASES: tuple[Case, ...] = (
    # Edges: small, so that every backend can be tested on them in every variation.
    Case("ones", 1, 1, 1, 1, 1, 1, tags=_EDGE),
    Case("square", 2, 4, 4, 16, 16, 64, tags=_EDGE),
    Case("primes", 3, 5, 5, 13, 13, 7, tags=_EDGE),
    Case("fewer queries", 2, 3, 3, 5, 17, 8, tags=_EDGE),
    Case("fewer keys", 2, 3, 3, 17, 5, 8, tags=_EDGE),
    Case("one query", 2, 4, 4, 1, 19, 64, tags=_EDGE),
    Case("one key", 2, 4, 4, 19, 1, 8, tags=_EDGE),
    Case("grouped, small", 2, 6, 2, 11, 11, 8, tags=_EDGE),
    Case("one key head", 2, 4, 1, 3, 7, 16, tags=_EDGE),
    Case("long", 1, 2, 2, 3, 1100, 8, tags=_EDGE),
    Case("packed", 2, 3, 3, 21, 21, 16, layout="packed", tags=_EDGE),
    Case("positions first, ragged blocks", 2, 2, 2, 67, 131, 48, layout="positions first", tags=_EDGE),
    Case("sliced, wide head", 1, 4, 2, 33, 70, 128, layout="sliced", tags=_EDGE),
    Case("widest head", 1, 1, 1, 9, 18, 256, tags=_EDGE),
    # Blocks of the CPU kernels: 48 queries by 96 keys (64 backward) of vectors of up to 16; all their ends are ragged.
    Case("whole blocks", 1, 1, 1, 96, 192, 64, causal=True, tags=_BLOCK),
    Case("ragged blocks", 1, 2, 2, 101, 263, 64, causal=True, mask="holes", tags=_BLOCK),
    Case("more queries than keys", 1, 2, 2, 263, 101, 64, causal=True, tags=_BLOCK),
    Case("patches", 1, 2, 2, 197, 197, 64, layout="packed", tags=_BLOCK),
    Case("grouped blocks", 2, 6, 2, 71, 150, 64, causal=True, mask="ragged", tags=_BLOCK),
    Case("wide, ragged", 1, 2, 1, 50, 130, 128, causal=True, mask="holes", tags=_BLOCK),
    Case("odd width", 1, 2, 1, 50, 130, 37, causal=True, mask="empty row", tags=_BLOCK),
    Case("few queries, many keys", 1, 6, 2, 4, 1111, 64, causal=True, mask="holes", tags=_BLOCK),
    # Long enough for the CPU's matrix unit, where there is one: squares of 32 by 32, 64 queries to a block.
    Case("long, holes", 1, 4, 2, 259, 300, 64, causal=True, mask="holes", layout="positions first", tags=_BLOCK),
    Case("long, fewer keys", 2, 2, 2, 290, 259, 32, causal=True, mask="empty row", tags=_BLOCK),
    Case("long, wide", 2, 2, 1, 256, 289, 128, mask="ragged", tags=_BLOCK),
    # CUDA kernels: around the borders of their tiles (16, 64 and 128 rows), both widths of head, both dtypes.
    Case("one tile", 1, 1, 1, 64, 64, 64, dtype="float16", tags=_CUDA),
    Case("one tile, wide", 1, 1, 1, 64, 64, 128, dtype="float16", tags=_CUDA),
    Case("one tile, bf16", 1, 1, 1, 64, 64, 64, dtype="bfloat16", tags=_CUDA),
    Case("one tile, wide, bf16", 1, 1, 1, 64, 64, 128, dtype="bfloat16", tags=_CUDA),
    Case("single", 1, 1, 1, 1, 1, 64, dtype="float16", tags=_CUDA),
    Case("causal", 1, 2, 2, 130, 130, 64, causal=True, dtype="float16", tags=_CUDA),
    Case("causal, wide, bf16", 1, 2, 2, 130, 130, 128, causal=True, dtype="bfloat16", tags=_CUDA),
    Case("causal, one key into a tile", 1, 1, 1, 128, 193, 64, causal=True, dtype="float16", tags=_CUDA),
    Case("one query, holes", 3, 4, 2, 1, 150, 64, mask="holes", dtype="float16", tags=_CUDA),
    Case("ragged keys, unmasked", 1, 2, 2, 64, 97, 64, dtype="float16", tags=_CUDA),
    Case("ragged queries", 2, 1, 1, 33, 128, 128, dtype="float16", tags=_CUDA),
    Case("chunked prefill", 1, 2, 1, 37, 149, 64, causal=True, dtype="bfloat16", tags=_CUDA),
    Case("blind queries", 1, 2, 2, 149, 37, 64, causal=True, dtype="float16", tags=_CUDA),
    Case("grouped", 2, 6, 2, 71, 71, 64, causal=True, dtype="float16", layout="positions first", tags=_CUDA),
    Case("packed heads", 2, 3, 3, 80, 80, 64, True, "ragged", "bfloat16", "packed", _CUDA),
    Case("holes", 3, 2, 2, 50, 111, 64, mask="holes", dtype="float16", tags=_CUDA),
    Case("empty row", 3, 2, 2, 50, 111, 128, causal=True, mask="empty row", dtype="bfloat16", tags=_CUDA),
    Case("sliced cache", 2, 2, 2, 20, 90, 64, dtype="float16", layout="sliced", tags=_CUDA),
    Case("many tiles", 1, 1, 1, 257, 389, 64, causal=True, mask="ragged", dtype="float16", tags=_CUDA),
    # Decode: the mask's row sums are the lengths.
    Case("decode, one slot", 1, 1, 1, 1, 1, 64, dtype="float16", tags=_CUDA_DECODE),
    Case("decode", 3, 4, 4, 1, 200, 64, False, "ragged", "float16", "sliced", _CUDA_DECODE),
    Case("decode, grouped, wide", 2, 8, 2, 1, 333, 128, False, "empty row", "bfloat16", tags=_CUDA_DECODE),
    Case("decode, long", 1, 2, 1, 1, 1500, 64, False, "ragged", "bfloat16", tags=_CUDA_DECODE),
    Case("decode, many heads of one", 2, 36, 2, 1, 100, 64, False, "ragged", "float16", tags=_CUDA_DECODE),
    Case("decode, fp32", 3, 4, 4, 1, 50, 64, mask="ragged", layout="sliced", tags=_DECODE),
    Case("decode, fp32, grouped, empty", 3, 6, 2, 1, 37, 48, mask="empty row", tags=_DECODE),
    Case("decode, fp32, odd head", 2, 3, 3, 1, 300, 20, mask="ragged", tags=_DECODE),
    # What the shipped presets produce: `small` trains 16 captions of about 14 tokens and writes 64 at a time.
    Case("small, text", 16, 3, 3, 14, 14, 64, causal=True, layout="packed", tags=_MODEL),
    Case("small, text to image", 16, 3, 3, 14, 17, 64, layout="positions first", tags=_MODEL),
    Case("small, image", 16, 3, 3, 17, 17, 64, layout="packed", tags=_MODEL),
    Case("base, image", 64, 6, 6, 65, 65, 64, layout="packed", tags=_MODEL),
    Case("small, decode", 64, 3, 3, 1, 20, 64, mask="ragged", layout="sliced", tags=_MODEL_DECODE),
    # Timed: shapes of small multimodal models, language models and decoding.
    Case("caption self", 64, 3, 3, 12, 12, 64, causal=True, tags=_TIMED),
    Case("caption cross 16", 64, 3, 3, 12, 16, 64, tags=_TIMED),
    Case("caption cross 64, ragged", 64, 3, 3, 12, 64, 64, mask="ragged", tags=_TIMED),
    Case("caption cross 64, holes", 64, 3, 3, 12, 64, 64, mask="holes", tags=_TIMED),
    Case("image 64", 64, 3, 3, 64, 64, 64, tags=_TIMED),
    Case("image 197", 32, 6, 6, 197, 197, 64, tags=_TIMED),
    Case("audio 375", 8, 6, 6, 375, 375, 64, tags=_TIMED),
    Case("language 128", 16, 4, 4, 128, 128, 64, causal=True, tags=_TIMED),
    Case("language 256", 8, 8, 8, 256, 256, 64, causal=True, tags=_TIMED),
    Case("gpt2 1024", 1, 12, 12, 1024, 1024, 64, causal=True, tags=_TIMED),
    Case("wide 512", 2, 8, 8, 512, 512, 128, causal=True, tags=_TIMED),
    Case("decode 1 x 256", 1, 12, 12, 1, 256, 64, tags=_TIMED_DECODE),
    Case("decode 8 x 256", 8, 8, 8, 1, 256, 64, tags=_TIMED_DECODE),
    Case("decode 8 x 1024", 8, 8, 8, 1, 1024, 64, tags=_TIMED_DECODE),
)

EDGES: tuple[Case, ...] = tuple(variation for case in tagged("edge") for variation in case.varied())
"""Every edge with every mask, causal and not."""
