"""The ladder in the report: where the gain comes from, and what was matched to find out."""

from __future__ import annotations

from collections.abc import Mapping

from bimodal.schema import Ladder, LadderPart, TaskComparison
from bimodal_reports.tables import Column, Entry, Row, Table
from bimodal_reports.view import ChartView, Section
from bimodal_reports.wording import (
    amount_of,
    capitalised,
    interval,
    joined,
    metric_label,
    number,
    quantity,
    signed,
)

_BRINGS = {
    "capacity": "size alone (gpt-wide − gpt)",
    "compute": "training longer (gpt-long − gpt)",
    "architecture": "encoders and cross-attention without information (multimodal-blank − gpt, beyond both)",
    "information": "the true input (multimodal − multimodal-blank)",
    "total": "multimodal − gpt",
}
_NOT_COUNTED = "unavailable"
_PARAMETERS, _FLOPS = 0.01, 0.02
"""How far, relatively, controls may be from what they are matched to (`bimodal.matching.TOLERANCE`)."""


def ladder_section(task: TaskComparison, colors: Mapping[str, str]) -> Section | None:
    """What the ladder says; None where it was not run."""
    ladder = task.ladder
    if ladder is None:
        return None
    return Section(
        title="Where does the gain come from?",
        answers=(ladder_answer(ladder), fairness(ladder)),
        about="gpt-wide has the parameters of multimodal, gpt-long its training FLOPs, and multimodal-blank is "
        "multimodal, trained and tested on one constant picture, or silence. The parts add up to the gain, on the test "
        "examples and on every resample of them: architecture is what the blank control gains beyond what size and "
        "compute bring alone.",
        chart=_chart(ladder, colors),
        table=_table(ladder, colors),
    )


def ladder_answer(ladder: Ladder) -> str:
    """The split in one sentence, the largest part first."""
    label, unit = metric_label(ladder.metric), ladder.unit
    parts = sorted(ladder.parts, key=lambda part: -part.value)
    split = joined([f"{part.name} {signed(part.value, unit)} ({_bounds(part, unit)})" for part in parts])
    verb = "gains" if ladder.total.value >= 0 else "loses"
    return (
        f"multimodal {verb} {amount_of(abs(ladder.total.value), unit, label)} on gpt "
        f"(95 % interval {_bounds(ladder.total, unit)}): {split}."
    )


def fairness(ladder: Ladder) -> str:
    """How closely the controls met what they were matched to, as trained."""
    flops = ladder.train_flops_ratio
    compute = "training FLOPs could not be counted" if flops is None else f"FLOPs {_percent(flops)}"
    fair = abs(ladder.parameters_ratio - 1) <= _PARAMETERS and (flops is None or abs(flops - 1) <= _FLOPS)
    text = (
        f"As matched: parameters of gpt-wide {_percent(ladder.parameters_ratio)} of multimodal's (promised: within "
        f"1 %), training {compute} for gpt-long (within 2 %)."
    )
    return text if fair else f"{text} That is not what was promised: capacity or compute is not isolated."


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.2f} %"


def _bounds(part: LadderPart, unit: str) -> str:
    return interval(part.ci95, unit, with_sign=True)


def _chart(ladder: Ladder, colors: Mapping[str, str]) -> ChartView:
    from bimodal_reports import charts

    color = colors["multimodal"]
    rows = [
        charts.Estimate(
            part.name, part.value, *part.ci95, color, signed(part.value, ladder.unit), hollow=part is not ladder.total
        )
        for part in (*ladder.parts, ladder.total)
    ]
    label = metric_label(ladder.metric)
    spoken = "; ".join(f"{row.label} {row.text}" for row in rows)
    return ChartView(
        title=f"What brings {label}",
        note="The hollow parts add up to the total. Lines: 95 % intervals.",
        svg=charts.scores(rows, f"{label} gained, {ladder.unit}", f"Parts of the gain in {label}: {spoken}"),
    )


def _table(ladder: Ladder, colors: Mapping[str, str]) -> Table:
    unit = ladder.unit
    columns = tuple(Column(step.contestant, colors[step.contestant]) for step in ladder.steps)
    rows = (
        Row(capitalised(metric_label(ladder.metric)), "", tuple(Entry(number(s.score, unit)) for s in ladder.steps)),
        Row("Parameters", "", tuple(Entry(quantity(s.parameters, "")) for s in ladder.steps)),
        Row("Training compute", "", tuple(Entry(_flops(s.train_flops)) for s in ladder.steps)),
        Row("Training time", "", tuple(Entry(quantity(s.train_wall_s, "s")) for s in ladder.steps)),
    )
    parts = tuple(
        Row(part.name, _BRINGS[part.name], (Entry(signed(part.value, unit), _bounds(part, unit)), *_EMPTY[1:]))
        for part in (*ladder.parts, ladder.total)
    )
    return Table(columns, (("Contestants", rows), ("Parts of the gain", parts)))


_EMPTY = (Entry(""),) * 5


def _flops(value: float | None) -> str:
    return _NOT_COUNTED if value is None else quantity(value, "FLOP")
