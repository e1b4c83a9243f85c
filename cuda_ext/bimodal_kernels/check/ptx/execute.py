"""Run a grid: blocks one after the other, all threads of a block at once.

Every thread has its own program counter. A step executes the instruction at the lowest one, for all threads that stand
there; so branches that part come together again by themselves. Threads at a warp-wide instruction wait for their
warp, threads at a barrier for the block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product

import numpy as np

from bimodal_kernels.check.ptx import arithmetic, convert, transfer, warp
from bimodal_kernels.check.ptx.block import LANES, ThreadBlock
from bimodal_kernels.check.ptx.faults import Divergence, ProgramFault
from bimodal_kernels.check.ptx.memory import GlobalMemory
from bimodal_kernels.check.ptx.numbers import Array
from bimodal_kernels.check.ptx.program import Instruction, Kernel, Launch, Symbol

_Step = Callable[[ThreadBlock, Instruction, Array], None]

_STEPS: dict[str, _Step] = {
    **dict.fromkeys(arithmetic.OPCODES, arithmetic.compute),
    "setp": arithmetic.compare,
    "mov": convert.move,
    "cvt": convert.convert,
    "ld": transfer.load,
    "st": transfer.store,
    "cp": transfer.copy_async,
    "mma": warp.matrix_multiply,
    "ldmatrix": warp.load_matrix,
    "shfl": warp.shuffle,
    "vote": warp.vote,
    "membar": lambda block, instruction, active: None,
}


def launch(kernel: Kernel, how: Launch, memory: GlobalMemory) -> Counter[str]:
    """Run every block of the grid and return how often a warp executed each opcode.

    Raises:
        ProgramFault: out of bounds, misaligned, uninitialised, divergent; the message has the instruction.
        NotImplementedError: an instruction that the interpreter does not know.
    """
    if how.threads % LANES:
        raise ValueError(f"The interpreter runs whole warps of {LANES} threads; got a block of {how.threads}.")
    counts: Counter[str] = Counter()
    x_blocks, y_blocks, z_blocks = how.grid
    with np.errstate(all="ignore"):
        for z, y, x in product(range(z_blocks), range(y_blocks), range(x_blocks)):
            counts += _run_block(ThreadBlock.start(kernel, how, (x, y, z), memory))
    return counts


def _run_block(block: ThreadBlock) -> Counter[str]:
    """Until every thread has returned."""
    instructions = block.kernel.instructions
    schedule = _Schedule(block.threads, len(instructions))
    counts: Counter[str] = Counter()
    while (position := schedule.next_position()) is not None:
        instruction = instructions[position]
        active = schedule.at(position, whole_warps=_is_warp_wide(instruction))
        if not active.any():
            continue
        counts[instruction.opcode] += int(active.reshape(-1, LANES).any(axis=1).sum())
        passes = active if instruction.guard is None else active & block.predicate(instruction.guard)
        _execute(block, schedule, instruction, active, passes)
    if schedule.waiting_for_warp.any():
        stuck = instructions[int(schedule.position[schedule.waiting_for_warp].min())]
        raise Divergence(f"not every lane of a warp reaches {stuck.text!r}")
    if block.copies.has_unwaited:
        raise ProgramFault("the block ends while a cp.async is still under way")
    return counts


def _is_warp_wide(instruction: Instruction) -> bool:
    return instruction.opcode in warp.OPCODES or (instruction.opcode == "bar" and "warp" in instruction.modifiers)


def _execute(block: ThreadBlock, schedule: _Schedule, instruction: Instruction, active: Array, passes: Array) -> None:
    schedule.advance(active)
    if instruction.opcode == "bra":
        (target,) = instruction.operands
        assert isinstance(target, Symbol), instruction.text
        schedule.jump(passes, block.kernel.labels[target.name])
    elif instruction.opcode in ("ret", "exit"):
        schedule.finish(passes)
    elif instruction.opcode in ("bar", "barrier"):
        if "warp" not in instruction.modifiers:
            schedule.wait_at_barrier(passes)
    elif passes.any():
        step = _STEPS.get(instruction.opcode)
        if step is None:
            raise NotImplementedError(f"The PTX interpreter does not know {instruction.text!r}.")
        try:
            step(block, instruction, passes)
        except ProgramFault as fault:
            raise type(fault)(f"{fault}; at {instruction.text!r} of block {block.index}") from None


class _Schedule:
    """Where every thread stands, and who waits for whom."""

    def __init__(self, threads: int, end: int) -> None:
        self.position = np.zeros(threads, np.int64)
        self.at_barrier = np.zeros(threads, np.bool_)
        self.waiting_for_warp = np.zeros(threads, np.bool_)
        self._end = end

    def next_position(self) -> int | None:
        """The lowest position where a thread can go on; opens the barrier when all have arrived; None: nobody can."""
        running = (self.position < self._end) & ~self.waiting_for_warp
        ready = running & ~self.at_barrier
        if not ready.any():
            if not self.at_barrier.any() or self.waiting_for_warp.any():
                return None
            self.at_barrier[:] = False
            ready = running
        return int(self.position[ready].min())

    def at(self, position: int, *, whole_warps: bool) -> Array:
        """The threads to run at `position`; for a warp-wide instruction those of complete warps, the others wait."""
        here: Array = (self.position == position) & ~self.at_barrier
        if not whole_warps:
            return here
        complete = here.reshape(-1, LANES).all(axis=1).repeat(LANES)
        self.waiting_for_warp = np.where(here, ~complete, self.waiting_for_warp)
        return complete

    def advance(self, threads: Array) -> None:
        self.position[threads] += 1

    def jump(self, threads: Array, position: int) -> None:
        self.position[threads] = position

    def finish(self, threads: Array) -> None:
        self.position[threads] = self._end

    def wait_at_barrier(self, threads: Array) -> None:
        self.at_barrier |= threads
