"""The state of one thread block: registers, shared memory, special registers, copies under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bimodal_kernels.check.ptx.async_copies import AsyncCopies
from bimodal_kernels.check.ptx.faults import UninitialisedRead
from bimodal_kernels.check.ptx.memory import GlobalMemory, SharedMemory
from bimodal_kernels.check.ptx.numbers import DTYPES, UNSIGNED, Array
from bimodal_kernels.check.ptx.program import Address, Immediate, Kernel, Launch, Operand, Register, Special, Symbol

LANES = 32


@dataclass(slots=True)
class ThreadBlock:
    """One block of a launch. Every register holds one value per thread: an array of `threads` values."""

    kernel: Kernel
    launch: Launch
    index: tuple[int, int, int]
    memory: GlobalMemory
    shared: SharedMemory
    copies: AsyncCopies
    registers: dict[str, Array]

    @classmethod
    def start(cls, kernel: Kernel, launch: Launch, index: tuple[int, int, int], memory: GlobalMemory) -> ThreadBlock:
        """A block before its first instruction."""
        shared = SharedMemory(kernel.static_shared_bytes + launch.dynamic_shared_bytes)
        return cls(kernel, launch, index, memory, shared, AsyncCopies(launch.threads), {})

    @property
    def threads(self) -> int:
        """Number of threads."""
        return self.launch.threads

    def read(self, operand: Operand | None, type_name: str) -> Array:
        """The operand's value in every thread, as numpy's counterpart of a PTX type.

        Raises:
            UninitialisedRead: the register was never written.
        """
        dtype = DTYPES[type_name]
        if isinstance(operand, Register):
            return self._read_register(operand, dtype)
        if isinstance(operand, Special):
            return self._read_special(operand).astype(dtype)
        if isinstance(operand, Immediate):
            return np.full(self.threads, _immediate(operand, dtype))
        assert isinstance(operand, Symbol), operand
        return np.full(self.threads, self._symbol_address(operand.name), dtype)

    def write(self, operand: Operand | None, values: Array, active: Array) -> None:
        """Set a register in the active threads; a wider register is zero- or sign-extended. None is the sink `_`."""
        if operand is None:
            return
        assert isinstance(operand, Register), operand
        if operand.width_bytes and values.dtype.itemsize < operand.width_bytes:
            kind = "s" if values.dtype.kind == "i" else "u"
            if values.dtype.kind == "f":
                values = values.view(UNSIGNED[values.dtype.itemsize])
            values = values.astype(DTYPES[f"{kind}{8 * operand.width_bytes}"])
        bits = values.view(UNSIGNED[operand.width_bytes]) if operand.width_bytes else values
        old = self.registers.get(operand.name)
        self.registers[operand.name] = np.where(active, bits, bits if old is None else old)

    def predicate(self, register: Register) -> Array:
        """A predicate register's value, negation applied."""
        return self.read(register, "pred")

    def addresses(self, operand: Operand) -> Array:
        """The address that [base + offset] means in every thread, as int64."""
        assert isinstance(operand, Address), operand
        base = operand.base
        wide = isinstance(base, Register) and base.width_bytes == 8
        return self.read(base, "s64" if wide else "u32").astype(np.int64) + operand.offset_bytes

    def _read_register(self, register: Register, dtype: np.dtype[Any]) -> Array:
        bits = self.registers.get(register.name)
        if bits is None:
            raise UninitialisedRead(f"register {register.name} is read before it is written")
        if dtype.kind == "b":
            return ~bits if register.negated else bits
        if bits.dtype.itemsize != dtype.itemsize:
            bits = bits.astype(UNSIGNED[dtype.itemsize])
        return bits.view(dtype)

    def _symbol_address(self, name: str) -> int:
        """In shared memory, or, for a parameter, in the parameter block (only ld.param can use that)."""
        if name in self.kernel.shared_offsets:
            return self.kernel.shared_offsets[name]
        return self.kernel.parameters[name].offset_bytes

    def _read_special(self, special: Special) -> Array:
        thread = np.arange(self.threads)
        if special.name == "tid":
            return thread if special.axis == 0 else np.zeros_like(thread)
        if special.name == "laneid":
            return thread % LANES
        if special.name == "warpid":
            return thread // LANES
        uniform = {"ctaid": self.index, "nctaid": self.launch.grid, "ntid": (self.threads, 1, 1)}
        return np.full(self.threads, uniform[special.name][special.axis])


def _immediate(immediate: Immediate, dtype: np.dtype[Any]) -> Any:
    if immediate.is_float_bits:
        return np.array(immediate.value, np.uint32).view(np.float32).astype(dtype)[()]
    if dtype.kind in "fb":
        return dtype.type(immediate.value)
    bits = int(immediate.value) & ((1 << (8 * dtype.itemsize)) - 1)
    return np.array(bits, UNSIGNED[dtype.itemsize]).view(dtype)[()]
