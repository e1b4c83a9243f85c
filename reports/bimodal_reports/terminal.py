"""The closing table of `bench run`: every contestant's score and cost, then the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bimodal.schema import CellResult, Comparison, Metric, TaskComparison
from bimodal_reports.costs import median_ms
from bimodal_reports.dials import dial_answer
from bimodal_reports.pace_section import pace_answers
from bimodal_reports.verdicts import OUTCOME_LABELS, pair_notes
from bimodal_reports.wording import metric_label, number, quantity

_STYLES = {"better": "bold green", "worse": "bold red", "equivalent": "bold", "inconclusive": "bold yellow"}


_WIDE = 120
"""Columns a terminal needs to show all metrics; a narrower one shows the primary metric only."""


def closing_table(results: Sequence[CellResult], comparison: Comparison) -> RenderableType:
    """Per task a table with one row per cell, then a verdict sentence per pair and what failed."""
    return _ClosingTable(tuple(results), comparison)


@dataclass(frozen=True, slots=True)
class _ClosingTable:
    results: tuple[CellResult, ...]
    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for task in self.comparison.tasks:
            cells = [result for result in self.results if _belongs(result, task)]
            if cells:
                yield _table(cells, task, all_metrics=options.max_width >= _WIDE)
            yield from _verdicts(task)
            yield from _failures(task)
        for curve in self.comparison.dials:
            yield Padding(Text.assemble(("Dial", "bold"), f". {dial_answer(curve)}"), (1, 0, 0, 0))


def _belongs(result: CellResult, task: TaskComparison) -> bool:
    config = result.config
    return result.status == "ok" and config.task == task.task.name and task.dataset.is_of(config.data)


def _table(cells: Sequence[CellResult], task: TaskComparison, *, all_metrics: bool) -> Table:
    names = dict.fromkeys(name for cell in cells for name in cell.metrics)
    metrics = sorted(names, key=lambda name: name != task.task.primary_metric)[: None if all_metrics else 1]
    probes = list(dict.fromkeys(name for cell in cells for name in cell.probes))
    primary = task.task.primary_metric
    table = Table(
        title=f"{task.task.name} on {task.dataset.label} ({task.dataset.variant})",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("contestant", no_wrap=True)
    for name in metrics:
        table.add_column(metric_label(name), justify="right", style="bold" if name == primary else "")
    for probe in probes:
        table.add_column(f"{metric_label(primary)} {probe}", justify="right")
    for heading in ("training", "request", "memory"):
        table.add_column(heading, justify="right")
    several_seeds = len({cell.config.seed for cell in cells}) > 1
    for cell in cells:
        name = cell.config.contestant
        table.add_row(
            Text(f"{name} (seed {cell.config.seed})" if several_seeds else name),
            *(_score(cell.metrics.get(metric)) for metric in metrics),
            *(_score(cell.probes[p].metrics.get(primary) if p in cell.probes else None) for p in probes),
            *_costs(cell),
        )
    return table


def _score(metric: Metric | None) -> str:
    if metric is None:
        return "–"
    value = number(metric.value, metric.unit)
    if metric.ci95 is None:
        return value
    return f"{value} ±{number((metric.ci95[1] - metric.ci95[0]) / 2, metric.unit)}"


def _costs(cell: CellResult) -> tuple[str, str, str]:
    if cell.cost is None:
        return "–", "–", "–"
    memory, latency = cell.cost.peak_memory, median_ms(cell.cost.end_to_end_ms)
    peak = memory.rss_generate_bytes if memory.cuda_allocated_bytes == "unavailable" else memory.cuda_allocated_bytes
    return (
        quantity(cell.cost.train.wall_s, "s"),
        latency if isinstance(latency, str) else quantity(latency or 0.0, "ms"),
        peak if isinstance(peak, str) else quantity(peak, "B"),
    )


def _verdicts(task: TaskComparison) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for pair in task.pairs:
        label = (OUTCOME_LABELS[pair.verdict.outcome], _STYLES[pair.verdict.outcome])
        lines.append(Padding(Text.assemble(label, ". ", pair.verdict.sentence), (1, 0, 0, 0)))
        lines += [Text(note, style="dim") for note in pair_notes(pair)]
        lines += [Text(" ".join(answers), style="dim") for answers in [pace_answers(pair)] if answers]
    return lines


def _failures(task: TaskComparison) -> list[RenderableType]:
    return [
        Padding(Text.assemble(("Failed", "bold red"), f". {cell}: {why}"), (1, 0, 0, 0))
        for cell, why in task.failed.items()
    ]
