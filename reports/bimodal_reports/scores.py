"""The table of scores: contestants and their probes with intervals, references, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from bimodal.schema import CellResult, Metric, Pair
from bimodal_reports.tables import ABSENT, Column, Entry, Row, Table, p_value
from bimodal_reports.wording import capitalised, interval, metric_label, number, seeds_label, signed, unit_label


@dataclass(frozen=True, slots=True)
class _Scored:
    """A column: what a contestant, a probe of it, or a reference scored, once per training seed."""

    column: Column
    by_seed: tuple[Mapping[str, Metric], ...]


def score_table(cells: Sequence[CellResult], pairs: Sequence[Pair], colors: Mapping[str, str], primary: str) -> Table:
    """Metrics by contestant, probe and reference, and the paired differences.

    With one seed each score has its 95 % interval over test examples; with several it is their mean, above what every
    seed scored.
    """
    several = len({cell.config.seed for cell in cells}) > 1
    scored = [*_contestants(cells, colors), *_references(cells)]
    columns = [one.column for one in scored]
    for pair in pairs:
        note = f"{pair.contestant} − {pair.baseline}" + (f", {seeds_label(pair.seeds)}" if several else "")
        columns.append(Column("Difference", note=note))
    known = {name: metric for one in scored for metrics in one.by_seed for name, metric in metrics.items()}
    rows = []
    for name in sorted(known, key=lambda name: name != primary):
        entries = [_score([metrics.get(name) for metrics in one.by_seed]) for one in scored]
        entries += [_difference(pair, name) for pair in pairs]
        direction = "higher is better" if known[name].higher_is_better else "lower is better"
        note = ", ".join(part for part in (unit_label(known[name].unit), direction) if part)
        label = capitalised(metric_label(name))
        rows.append(Row(label, note, tuple(entries), known[name].signature, primary=name == primary))
    return Table(tuple(columns), (("", tuple(rows)),))


def _contestants(cells: Sequence[CellResult], colors: Mapping[str, str]) -> list[_Scored]:
    scored = []
    for name in dict.fromkeys(cell.config.contestant for cell in cells):
        mine = [cell for cell in cells if cell.config.contestant == name]
        scored.append(_Scored(Column(name, colors[name]), tuple(cell.metrics for cell in mine)))
        for probe in dict.fromkeys(probe for cell in mine for probe in cell.probes):
            found = tuple(cell.probes[probe].metrics for cell in mine if probe in cell.probes)
            scored.append(_Scored(Column(name, colors[name], note=probe), found))
    return scored


def _references(cells: Sequence[CellResult]) -> list[_Scored]:
    """The same for every cell: a reference reads the text that all of them got."""
    found = cells[0].references if cells else ()
    return [_Scored(Column(reference.name, note="reference"), (reference.metrics,)) for reference in found]


def _score(by_seed: Sequence[Metric | None]) -> Entry:
    found = [metric for metric in by_seed if metric is not None]
    if not found or len(found) < len(by_seed):
        return Entry(ABSENT)
    unit = found[0].unit
    value = number(mean(metric.value for metric in found), unit)
    if len(found) > 1:
        return Entry(value, ", ".join(number(metric.value, unit) for metric in found))
    return Entry(value, "" if found[0].ci95 is None else interval(found[0].ci95, unit))


def _difference(pair: Pair, metric: str) -> Entry:
    for found in pair.differences:
        if found.metric == metric:
            excludes_zero = found.ci95[0] > 0 or found.ci95[1] < 0
            gain = (found.value > 0) == found.higher_is_better
            return Entry(
                signed(found.value, found.unit),
                f"{interval(found.ci95, found.unit, with_sign=True)}, p {p_value(found)}",
                ("gain" if gain else "loss") if excludes_zero else "",
            )
    return Entry(ABSENT)
