"""Which charts a task gets, and the numbers they are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bimodal.schema import CellResult, Pair, TaskComparison
from bimodal_reports.audit_section import audit_section
from bimodal_reports.costs import COST_LABELS
from bimodal_reports.ladder_section import ladder_section
from bimodal_reports.pace_section import pace_section
from bimodal_reports.price_section import price_section
from bimodal_reports.slice_section import slice_section
from bimodal_reports.tables import cell_label
from bimodal_reports.view import ChartView, TaskView, VerdictView, cells_of, contestant_colors, primary_difference
from bimodal_reports.wording import capitalised, interval, metric_label, number, ratio, signed, unit_label

_EVIDENCE = (audit_section, slice_section)
"""Sections below the scores, in order; each is left out where there is nothing to show."""


def task_charts(
    view: TaskView,
    task: TaskComparison,
    results: Sequence[CellResult],
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
) -> TaskView:
    """The view with its charts drawn; a chart without data is left out."""
    cells = [cell for cell in cells_of(task, results) if cell.status == "ok"]
    colors = contestant_colors(task)
    charts = {
        "scores": _scores(cells, task.task.primary_metric, colors),
        "costs": _costs(task.pairs, colors),
        "curves": _curves(cells, colors, curves),
    }
    verdicts = [_with_difference(shown, pair, colors) for shown, pair in zip(view.verdicts, task.pairs, strict=True)]
    return replace(
        view,
        verdicts=tuple(verdicts),
        charts={name: chart for name, chart in charts.items() if chart is not None},
        evidence=tuple(section for make in _EVIDENCE if (section := make(task, colors)) is not None),
        ladder=ladder_section(task, colors),
        pace=pace_section(task, results, colors),
        price=price_section(task, list(results), colors),
    )


def _scores(cells: Sequence[CellResult], primary: str, colors: Mapping[str, str]) -> ChartView | None:
    from bimodal_reports import charts  # altair and vl-convert: about a second, only where something is drawn

    several = len({cell.config.seed for cell in cells}) > 1
    rows, unit = [], ""
    for cell in cells:
        label, color = cell_label(cell, several), colors[cell.config.contestant]
        shown = [(label, cell.metrics.get(primary), False)]
        shown += [(f"{label}, {name}", probe.metrics.get(primary), True) for name, probe in cell.probes.items()]
        for name, metric, hollow in shown:
            if metric is not None:
                low, high = metric.ci95 or (metric.value, metric.value)
                unit = metric.unit
                text = number(metric.value, unit)
                rows.append(charts.Estimate(name, metric.value, low, high, color, text, hollow))
    if not rows:
        return None
    name = metric_label(primary)
    spoken = "; ".join(f"{row.label} {row.text}, {interval((row.low, row.high), unit)}" for row in rows)
    return ChartView(
        title=f"{capitalised(name)} by contestant",
        note="Dots are scores, lines their 95 % intervals."
        + (" Hollow: the same model on changed inputs." if any(row.hollow for row in rows) else ""),
        svg=charts.scores(rows, f"{name}, {unit_label(unit)}", f"{name} with 95 % intervals: {spoken}"),
    )


def _with_difference(shown: VerdictView, pair: Pair, colors: Mapping[str, str]) -> VerdictView:
    from bimodal_reports import charts

    found = primary_difference(pair)
    value = signed(found.value, found.unit)
    estimate = charts.Estimate(
        pair.contestant, found.value, found.ci95[0], found.ci95[1], colors[pair.contestant], value
    )
    description = (
        f"{pair.contestant} minus {pair.baseline} in {shown.metric}: {value} {unit_label(found.unit)}, "
        f"95 % interval {interval(found.ci95, found.unit, with_sign=True)}."
    )
    title = f"{pair.contestant} minus {pair.baseline}, {shown.metric} {unit_label(found.unit)}"
    return replace(shown, chart=charts.difference(estimate, found.ci90, pair.verdict.margin, title, description))


def _costs(pairs: Sequence[Pair], colors: Mapping[str, str]) -> ChartView | None:
    from bimodal_reports import charts

    several = len(pairs) > 1
    rows = [
        charts.Estimate(
            f"{pair.contestant}: {COST_LABELS[cost.name]}" if several else COST_LABELS[cost.name],
            cost.ratio,
            cost.ratio,
            cost.ratio,
            colors[pair.contestant],
            ratio(cost.ratio),
        )
        for pair in pairs
        for cost in pair.costs
    ]
    if not rows:
        return None
    spoken = ", ".join(f"{row.label} {row.text}" for row in rows)
    baselines = " and ".join(dict.fromkeys(pair.baseline for pair in pairs))
    return ChartView(
        title=f"Cost relative to {baselines}",
        note="Right of 1× is dearer. Logarithmic axis."
        + (" Medians over seeds." if any(len(pair.seeds) > 1 for pair in pairs) else ""),
        svg=charts.ratios(rows, f"Cost relative to {baselines}: {spoken}"),
    )


def _curves(
    cells: Sequence[CellResult],
    colors: Mapping[str, str],
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
) -> ChartView | None:
    from bimodal_reports import charts

    several = len({cell.config.seed for cell in cells}) > 1
    points, line_colors = {}, {}
    for cell in cells:
        line = [
            (int(row["step"]), float(row["validation_bits"]))
            for row in curves.get(cell.config.cell, ())
            if "validation_bits" in row
        ]
        if line:
            label = cell_label(cell, several)
            points[label], line_colors[label] = line, colors[cell.config.contestant]
    if not points:
        return None
    spoken = "; ".join(
        f"{label} ends at {line[-1][1]:.3f} after {line[-1][0]:,} steps" for label, line in points.items()
    )
    unit = unit_label(next((cell.train.validation_unit for cell in cells if cell.train is not None), "bits/byte"))
    return ChartView(
        title="Validation during training",
        note="Lower is better. The checkpoint with the lowest is the one that was tested.",
        svg=charts.curves(points, line_colors, unit, f"Validation {unit}: {spoken}"),
    )
