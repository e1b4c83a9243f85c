"""ld, st and cp.async.

Source: PTX ISA, "Data Movement and Conversion Instructions: ld, st, cp.async".
"""

from __future__ import annotations

import numpy as np

from bimodal_kernels.check.ptx.block import ThreadBlock
from bimodal_kernels.check.ptx.memory import GLOBAL_BASE, GlobalMemory, SharedMemory
from bimodal_kernels.check.ptx.numbers import DTYPES, Array
from bimodal_kernels.check.ptx.program import Immediate, Instruction, Operand, Vector


def load(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """ld[.v2|.v4].type d, [address]."""
    target, source = instruction.operands
    dtype = DTYPES[instruction.type]
    targets = _parts(target)
    size_bytes = len(targets) * dtype.itemsize
    data = np.zeros((block.threads, size_bytes), np.uint8)
    if "param" in instruction.modifiers:
        start = int(block.addresses(source)[0])  # the same in all threads
        data[:] = np.frombuffer(block.launch.parameters, np.uint8)[start : start + size_bytes]
    else:
        addresses = block.addresses(source)[active]
        data[active] = _space(block, instruction, addresses).load(addresses, size_bytes)
    values = data.view(dtype)
    for position, register in enumerate(targets):
        block.write(register, np.ascontiguousarray(values[:, position]), active)


def store(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """st[.v2|.v4].type [address], a."""
    target, source = instruction.operands
    columns = [block.read(operand, instruction.type)[active] for operand in _parts(source)]
    data = np.stack(columns, axis=1).view(np.uint8)
    addresses = block.addresses(target)[active]
    _space(block, instruction, addresses).store(addresses, data)


def copy_async(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    """cp.async [shared], [global], size{, source size}; commit_group; wait_group N; wait_all."""
    if "commit_group" in instruction.modifiers:
        block.copies.commit(active)
    elif "wait_group" in instruction.modifiers:
        (groups_left,) = instruction.operands
        assert isinstance(groups_left, Immediate), instruction.text
        block.copies.wait(active, int(groups_left.value), block.shared, block.memory)
    elif "wait_all" in instruction.modifiers:
        block.copies.commit(active)
        block.copies.wait(active, 0, block.shared, block.memory)
    else:
        _issue(block, instruction, active)


def _issue(block: ThreadBlock, instruction: Instruction, active: Array) -> None:
    destination, source, size, *source_size = instruction.operands
    assert isinstance(size, Immediate), instruction.text
    source_bytes = block.read(source_size[0] if source_size else size, "u32").astype(np.int64)
    block.copies.issue(
        block.shared,
        threads=np.flatnonzero(active),
        destination=block.addresses(destination)[active],
        source=block.addresses(source)[active],
        source_bytes=source_bytes[active],
        size_bytes=int(size.value),
    )


def _parts(operand: Operand) -> tuple[Operand | None, ...]:
    return operand.parts if isinstance(operand, Vector) else (operand,)


def _space(block: ThreadBlock, instruction: Instruction, addresses: Array) -> SharedMemory | GlobalMemory:
    if "shared" in instruction.modifiers:
        return block.shared
    if "global" in instruction.modifiers or (addresses >= GLOBAL_BASE).all():
        return block.memory
    assert (addresses < GLOBAL_BASE).all(), f"one access to both address spaces: {instruction.text}"
    return block.shared
