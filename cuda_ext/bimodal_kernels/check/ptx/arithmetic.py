"""Instructions that compute one register from others, thread by thread.

Floats are IEEE in numpy, also where the instruction is `.approx` or `.ftz`: results differ from a GPU's by its
rounding of ex2, lg2 and rcp (2 units in the last place at most) and by denormals, which it may flush to 0.

Source: PTX ISA, "Integer Arithmetic", "Floating Point", "Comparison and Selection", "Logic and Shift".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bimodal_kernels.check.ptx.block import ThreadBlock
from bimodal_kernels.check.ptx.numbers import DTYPES, WIDER, Array
from bimodal_kernels.check.ptx.program import Instruction, Vector

_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}

_UNARY: dict[str, Callable[[Array], Array]] = {
    "neg": np.negative,
    "abs": np.abs,
    "not": np.invert,
    "ex2": np.exp2,
    "lg2": np.log2,
    "rcp": np.reciprocal,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: np.reciprocal(np.sqrt(x)),
    "cvta": lambda x: x,  # one address space: memory.GLOBAL_BASE tells shared from global
}

_BITS = ("bfe", "bfi", "prmt", "shf", "lop3")

_COMPARE: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
}


def compute(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """Execute one instruction of `OPCODES`."""
    block.write(instruction.operands[0], _result(block, instruction), active)


def compare(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """setp.<comparison>[.<and|or|xor>]: p = (a <comparison> b) [combined with c]; p|q also sets the opposite."""
    comparison, kind = instruction.modifiers[0], instruction.type
    left, right = (block.read(operand, kind) for operand in instruction.operands[1:3])
    result = _compared(comparison, left, right)
    combine = next((name for name in instruction.modifiers if name in ("and", "or", "xor")), None)
    target = instruction.operands[0]
    targets = target.parts if isinstance(target, Vector) else (target,)
    for register, value in zip(targets, (result, ~result), strict=False):
        combined = value if combine is None else _BINARY[combine](value, block.read(instruction.operands[3], "pred"))
        block.write(register, combined, active)


def _compared(comparison: str, left: Array, right: Array) -> Array:
    if comparison in ("num", "nan"):
        unordered = np.isnan(left) | np.isnan(right)
        return unordered if comparison == "nan" else ~unordered
    if left.dtype.kind == "f":
        unordered = np.isnan(left) | np.isnan(right)
        if comparison.endswith("u") and comparison != "u":
            return _COMPARE[comparison[:2]](left, right) | unordered
        return _COMPARE[comparison](left, right) & ~unordered
    return _COMPARE[comparison](left, right)


def _result(block: ThreadBlock, instruction: Instruction) -> Array:
    opcode, kind = instruction.opcode, instruction.type
    sources = instruction.operands[1:]
    if opcode in ("shl", "shr"):
        return _shifted(opcode, block.read(sources[0], kind), block.read(sources[1], "u32"))
    if opcode == "selp":
        return np.where(block.read(sources[2], "pred"), block.read(sources[0], kind), block.read(sources[1], kind))
    if opcode in ("mul", "mad"):
        return _multiplied(block, instruction)
    if opcode in _BITS:
        return _bits(block, instruction)
    values = [block.read(operand, kind) for operand in sources]
    if opcode in _BINARY:
        return _BINARY[opcode](*values)
    if opcode in _UNARY:
        return _UNARY[opcode](*values)
    if opcode in ("min", "max"):
        return _extreme(instruction, *values)
    if opcode == "fma":
        # In float64 the product of two float32 is exact, so this rounds once (twice in rare ties).
        product = values[0].astype(np.float64) * values[1]
        return (product + values[2]).astype(DTYPES[kind])
    assert opcode in ("div", "rem"), instruction.text
    return _divided(opcode, *values)


def _multiplied(block: ThreadBlock, instruction: Instruction) -> Array:
    result: Array
    kind = instruction.type
    left, right = (block.read(operand, kind) for operand in instruction.operands[1:3])
    result_kind = kind
    if "wide" in instruction.modifiers:
        result_kind = WIDER[kind]
        result = left.astype(DTYPES[result_kind]) * right.astype(DTYPES[result_kind])
    elif "hi" in instruction.modifiers:
        result = _high_half(left, right, kind)
    else:
        result = left * right
    if instruction.opcode == "mad":
        result = np.add(result, block.read(instruction.operands[3], result_kind))
    return result


def _high_half(left: Array, right: Array, kind: str) -> Array:
    if kind in WIDER:
        wide = DTYPES[WIDER[kind]]
        product: Array = left.astype(wide) * right.astype(wide)
        high: Array = product >> wide.type(8 * left.dtype.itemsize)
    else:
        high = left.astype(object) * right.astype(object) >> 64  # 128 bits: Python's integers
    return high.astype(left.dtype)


def _extreme(instruction: Instruction, left: Array, right: Array) -> Array:
    if left.dtype.kind != "f":
        return np.minimum(left, right) if instruction.opcode == "min" else np.maximum(left, right)
    if "NaN" in instruction.modifiers:
        return np.minimum(left, right) if instruction.opcode == "min" else np.maximum(left, right)
    return np.fmin(left, right) if instruction.opcode == "min" else np.fmax(left, right)


def _divided(opcode: str, left: Array, right: Array) -> Array:
    if left.dtype.kind == "f":
        return left / right
    # PTX truncates towards 0 and numpy's // floors; division by 0 is undefined, so any value serves.
    safe = np.where(right == 0, np.ones_like(right), right)
    remainder = np.fmod(left, safe)
    return remainder if opcode == "rem" else (left - remainder) // safe


def _shifted(opcode: str, values: Array, amount: Array) -> Array:
    """Shifts by the width or more give 0, or the sign."""
    bits = 8 * values.dtype.itemsize
    if opcode == "shl":
        return np.where(
            amount >= bits, np.zeros_like(values), values << np.minimum(amount, bits - 1).astype(values.dtype)
        )
    shifted = values >> np.minimum(amount, bits - 1).astype(values.dtype)
    return shifted if values.dtype.kind == "i" else np.where(amount >= bits, np.zeros_like(values), shifted)


def _bits(block: ThreadBlock, instruction: Instruction) -> Array:
    kind = instruction.type
    if instruction.opcode == "bfe":
        value, position, length = (
            block.read(o, t) for o, t in zip(instruction.operands[1:], (kind, "u32", "u32"), strict=True)
        )
        start, count = position.astype(np.int64), length.astype(np.int64)
        if kind.startswith("s"):
            return (value.astype(np.int64) << (64 - start - count) >> (64 - count)).astype(DTYPES[kind])
        return ((value.astype(np.uint64) >> start.astype(np.uint64)) & _ones(count)).astype(DTYPES[kind])
    if instruction.opcode == "bfi":
        insert, base = (block.read(operand, kind).astype(np.uint64) for operand in instruction.operands[1:3])
        position, length = (block.read(operand, "u32").astype(np.uint64) for operand in instruction.operands[3:5])
        window = _ones(length) << position
        return ((base & ~window) | ((insert << position) & window)).astype(DTYPES[kind])
    assert DTYPES[kind].itemsize == 4, instruction.text
    a, b, c, *rest = (block.read(operand, "u32") for operand in instruction.operands[1:])
    if instruction.opcode == "lop3":
        table = int(rest[0][0])
        result = np.zeros_like(a)
        for row in (i for i in range(8) if table >> i & 1):
            result |= (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
        return result
    pair = b.astype(np.uint64) << np.uint64(32) | a
    if instruction.opcode == "prmt":
        picks = [
            (pair >> ((c.astype(np.uint64) >> np.uint64(4 * i) & np.uint64(7)) * np.uint64(8)) & np.uint64(255))
            for i in range(4)
        ]
        return sum((pick << np.uint64(8 * i) for i, pick in enumerate(picks)), np.zeros_like(pair)).astype(np.uint32)
    assert instruction.opcode == "shf", instruction.text
    amount = (np.minimum(c, 32) if "clamp" in instruction.modifiers else c & 31).astype(np.uint64)
    return ((pair << amount >> np.uint64(32)) if instruction.modifiers[0] == "l" else (pair >> amount)).astype(
        np.uint32
    )


def _ones(count: Array) -> Array:
    return (np.uint64(1) << count.astype(np.uint64)) - np.uint64(1)


OPCODES = (*_BINARY, *_UNARY, *_BITS, "shl", "shr", "selp", "mul", "mad", "min", "max", "fma", "div", "rem")
"""What `compute` executes."""
