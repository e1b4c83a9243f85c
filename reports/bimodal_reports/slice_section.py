"""Slices in the report: where it pays, and where it does not."""

from __future__ import annotations

from collections.abc import Mapping

from bimodal.schema import SliceGain, SliceSearch, TaskComparison
from bimodal_reports.tables import Column, Entry, Row, Table
from bimodal_reports.view import ChartView, Section
from bimodal_reports.wording import amount, capitalised, interval, metric_label, signed


def slice_section(task: TaskComparison, colors: Mapping[str, str]) -> Section | None:
    """What the search through slices found; None where there was nothing to search."""
    search = task.slices
    if search is None:
        return None
    return Section(
        title="Where does it pay?",
        answers=slice_answers(search),
        about=f"{search.tried} slices were tried: does a contestant gain there what it gains elsewhere? They were "
        "found on one half of the test examples and tried again on the other, which all numbers here are of. At "
        f"most {100 * search.false_discovery_rate:.0f} % of what is confirmed is expected to be false.",
        chart=_chart(search, colors) if search.found else None,
        table=_table(search) if search.found else None,
    )


def slice_answers(search: SliceSearch) -> tuple[str, ...]:
    """A sentence per confirmed slice; one that says so where there is none."""
    confirmed = [gain for gain in search.found if gain.confirmed]
    if not confirmed:
        what = "none stood out" if not search.found else f"{len(search.found)} stood out, and none of them twice"
        return (f"Nothing shows that it pays more in one place than in another: of {search.tried} slices {what}.",)
    return tuple(_sentence(gain, search) for gain in confirmed)


def _sentence(gain: SliceGain, search: SliceSearch) -> str:
    more = "more" if gain.gain > gain.elsewhere else "less"
    return (
        f"{gain.contestant} gains {more} where {gain.key} is {gain.value}: {amount(gain.gain, search.unit)} of "
        f"{metric_label(search.metric)} (95 % interval {interval(gain.ci95, search.unit, with_sign=True)}) against "
        f"{signed(gain.elsewhere, search.unit)} elsewhere."
    )


def _chart(search: SliceSearch, colors: Mapping[str, str]) -> ChartView:
    from bimodal_reports import charts

    several = len({gain.contestant for gain in search.found}) > 1
    rows = [
        charts.Estimate(
            f"{f'{gain.contestant}, ' if several else ''}{gain.key}: {gain.value}",
            gain.gain,
            *gain.ci95,
            colors[gain.contestant],
            signed(gain.gain, search.unit),
            hollow=not gain.confirmed,
        )
        for gain in search.found
    ]
    label = metric_label(search.metric)
    spoken = "; ".join(f"{row.label} {row.text}" for row in rows)
    return ChartView(
        title=f"{capitalised(label)} gained by slice",
        note="Second half of the test examples, 95 % intervals. Hollow: found, but not confirmed.",
        svg=charts.scores(rows, f"{label} gained, {search.unit}", f"Gain in {label} by slice: {spoken}"),
    )


def _table(search: SliceSearch) -> Table:
    columns = tuple(Column(title) for title in ("Examples", "Gain", "Elsewhere", "Found, q", "Confirmed, q"))
    rows = tuple(
        Row(
            f"{gain.key}: {gain.value}",
            gain.contestant,
            (
                Entry(f"{gain.examples:,}"),
                Entry(signed(gain.gain, search.unit), interval(gain.ci95, search.unit, with_sign=True)),
                Entry(signed(gain.elsewhere, search.unit)),
                Entry(f"{gain.q_found:.2g}"),
                Entry(f"{gain.q_confirmed:.2g}", "confirmed" if gain.confirmed else "not confirmed"),
            ),
        )
        for gain in search.found
    )
    return Table(columns, (("", rows),))
