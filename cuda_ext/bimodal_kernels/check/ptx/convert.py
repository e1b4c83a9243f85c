"""mov (with packing) and cvt.

Source: PTX ISA, "Data Movement and Conversion Instructions: mov, cvt".
"""

from __future__ import annotations

import numpy as np

from bimodal_kernels.check.ptx.block import ThreadBlock
from bimodal_kernels.check.ptx.numbers import DTYPES, Array, bfloat16_bits, bfloat16_values
from bimodal_kernels.check.ptx.program import Instruction, Vector


def move(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """Mov d, a; mov d, {low, high}; mov {low, high}, a."""
    target, source = instruction.operands
    kind = instruction.type
    if isinstance(source, Vector):
        part = DTYPES[_part_type(kind, len(source.parts))]
        packed = np.zeros(block.threads, DTYPES[kind])
        for position, operand in enumerate(source.parts):
            shift = DTYPES[kind].type(8 * part.itemsize * position)
            packed |= block.read(operand, _part_type(kind, len(source.parts))).astype(DTYPES[kind]) << shift
        block.write(target, packed, active)
    elif isinstance(target, Vector):
        part = DTYPES[_part_type(kind, len(target.parts))]
        value = block.read(source, kind)
        for position, operand in enumerate(target.parts):
            shift = DTYPES[kind].type(8 * part.itemsize * position)
            block.write(operand, (value >> shift).astype(part), active)
    else:
        block.write(target, block.read(source, kind), active)


def _part_type(kind: str, parts: int) -> str:
    return f"u{int(kind[1:]) // parts}"


def convert(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """cvt.<rounding>.<to>.<from>; for f16x2 and bf16x2 the first source is the upper half."""
    target, *sources = instruction.operands
    to, source_type = instruction.modifiers[-2:]
    if to in ("f16x2", "bf16x2"):
        upper, lower = (_sixteen_bits(block.read(operand, "f32"), to).astype(np.uint32) for operand in sources)
        result = lower | upper << np.uint32(16)
    elif to == "bf16":
        result = bfloat16_bits(block.read(sources[0], "f32"))
    elif source_type == "bf16":
        result = bfloat16_values(block.read(sources[0], "b16")).astype(DTYPES[to])
    else:
        result = _cast(block.read(sources[0], source_type), to, instruction)
    block.write(target, result, active)


def _sixteen_bits(values: Array, pair_type: str) -> Array:
    return values.astype(np.float16).view(np.uint16) if pair_type == "f16x2" else bfloat16_bits(values)


_ROUND = {"rzi": np.trunc, "rni": np.rint, "rmi": np.floor, "rpi": np.ceil}


def _cast(values: Array, to: str, instruction: Instruction) -> Array:
    dtype = DTYPES[to]
    if values.dtype.kind == "f":
        rounding = next((_ROUND[name] for name in instruction.modifiers if name in _ROUND), None)
        values = values if rounding is None else rounding(values)
        if dtype.kind in "iu":  # a GPU saturates, numpy would wrap
            limits = np.iinfo(dtype)
            values = np.clip(np.nan_to_num(values.astype(np.float64), nan=0.0), limits.min, limits.max)
        if "sat" in instruction.modifiers and dtype.kind == "f":
            values = np.clip(np.nan_to_num(values, nan=0.0), 0, 1)
    return values.astype(dtype)
