"""What the templates show, made from the records: every number is text before it gets there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bimodal.metrics import CORPUS_METRICS
from bimodal.schema import CellResult, Difference, Manifest, Pair, ProbeDrop, TaskComparison
from bimodal_reports.costs import COST_LABELS, LATENCY, PARAMETERS, TRAIN_TIME
from bimodal_reports.fairness import fairness_table
from bimodal_reports.pairs import modalities_seen
from bimodal_reports.scores import score_table
from bimodal_reports.settings import flattened
from bimodal_reports.tables import Table, cost_table
from bimodal_reports.verdicts import OUTCOME_LABELS, deranged_of, headline, pair_notes, subject
from bimodal_reports.wording import (
    amount,
    interval,
    margin_amount,
    metric_label,
    number,
    quantity,
    ratio,
    seeds_label,
    signed,
)

_PALETTE_SIZE = 6


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the big numbers below a headline."""

    value: str
    label: str
    detail: str


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """A contestant's primary score, as it stands in the lead."""

    name: str
    color: str
    value: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A pair's answer."""

    outcome: str
    outcome_label: str
    headline: str
    metric: str
    scores: tuple[ScoreLine, ...]
    basis: str
    figures: tuple[Figure, ...]
    sentence: str
    caveats: tuple[str, ...]
    notes: tuple[str, ...]
    chart: str = ""
    chart_note: str = ""


@dataclass(frozen=True, slots=True)
class ChartView:
    """A drawing with its title and what it shows."""

    title: str
    note: str
    svg: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report that answers one question."""

    title: str
    answers: tuple[str, ...]
    """What was found, in sentences; the first is the one to remember."""
    about: str
    """How it was found."""
    chart: ChartView | None = None
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class FailureView:
    """A cell without a result."""

    cell: str
    message: str
    log: str


@dataclass(frozen=True, slots=True)
class TaskView:
    """Everything the report shows of one task on one data set."""

    index: int
    task: Any
    dataset: Any
    licence_href: str
    contestants: tuple[tuple[str, str], ...]
    """Names and CSS colours."""
    verdicts: tuple[VerdictView, ...]
    lead: str
    """Said instead of a verdict where there is no pair."""
    scores: Table
    costs: Table
    fairness: Table
    declared: str
    failures: tuple[FailureView, ...]
    samples: int
    pictures_missing: int
    charts: dict[str, ChartView] = field(default_factory=dict)
    evidence: tuple[Section, ...] = ()
    """What else was found out about the scores."""
    ladder: Section | None = None
    """Where the gain of the first verdict comes from."""
    pace: Section | None = None
    """Who is faster, and where the time goes."""
    price: Section | None = None
    """What they cost, held against each other."""


def contestant_colors(task: TaskComparison) -> dict[str, str]:
    """One CSS colour per contestant, the same everywhere in the report; the baseline's is the first."""
    return {name: f"var(--c{index % _PALETTE_SIZE})" for index, name in enumerate(task.contestants)}


def cells_of(task: TaskComparison, results: Sequence[CellResult]) -> list[CellResult]:
    """The results of a task on a data set, by seed, the baseline first."""
    mine = [
        result for result in results if result.config.task == task.task.name and task.dataset.is_of(result.config.data)
    ]
    return sorted(mine, key=lambda r: (r.config.seed, task.contestants.index(r.config.contestant)))


def task_view(
    index: int, task: TaskComparison, results: Sequence[CellResult], pictures: Mapping[str, bytes]
) -> TaskView:
    """The view of one task, without its charts."""
    cells = cells_of(task, results)
    complete = [cell for cell in cells if cell.status == "ok"]
    by_key = {(cell.config.contestant, cell.config.seed): cell for cell in complete}
    colors = contestant_colors(task)
    shown = {sample.id for sample in task.samples}
    return TaskView(
        index=index,
        task=task.task,
        dataset=task.dataset,
        licence_href=safe_href(task.dataset.licence_url),
        contestants=tuple(colors.items()),
        verdicts=tuple(_verdict(pair, task.probes, by_key, colors) for pair in task.pairs),
        lead=_lead(task, complete),
        scores=score_table(complete, task.pairs, colors, task.task.primary_metric),
        costs=cost_table(complete, task.pairs, colors),
        fairness=fairness_table(complete, colors),
        declared=_declared(task),
        failures=_failures(task, cells),
        samples=len(task.samples),
        pictures_missing=len(shown - pictures.keys()) if "image" in task.dataset.modalities else 0,
    )


def primary_difference(pair: Pair) -> Difference:
    """The difference the verdict is about."""
    return next(found for found in pair.differences if found.metric == pair.verdict.metric)


def _verdict(
    pair: Pair,
    probes: Sequence[ProbeDrop],
    by_key: Mapping[tuple[str, int], CellResult],
    colors: Mapping[str, str],
) -> VerdictView:
    found = primary_difference(pair)
    baseline, contestant = (by_key[name, pair.seeds[0]] for name in (pair.baseline, pair.contestant))
    extra = [m for m in modalities_seen(contestant) if m not in modalities_seen(baseline)]
    deranged = deranged_of(pair.contestant, found.metric, probes)
    what = subject(pair.baseline, pair.contestant, extra, outcome=pair.verdict.outcome, deranged=deranged)
    label = metric_label(found.metric)
    values = ((pair.contestant, found.contestant_value), (pair.baseline, found.baseline_value))
    return VerdictView(
        outcome=pair.verdict.outcome,
        outcome_label=OUTCOME_LABELS[pair.verdict.outcome],
        headline=headline(what, found, pair.verdict.outcome),
        metric=label,
        scores=tuple(ScoreLine(name, colors[name], number(value, found.unit)) for name, value in values),
        basis=f"{found.examples:,} test examples, {seeds_label(pair.seeds)}",
        figures=_figures(pair, found, label),
        sentence=pair.verdict.sentence,
        caveats=pair.verdict.caveats,
        notes=(*pair_notes(pair), _detectable(found)),
        chart_note=(
            f"Thin line: 95 % interval, {interval(found.ci95, found.unit, with_sign=True)}. Thick line: 90 %. Shaded: "
            f"differences up to the declared margin of {margin_amount(pair.verdict.margin, found.unit)}."
        ),
    )


def _detectable(found: Difference) -> str:
    return f"A true difference of {amount(found.detectable, found.unit)} would have been found in 80 % of such runs."


def _figures(pair: Pair, found: Difference, label: str) -> tuple[Figure, ...]:
    figures = [
        Figure(
            signed(found.value, found.unit),
            f"{label} {found.unit}",
            f"95 % interval {interval(found.ci95, found.unit, with_sign=True)}",
        )
    ]
    memory = next((cost.name for cost in pair.costs if cost.unit == "B"), "")
    for name in (TRAIN_TIME, LATENCY, memory or PARAMETERS):
        for cost in pair.costs:
            if cost.name == name:
                detail = (
                    f"{quantity(cost.contestant_value, cost.unit)} against {quantity(cost.baseline_value, cost.unit)}"
                )
                figures.append(Figure(ratio(cost.ratio), COST_LABELS[name], detail))
    return tuple(figures)


def _lead(task: TaskComparison, complete: Sequence[CellResult]) -> str:
    if not complete:
        return "No contestant has a result."
    cell, name = complete[0], task.task.primary_metric
    metric = cell.metrics.get(name)
    if metric is None:
        return f"{cell.config.contestant} has a result, and nothing to be compared with."
    bounds = f" (95 % interval {interval(metric.ci95, metric.unit)})" if metric.ci95 else ""
    value = number(metric.value, metric.unit) if metric.unit == "points" else amount(metric.value, metric.unit)
    return (
        f"{cell.config.contestant} scores {value} {metric_label(name)}{bounds}. With one contestant there is "
        "nothing to compare."
    )


def _declared(task: TaskComparison) -> str:
    name = task.task.primary_metric
    unit = CORPUS_METRICS[name].unit if name in CORPUS_METRICS else ""
    own = task.task.own_margin
    instead = "" if own is None else f" by --margin (the task's own is {margin_amount(own, unit)})"
    return f"primary metric {metric_label(name)}, margin {margin_amount(task.task.margin, unit)}{instead}"


def _failures(task: TaskComparison, cells: Sequence[CellResult]) -> tuple[FailureView, ...]:
    logs = {cell.config.cell: cell.error.log_path or "" for cell in cells if cell.error is not None}
    return tuple(FailureView(cell, message, logs.get(cell, "")) for cell, message in task.failed.items())


def safe_href(url: str) -> str:
    """The address if it is one of the web, else nothing: data must not smuggle in `javascript:`."""
    return url if url.lower().startswith(("https://", "http://")) else ""


def environment_rows(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """The manifest's environment as dotted names and values."""
    return tuple((name, _plain(name, value)) for name, value in flattened(manifest.environment).items())


def _plain(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes") and isinstance(value, int):
        return quantity(value, "B")
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "none"
    return "unknown" if value is None else str(value)
