"""The dial in the report: one curve per contestant."""

from __future__ import annotations

from bimodal.schema import DialCurve
from bimodal_reports.dials import dial_answer
from bimodal_reports.tables import Column, Entry, Row, Table
from bimodal_reports.verdicts import OUTCOME_LABELS
from bimodal_reports.view import ChartView, Section
from bimodal_reports.wording import capitalised, interval, metric_label, number, signed


def dial_section(curve: DialCurve) -> Section:
    """The curve with its answer and its numbers."""
    from bimodal_reports import charts

    label, unit = metric_label(curve.metric), curve.unit
    rows = [
        charts.Estimate(f"{point.dial:g}", point.gain, *point.ci95, "var(--c1)", signed(point.gain, unit))
        for point in curve.points
    ]
    spoken = "; ".join(f"dial {row.label}: {row.text}, {interval((row.low, row.high), unit)}" for row in rows)
    seeds = f"{len(curve.seeds)} seeds" if len(curve.seeds) > 1 else f"seed {curve.seeds[0]}"
    return Section(
        title=f"{capitalised(label)} gained against the dial",
        answers=(dial_answer(curve),),
        about=f"{curve.task} on {curve.dataset}, {seeds}. The dial is the share of examples whose extra modality tells "
        "the answer: a known truth. A sound method finds nothing at dial 0 and more the further the dial is turned.",
        chart=ChartView(
            title=f"{curve.contestant} − {curve.baseline}",
            note="Lines: 95 % intervals.",
            svg=charts.dial(rows, f"{label} gained", f"Gain in {label} by dial: {spoken}"),
        ),
        table=Table(
            tuple(Column(title) for title in (curve.baseline, curve.contestant, "Gain", "Verdict")),
            (("", tuple(_row(curve, index) for index in range(len(curve.points)))),),
        ),
    )


def _row(curve: DialCurve, index: int) -> Row:
    point, unit = curve.points[index], curve.unit
    return Row(
        f"Dial {point.dial:g}",
        "",
        (
            Entry(number(point.baseline_value, unit)),
            Entry(number(point.contestant_value, unit)),
            Entry(signed(point.gain, unit), interval(point.ci95, unit, with_sign=True)),
            Entry(OUTCOME_LABELS[point.outcome]),
        ),
    )
