"""Tables of the report, and the one of costs with ratios. Text only; the templates lay it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bimodal.schema import AuditDrop, CellResult, Cost, Difference, Latency, Pair, Throughput
from bimodal_reports.costs import median_ms
from bimodal_reports.wording import (
    probability,
    quantity,
    ratio,
)

ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a table: a number and what stands small below it."""

    text: str
    detail: str = ""
    emphasis: str = ""
    """A CSS class: `gain`, `loss` or nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """One contestant, one of its probes, or one pair."""

    label: str
    color: str = ""
    """A CSS colour; empty for a difference."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric or one cost."""

    label: str
    note: str
    entries: tuple[Entry, ...]
    title: str = ""
    """Longer explanation: a metric's signature."""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `group` of rows by heading."""

    columns: tuple[Column, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]


def cell_label(result: CellResult, several_seeds: bool) -> str:
    """The contestant's name, with its seed where there is more than one."""
    name = result.config.contestant
    return f"{name}, seed {result.config.seed}" if several_seeds else name


def p_value(found: Difference | AuditDrop) -> str:
    """A p-value; the smallest that so many randomisation trials can give is an upper bound."""
    return probability(found.p_value, 1 / (found.resamples + 1))


@dataclass(frozen=True, slots=True)
class _CostRow:
    group: str
    label: str
    note: str
    unit: str
    value: Callable[[Cost], float | str | None]
    detail: Callable[[Cost], str] = lambda cost: ""


def _latency_detail(latency: Latency | str | None) -> str:
    if not isinstance(latency, Latency):
        return ""
    tail = f", p99 {quantity(latency.p99, 'ms')}" if latency.p99 is not None else ""
    return f"p90 {quantity(latency.p90, 'ms')}{tail}"


def _throughput_detail(throughput: Throughput | str) -> str:
    if isinstance(throughput, str):
        return ""
    return f"batch {throughput.batch_size}, {quantity(throughput.tokens_per_s, '')} tokens/s"


_SIZE = "Size, memory and energy"
_COST_ROWS = (
    _CostRow("Training", "Training time", "steps and validation", "s", lambda c: c.train.wall_s),
    _CostRow("Training", "Compute", "forward and backward", "FLOP", lambda c: c.train.flops),
    _CostRow("Training", "Examples seen", "once per pass", "", lambda c: c.train.examples),
    _CostRow("Training", "Target tokens", "with a loss", "", lambda c: c.train.target_tokens),
    _CostRow(
        "One request at a time",
        "Whole request",
        "median; encode to detokenised text",
        "ms",
        lambda c: median_ms(c.end_to_end_ms),
        lambda c: _latency_detail(c.end_to_end_ms),
    ),
    _CostRow(
        "One request at a time",
        "Encode",
        "picture and sound to keys and values",
        "ms",
        lambda c: median_ms(c.encode_ms),
        lambda c: _latency_detail(c.encode_ms),
    ),
    _CostRow(
        "One request at a time",
        "Prefill",
        "first token",
        "ms",
        lambda c: median_ms(c.prefill_ms),
        lambda c: _latency_detail(c.prefill_ms),
    ),
    _CostRow(
        "One request at a time",
        "Decode",
        "each further token",
        "ms",
        lambda c: median_ms(c.decode_ms_per_token),
        lambda c: _latency_detail(c.decode_ms_per_token),
    ),
    _CostRow(
        "In batches",
        "Throughput",
        "whole test split",
        "examples/s",
        lambda c: c.throughput if isinstance(c.throughput, str) else c.throughput.examples_per_s,
        lambda c: _throughput_detail(c.throughput),
    ),
    _CostRow(_SIZE, "Parameters", "", "", lambda c: c.parameters),
    _CostRow(_SIZE, "Weights", "", "B", lambda c: c.peak_memory.parameters_bytes),
    _CostRow(
        _SIZE,
        "Peak, training",
        "resident set above idle",
        "B",
        lambda c: c.peak_memory.rss_train_bytes,
    ),
    _CostRow(
        _SIZE,
        "Peak, generating",
        "resident set above idle",
        "B",
        lambda c: c.peak_memory.rss_generate_bytes,
    ),
    _CostRow(_SIZE, "Peak GPU, allocated", "", "B", lambda c: c.peak_memory.cuda_allocated_bytes),
    _CostRow(_SIZE, "Peak GPU, reserved", "", "B", lambda c: c.peak_memory.cuda_reserved_bytes),
    _CostRow(_SIZE, "Energy, training", "from counters", "J", lambda c: c.train.energy_j),
    _CostRow(_SIZE, "Energy, one request", "from counters", "J", lambda c: c.energy_j),
)


def cost_table(cells: Sequence[CellResult], pairs: Sequence[Pair], colors: Mapping[str, str]) -> Table:
    """Costs by contestant, and contestant over baseline; what could not be measured says so."""
    several = len({cell.config.seed for cell in cells}) > 1
    measured = [cell for cell in cells if cell.cost is not None]
    costs = {(cell.config.contestant, cell.config.seed): cell.cost for cell in measured if cell.cost is not None}
    columns = [Column(cell_label(cell, several), colors[cell.config.contestant]) for cell in measured]
    for pair in pairs:
        note = f"{pair.contestant} ÷ {pair.baseline}" + (f", median of {len(pair.seeds)} seeds" if several else "")
        columns.append(Column("Ratio", note=note))
    groups: dict[str, list[Row]] = {}
    for line in _COST_ROWS:
        entries = [_cost(line, cost) for cost in costs.values()]
        for pair in pairs:
            left, right = (
                [costs[name, seed] for seed in pair.seeds if (name, seed) in costs]
                for name in (pair.baseline, pair.contestant)
            )
            entries.append(_cost_ratio(line, left, right))
        groups.setdefault(line.group, []).append(Row(line.label, line.note, tuple(entries)))
    return Table(tuple(columns), tuple((group, tuple(rows)) for group, rows in groups.items()))


def _cost(line: _CostRow, cost: Cost) -> Entry:
    value = line.value(cost)
    if value is None:
        return Entry(ABSENT)
    if isinstance(value, str):
        return Entry(value, emphasis="unavailable")
    return Entry(quantity(value, line.unit), line.detail(cost))


def _cost_ratio(line: _CostRow, left: Sequence[Cost], right: Sequence[Cost]) -> Entry:
    below, above = _median(line, left), _median(line, right)
    return Entry(ratio(above / below)) if below and above is not None else Entry(ABSENT)


def _median(line: _CostRow, costs: Sequence[Cost]) -> float | None:
    """Over seeds; None where one of them was not measured."""
    values = [value for cost in costs if not isinstance(value := line.value(cost), str) and value is not None]
    return median(values) if values and len(values) == len(costs) else None
