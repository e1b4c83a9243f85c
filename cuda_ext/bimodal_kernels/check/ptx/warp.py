"""Instructions that a whole warp executes together: mma, ldmatrix, shfl, vote.

A warp's lane holds of an 8x8 matrix the row lane / 4 and the columns 2 (lane % 4), 2 (lane % 4) + 1. Larger matrices
are made of these: A (16x16) of four (upper left, lower left, upper right, lower right), B (16x8) of two, transposed,
C and D (16x8) of two, one above the other.

Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type", "ldmatrix", "shfl.sync".
"""

from __future__ import annotations

import numpy as np

from bimodal_kernels.check.ptx.block import LANES, ThreadBlock
from bimodal_kernels.check.ptx.faults import ProgramFault
from bimodal_kernels.check.ptx.numbers import Array, bfloat16_values
from bimodal_kernels.check.ptx.program import Instruction, Operand, Vector

OPCODES = ("mma", "ldmatrix", "shfl", "vote")


def matrix_multiply(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """mma.m16n8k16: D = A B + C, products and sums in float32.

    Tensor cores sum in an order and with a rounding of their own, which no specification fixes.
    """
    shape, kinds = instruction.modifiers[-7], instruction.modifiers[-4:]
    if shape != "m16n8k16" or kinds[0] != "f32" or kinds[1] not in ("f16", "bf16"):
        raise NotImplementedError(f"The PTX interpreter does not know {instruction.text!r}.")
    target, *sources = instruction.operands
    warps = block.threads // LANES
    left = np.zeros((warps, 16, 16), np.float32)
    right = np.zeros((warps, 16, 8), np.float32)
    total = np.zeros((warps, 16, 8), np.float32)
    for i, register in enumerate(_registers(sources[0], 4)):
        row, column = 8 * (i % 2), 8 * (i // 2)
        left[:, row : row + 8, column : column + 8] = _eight_by_eight(block, register, kinds[1])
    for i, register in enumerate(_registers(sources[1], 2)):
        right[:, 8 * i : 8 * i + 8] = _eight_by_eight(block, register, kinds[1]).swapaxes(1, 2)
    for i, register in enumerate(_registers(sources[2], 4)):
        total[:, 8 * (i // 2) : 8 * (i // 2) + 8, i % 2 :: 2] = block.read(register, "f32").reshape(warps, 8, 4)
    total += left @ right
    for i, register in enumerate(_registers(target, 4)):
        rows = total[:, 8 * (i // 2) : 8 * (i // 2) + 8, i % 2 :: 2]
        block.write(register, np.ascontiguousarray(rows).reshape(-1), active)


def _eight_by_eight(block: ThreadBlock, register: Operand, kind: str) -> Array:
    """[warp, row, column] float32: each lane's 32 bits are two neighbours of a row."""
    bits = np.ascontiguousarray(block.read(register, "b32")).view(np.uint16)
    values = bfloat16_values(bits) if kind == "bf16" else bits.view(np.float16).astype(np.float32)
    return values.reshape(-1, 8, 8)


def load_matrix(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """ldmatrix.x1|x2|x4[.trans]: lane i gives the address of row i % 8 of matrix i / 8."""
    target, source = instruction.operands
    registers = _registers(target)
    count = {"x1": 1, "x2": 2, "x4": 4}[next(name for name in instruction.modifiers if name in ("x1", "x2", "x4"))]
    assert count == len(registers), instruction.text
    warps: Array = active.reshape(-1, LANES)[:, 0]
    rows = block.addresses(source).reshape(-1, LANES)[warps, : 8 * count]
    data = block.shared.load(rows.reshape(-1), 16).view(np.uint16).reshape(-1, count, 8, 8)
    if "trans" in instruction.modifiers:
        data = data.swapaxes(2, 3)
    fragments = np.zeros((len(warps), count, LANES), np.uint32)
    fragments[warps] = np.ascontiguousarray(data).view(np.uint32).reshape(-1, count, LANES)
    for i, register in enumerate(registers):
        block.write(register, fragments[:, i].reshape(-1), active)


def shuffle(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """shfl.sync.bfly|idx|up|down: a lane reads another lane's register (whole warps only, no segments)."""
    target, source, distance = instruction.operands[:3]
    registers = target.parts if isinstance(target, Vector) else (target,)
    values = block.read(source, "b32")
    thread = np.arange(block.threads)
    lane, first = thread % LANES, thread - thread % LANES
    by = block.read(distance, "u32").astype(np.int64)
    mode = next(name for name in instruction.modifiers if name in ("bfly", "idx", "up", "down"))
    from_lane = {"bfly": lane ^ by, "idx": by % LANES, "up": lane - by, "down": lane + by}[mode]
    inside = (from_lane >= 0) & (from_lane < LANES)
    _check_full_mask(block, instruction)
    block.write(registers[0], values[first + np.where(inside, from_lane, lane)], active)
    if len(registers) > 1:
        block.write(registers[1], inside, active)


def _check_full_mask(block: ThreadBlock, instruction: Instruction) -> None:
    if (block.read(instruction.operands[-1], "u32") != 0xFFFFFFFF).any():
        raise ProgramFault("a warp-wide instruction whose mask leaves out lanes")


def vote(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """vote.sync.any|all|ballot over a predicate."""
    mode = next(name for name in instruction.modifiers if name in ("any", "all", "ballot"))
    lanes = block.read(instruction.operands[1], "pred").reshape(-1, LANES)
    _check_full_mask(block, instruction)
    if mode == "ballot":
        result = (lanes.astype(np.uint64) << np.arange(LANES, dtype=np.uint64)).sum(axis=1).astype(np.uint32)
    else:
        result = lanes.any(axis=1) if mode == "any" else lanes.all(axis=1)
    block.write(instruction.operands[0], np.repeat(result, LANES), active)


def _registers(operand: Operand, count: int | None = None) -> tuple[Operand, ...]:
    assert isinstance(operand, Vector), operand
    assert count in (None, len(operand.parts)), operand
    return operand.parts  # type: ignore[return-value]
