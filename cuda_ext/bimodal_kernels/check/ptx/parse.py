"""PTX text to `Kernel` objects.

Source: NVIDIA, Parallel Thread Execution ISA, chapters 4 (syntax) and 6 (operands).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bimodal_kernels.check.ptx.numbers import WIDTH_BYTES
from bimodal_kernels.check.ptx.program import (
    Address,
    Immediate,
    Instruction,
    Kernel,
    Operand,
    Parameter,
    Register,
    Special,
    Symbol,
    Vector,
)

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_LINE_DIRECTIVE = re.compile(r"^\s*\.(?:loc|file|pragma)\b.*$", re.MULTILINE)
_ENTRY = re.compile(r"\.entry\s+(?P<name>[\w$]+)\s*\((?P<parameters>[^)]*)\)[^{]*\{")
# A label, a lone brace (inline assembly opens scopes), or text up to a semicolon with braces inside operands.
_STATEMENT = re.compile(r"\s*(?:(?P<label>[$\w]+):|[{}]|(?P<text>[^;{}]+(?:\{[^{}]*\}[^;{}]*)*);)")
_INSTRUCTION = re.compile(r"(?:@(?P<negated>!?)(?P<guard>[%\w]+)\s+)?(?P<opcode>[\w.:]+)\s*(?P<operands>.*)", re.DOTALL)
_SHARED = re.compile(
    r"\.shared\s+(?:\.align\s+(?P<align>\d+)\s+)?\.(?P<type>\w+)\s+(?P<name>[\w$]+)(?:\[(?P<count>\d*)\])?"
)
_SPECIAL = re.compile(r"%(tid|ntid|ctaid|nctaid|laneid|warpid)(?:\.([xyz]))?$")


def parse_ptx(text: str) -> dict[str, Kernel]:
    """All kernels of a module, by (mangled) name.

    Raises:
        ValueError: a statement that the grammar here does not know.
    """
    text = _LINE_DIRECTIVE.sub("", _COMMENT.sub("", text))
    first_entry = _ENTRY.search(text)
    module_shared = list(_SHARED.finditer(text[: first_entry.start()])) if first_entry else []
    kernels = {}
    for entry in _ENTRY.finditer(text):
        body = text[entry.end() : _closing_brace(text, entry.end())]
        kernels[entry["name"]] = _parse_kernel(entry["name"], entry["parameters"], body, module_shared)
    return kernels


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for match in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    raise ValueError("PTX ends inside a kernel: a closing brace is missing.")


def _parse_kernel(name: str, parameters: str, body: str, module_shared: list[re.Match[str]]) -> Kernel:
    widths: dict[str, int] = {}
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    shared = list(module_shared)
    for label, statement in _statements(body):
        if label:
            labels[label] = len(instructions)
        elif statement.startswith(".reg"):
            widths.update(_declared(statement))
        elif statement.startswith(".shared"):
            shared += _SHARED.finditer(statement)
        elif not statement.startswith("."):
            instructions.append(_parse_instruction(statement, widths))
    offsets, size_bytes = _place_shared(shared)
    return Kernel(name, _parse_parameters(parameters), tuple(instructions), labels, offsets, size_bytes)


def _statements(body: str) -> Iterator[tuple[str | None, str]]:
    position = 0
    end = len(body.rstrip())
    while position < end:
        match = _STATEMENT.match(body, position)
        if match is None:
            raise ValueError(f"PTX statement not understood: {body[position : position + 120].strip()!r}.")
        position = match.end()
        if match["label"] or match["text"]:
            yield match["label"], " ".join((match["text"] or "").split())


def _declared(statement: str) -> dict[str, int]:
    """`.reg .b32 %r<9>` declares the family %r; `.reg .b16 low, high` two names."""
    type_name, names = statement.removeprefix(".reg").strip().split(None, 1)
    width = WIDTH_BYTES[type_name.removeprefix(".")]
    return {name.strip().split("<")[0]: width for name in names.split(",")}


def _place_shared(arrays: list[re.Match[str]]) -> tuple[dict[str, int], int]:
    """Static arrays one after the other; dynamic ones (no size) begin where those end."""
    offsets: dict[str, int] = {}
    end = 0
    for array in arrays:
        if array["count"] == "":
            continue
        align = int(array["align"] or 1)
        start = -(-end // align) * align
        offsets[array["name"]] = start
        end = start + int(array["count"] or 1) * WIDTH_BYTES[array["type"]]
    end = -(-end // 128) * 128
    offsets |= {array["name"]: end for array in arrays if array["count"] == ""}
    return offsets, end


def _parse_parameters(text: str) -> dict[str, Parameter]:
    parameters: dict[str, Parameter] = {}
    end = 0
    for declaration in filter(None, (part.strip() for part in text.split(","))):
        name, count = re.search(r"([\w$]+)(?:\[(\d+)\])?$", declaration).groups()  # type: ignore[union-attr]
        width = max(WIDTH_BYTES.get(kind, 0) for kind in re.findall(r"\.(\w+)", declaration))
        # A struct is a byte array with `.align`; `.ptr .align` on a pointer speaks of what it points to.
        align = int(re.search(r"\.align (\d+)", declaration)[1]) if count else width  # type: ignore[index]
        start = -(-end // align) * align
        parameters[name] = Parameter(start, int(count or 1) * width)
        end = start + int(count or 1) * width
    return parameters


def _parse_instruction(statement: str, widths: dict[str, int]) -> Instruction:
    match = _INSTRUCTION.match(statement)
    if match is None:
        raise ValueError(f"PTX instruction not understood: {statement!r}.")
    guard = Register(match["guard"], 0, negated=bool(match["negated"])) if match["guard"] else None
    opcode, *modifiers = re.split(r"\.|::", match["opcode"])
    operands = tuple(_parse_operand(part, widths) for part in _split_operands(match["operands"]))
    return Instruction(opcode, tuple(filter(None, modifiers)), operands, guard, statement)


def _split_operands(text: str) -> list[str]:
    """At commas outside of braces and brackets."""
    return [part.strip() for part in re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|[^,{\[])+", text) if part.strip()]


def _parse_operand(text: str, widths: dict[str, int]) -> Operand:
    if text.startswith("["):
        base, offset = re.match(r"\[\s*([%\w$]+)\s*(?:\+\s*(-?\w+))?\s*\]$", text).groups()  # type: ignore[union-attr]
        parsed = _parse_scalar(base, widths)
        assert isinstance(parsed, Register | Symbol | Immediate)
        return Address(parsed, int(offset or "0", 0))
    if text.startswith("{") or "|" in text:
        parts = [part.strip() for part in re.split(r"[,|]", text.strip("{} "))]
        scalars = tuple(None if part == "_" else _parse_scalar(part, widths) for part in parts)
        return Vector(scalars)  # type: ignore[arg-type]
    return _parse_scalar(text, widths)


def _parse_scalar(text: str, widths: dict[str, int]) -> Register | Immediate | Special | Symbol:
    if special := _SPECIAL.match(text):
        return Special(special[1], "xyz".index(special[2] or "x"))
    if re.match(r"0[fF][0-9a-fA-F]{8}$", text):
        return Immediate(int(text[2:], 16), is_float_bits=True)
    if re.match(r"-?\d+\.\d*(?:[eE][-+]?\d+)?$", text):
        return Immediate(float(text))
    if re.match(r"-?(?:0[xX][0-9a-fA-F]+|\d+)U?$", text):
        return Immediate(int(text.rstrip("U"), 0))
    name = text.removeprefix("!")
    family = re.sub(r"\d+$", "", name)
    width = widths.get(name, widths.get(family))
    return Symbol(name) if width is None else Register(name, width, negated=text.startswith("!"))
