"""A parsed PTX program: kernels, instructions and operands as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Register:
    """A register; `width_bytes` is its declared width, 0 for a predicate."""

    name: str
    width_bytes: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Immediate:
    """A number in the text; `is_float_bits` when written as 0f... (the bits of a float32)."""

    value: int | float
    is_float_bits: bool = False


@dataclass(frozen=True, slots=True)
class Special:
    """A special register such as %tid.x."""

    name: str
    axis: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that is not a register: a label, a parameter or an array in shared memory."""

    name: str


@dataclass(frozen=True, slots=True)
class Address:
    """[base + offset_bytes]."""

    base: Register | Symbol | Immediate
    offset_bytes: int


@dataclass(frozen=True, slots=True)
class Vector:
    """{a, b, ...} or a|b; None stands for the sink `_`."""

    parts: tuple[Register | Immediate | Symbol | None, ...]


Operand = Register | Immediate | Special | Symbol | Address | Vector


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `mma.sync.aligned...` has the opcode `mma` and the rest as modifiers."""

    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Register | None
    text: str

    @property
    def type(self) -> str:
        """The last modifier, which is the type in almost every instruction."""
        return self.modifiers[-1]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Where a kernel parameter lies in the parameter block."""

    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Kernel:
    """One `.entry`: its parameters, instructions, labels and static shared memory."""

    name: str
    parameters: Mapping[str, Parameter]
    instructions: tuple[Instruction, ...]
    labels: Mapping[str, int]
    shared_offsets: Mapping[str, int]
    static_shared_bytes: int


@dataclass(frozen=True, slots=True)
class Launch:
    """How a kernel is launched: <<<grid, threads, dynamic_shared_bytes>>>(parameters)."""

    grid: tuple[int, int, int]
    threads: int
    dynamic_shared_bytes: int
    parameters: bytes
