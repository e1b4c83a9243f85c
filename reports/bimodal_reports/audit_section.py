"""The audit in the report and on the terminal: does a contestant use what it sees and hears?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table as TerminalTable
from rich.text import Text

from bimodal.schema import AuditDrop, Comparison, TaskComparison
from bimodal_reports.tables import Column, Entry, Row, Table, p_value
from bimodal_reports.verdicts import uses_its_input
from bimodal_reports.view import ChartView, Section
from bimodal_reports.wording import (
    amount_of,
    capitalised,
    interval,
    joined,
    metric_label,
    number,
    perceived,
    signed,
)

_WITH = {
    "deranged": "somebody else's {}",
    "noise": "noise for a {}",
    "dropped": "no {}",
}
_UNTRIED = "–"


def audit_section(task: TaskComparison, colors: Mapping[str, str]) -> Section | None:
    """What the probes say; None where there was no audit."""
    if task.audit is None:
        return None
    drops = [drop for drop in task.audit.drops if drop.metric == task.task.primary_metric]
    warnings = (
        (
            f"The true inputs gave other answers than after training in {joined(task.audit.not_reproduced)}: the audit "
            "ran on another device, kernel or version. Drops are between answers of the audit alone.",
        )
        if task.audit.not_reproduced
        else ()
    )
    return Section(
        title="Does it use what it perceives?",
        answers=(*_answers(task.audit.drops, task.task.primary_metric), *warnings),
        about="The same checkpoints, tested again with one thing changed, and nothing trained. Deranged: everybody has "
        "somebody else's. Blank: the mean training picture, or silence. Noise: as bright and varied, or as loud. "
        "Dropped: none. The drop is paired; the perceptual score is the share of the score that is lost. Helped and "
        "hurt count examples answered exactly right only with the truth, or only without it.",
        chart=_chart(drops, task.task.primary_metric, colors),
        table=_table(task.audit.drops),
    )


def audit_tables(comparison: Comparison) -> RenderableType:
    """The audit for a terminal: one table per task and data set, and the answer below it."""
    shown: list[RenderableType] = []
    for task in comparison.tasks:
        drops = task.audit.drops if task.audit else ()
        mine = [drop for drop in drops if drop.metric == task.task.primary_metric]
        if not mine:
            continue
        table = TerminalTable(
            title=f"{metric_label(task.task.primary_metric)}, {task.task.name} on {task.dataset.label}",
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("contestant", no_wrap=True)
        table.add_column("inputs", no_wrap=True)
        for heading in ("score", "drop", "95 % interval", "lost", "helped", "hurt"):
            table.add_column(heading, justify="right", no_wrap=True)
        by_contestant = {drop.contestant: [d for d in mine if d.contestant == drop.contestant] for drop in mine}
        for name, own in by_contestant.items():
            table.add_row(Text(name), "true", number(own[0].true_value, own[0].unit))
            for drop in own:
                table.add_row(
                    "",
                    drop.probe,
                    number(drop.probe_value, drop.unit),
                    signed(drop.drop, drop.unit),
                    interval(drop.ci95, drop.unit, with_sign=True),
                    _share(drop),
                    str(len(drop.helped)),
                    str(len(drop.hurt)),
                )
        shown.append(table)
        shown += [Text(answer) for answer in _answers(drops, task.task.primary_metric)]
    return Group(*shown)


def _answers(drops: Sequence[AuditDrop], primary: str) -> list[str]:
    names = dict.fromkeys(drop.contestant for drop in drops)
    return [audit_answer([drop for drop in drops if drop.contestant == name], primary) for name in names]


def audit_answer(drops: Sequence[AuditDrop], primary: str) -> str:
    """One contestant's probes in a sentence per modality: whether it uses it, and how much of its score rests on it."""
    return " ".join(
        _answer([drop for drop in drops if drop.modality == modality], primary)
        for modality in dict.fromkeys(drop.modality for drop in drops)
    )


def _answer(drops: Sequence[AuditDrop], primary: str) -> str:
    decisive = [drop for drop in drops if drop.metric == primary]
    lead = next((drop for drop in decisive if drop.kind == "deranged"), decisive[0])
    name, label, seen = lead.contestant, metric_label(primary), perceived([lead.modality])
    if all(drop.drop == 0.0 and drop.ci95 == (0.0, 0.0) for drop in drops):
        return f"{name} ignores its {seen}: no probe changes any of its answers."
    if lead.true_value == 0.0 and lead.perceptual_score is None and lead.probe_value == 0.0:
        return f"{name} scores 0 {label} with and without its {seen}: who has nothing can lose nothing."
    loses = f"with {_changed(lead)} it loses {amount_of(lead.drop, lead.unit, label)}"
    bounds = f"95 % interval {interval(lead.ci95, lead.unit, with_sign=True)}, p {p_value(lead)}"
    if not uses_its_input(lead):
        return f"Nothing shows that {name} uses its {seen}: {loses} ({bounds})."
    share = "" if lead.perceptual_score is None else f", {_share(lead)} of it"
    return f"{name} uses its {seen}: {loses}{share} ({bounds})."


def _changed(drop: AuditDrop) -> str:
    if drop.kind == "blank":
        return {"image": "the mean picture", "audio": "silence"}[drop.modality]
    return _WITH[drop.kind].format(perceived([drop.modality]))


def _share(drop: AuditDrop) -> str:
    return _UNTRIED if drop.perceptual_score is None else f"{100 * drop.perceptual_score:.0f} %"


def _chart(drops: Sequence[AuditDrop], primary: str, colors: Mapping[str, str]) -> ChartView | None:
    from bimodal_reports import charts

    if not drops:
        return None
    rows = [
        charts.Estimate(
            f"{drop.contestant}, {drop.probe}",
            drop.drop,
            *drop.ci95,
            colors[drop.contestant],
            signed(drop.drop, drop.unit),
            hollow=True,
        )
        for drop in drops
    ]
    label = metric_label(primary)
    spoken = "; ".join(f"{row.label} {row.text}" for row in rows)
    return ChartView(
        title=f"{capitalised(label)} lost when its input is changed",
        note="Lines: 95 % intervals. At 0 the input makes no difference.",
        svg=charts.scores(rows, f"{label} lost, {drops[0].unit}", f"{label} lost under each probe: {spoken}"),
    )


def _table(drops: Sequence[AuditDrop]) -> Table:
    columns = tuple(Column(title) for title in ("True", "Changed", "Drop", "Perceptual score", "Helped", "Hurt"))
    groups: dict[str, list[Row]] = {}
    for drop in drops:
        bounds = f"{interval(drop.ci95, drop.unit, with_sign=True)}, p {p_value(drop)}"
        entries = (
            Entry(number(drop.true_value, drop.unit)),
            Entry(number(drop.probe_value, drop.unit)),
            Entry(signed(drop.drop, drop.unit), bounds),
            Entry(_share(drop)),
            Entry(str(len(drop.helped))),
            Entry(str(len(drop.hurt))),
        )
        group = f"{drop.contestant}, {metric_label(drop.metric)}"
        groups.setdefault(group, []).append(Row(drop.probe, _changed(drop), entries))
    return Table(columns, tuple((group, tuple(rows)) for group, rows in groups.items()))
