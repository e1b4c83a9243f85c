"""What the contestants had in common and what not, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bimodal.schema import CellResult
from bimodal_reports.settings import IDENTITY, flattened
from bimodal_reports.tables import Column, Entry, Row, Table, cell_label
from bimodal_reports.wording import quantity

_ABSENT = "–"


def fairness_table(cells: Sequence[CellResult], colors: Mapping[str, str]) -> Table:
    """One column per cell: what it read, what it is, how it ran, and every setting that differs."""
    several = len({cell.config.seed for cell in cells}) > 1
    columns = [Column(cell_label(cell, several), colors[cell.config.contestant]) for cell in cells]
    rows = [
        _row("Reads", [_reads(cell) for cell in cells]),
        _row("Text it saw, sha256", [_text(cell) for cell in cells]),
        _row("Train, validation, test examples", [_examples(cell) for cell in cells]),
        _row("Parameters", [quantity(cell.cost.parameters, "") if cell.cost else _ABSENT for cell in cells]),
        _row("Training compute", [_flops(cell) for cell in cells]),
        _row("Optimiser steps", [f"{cell.train.steps:,}" if cell.train else _ABSENT for cell in cells]),
        _row("Precision", [cell.train.precision if cell.train else _ABSENT for cell in cells]),
        _row("Attention kernel", [_kernel(cell) for cell in cells]),
        _row("Device", [str(cell.environment.get("device", cell.config.device)) for cell in cells]),
        _row("Threads", [str(cell.environment.get("threads", cell.config.threads)) for cell in cells]),
    ]
    settings = [flattened(cell.config.model_dump()) for cell in cells]
    names = dict.fromkeys(name for flat in settings for name in flat)
    for name in names:
        values = [str(flat.get(name, _ABSENT)) for flat in settings]
        if name not in (*IDENTITY, "seed") and len(set(values)) > 1:
            rows.append(_row(name, values))
    return Table(tuple(columns), (("", tuple(rows)),))


def _row(label: str, values: Sequence[str]) -> Row:
    return Row(label, "differs" if len(set(values)) > 1 else "", tuple(Entry(value) for value in values))


def _reads(cell: CellResult) -> str:
    return ", ".join(("text", *(cell.inputs_seen.modalities if cell.inputs_seen else ())))


def _text(cell: CellResult) -> str:
    return cell.inputs_seen.text_sha256[:12] if cell.inputs_seen else _ABSENT


def _examples(cell: CellResult) -> str:
    seen = cell.inputs_seen
    return f"{seen.train_examples:,}, {seen.validation_examples:,}, {seen.test_examples:,}" if seen else _ABSENT


def _flops(cell: CellResult) -> str:
    if cell.cost is None:
        return _ABSENT
    flops = cell.cost.train.flops
    return flops if isinstance(flops, str) else quantity(flops, "FLOP")


def _kernel(cell: CellResult) -> str:
    kernel = cell.kernel_used
    if kernel is None:
        return _ABSENT
    if kernel.requested in ("auto", kernel.name):
        return f"{kernel.name} ({kernel.reason})"
    return f"{kernel.name} (asked for {kernel.requested}; {kernel.reason})"
