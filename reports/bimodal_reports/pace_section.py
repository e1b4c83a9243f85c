"""Who is faster, and where the time goes, in the report: verdicts against the noise floor, phases, the overhead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from bimodal.schema import Breakdown, CellResult, Cost, Overhead, PaceVerdict, Pair, TaskComparison
from bimodal_reports.conditions import measuring_notes
from bimodal_reports.tables import ABSENT, Column, Entry, Row, Table
from bimodal_reports.view import ChartView, Section, cells_of
from bimodal_reports.wording import joined, quantity, ratio, signed

PHASES = {
    "load_ms": ("Load", "text to tokens, files to tensors"),
    "image_encode_ms": ("Image encoder", ""),
    "audio_encode_ms": ("Audio encoder", ""),
    "keys_values_ms": ("Keys and values", "fusion, and what cross-attention reads"),
    "prefill_ms": ("Prefill", "to the first token, or all tags"),
    "decode_ms": ("Decode", "all further tokens"),
    "detokenise_ms": ("Detokenise", "tokens to text"),
}
_OF_ENCODERS = ("image_encode_ms", "audio_encode_ms", "keys_values_ms")
_QUANTITIES = {
    "end_to_end_ms": "Whole request",
    "prefill_ms": "First token",
    "decode_ms_per_token": "Each further token",
    "batch_ms": "A batch",
}
_ADDS_UP_WITHIN = 0.02
_SHOWN_FROM_MS = 0.005


def pace_section(task: TaskComparison, results: Sequence[CellResult], colors: Mapping[str, str]) -> Section | None:
    """Verdicts, phases and the overhead; None where nothing was measured."""
    cells = [cell for cell in cells_of(task, results) if cell.status == "ok" and cell.cost is not None]
    phases = breakdowns(cells)
    if not phases:
        return None
    answers = [sentence for pair in task.pairs for sentence in pace_answers(pair)]
    alone = [] if task.pairs else list(measuring_notes(cells))
    return Section(
        title="Where does the time go?",
        answers=(*(answers or [_alone(phases)]), *alone),
        about=_about(cells),
        chart=_chart(phases),
        table=_table(task, cells, phases, colors),
    )


def pace_answers(pair: Pair) -> tuple[str, ...]:
    """The verdict on whole requests, and what the difference is made of."""
    whole = next((found for found in pair.paces if found.quantity == "end_to_end_ms"), None)
    if whole is None:
        return ()
    answers = [f"{whole.outcome}: a request of {pair.contestant} takes {_against(whole, pair.baseline)}"]
    if pair.overhead is not None:
        answers.append(overhead_answer(pair.overhead))
    return tuple(answers)


def _against(found: PaceVerdict, baseline: str) -> str:
    if found.ci95 is None or found.noise is None:
        return (
            f"{ratio(found.ratio)} the time of {baseline}, in one process each. What processes of one contestant "
            "differ by is then unknown: measure with --set measure.processes=3."
        )
    low, high = (_fine_ratio(bound) for bound in found.ci95)
    return (
        f"{_fine_ratio(found.ratio)} the time of {baseline} (95 % interval {low} to {high}); processes of one and the "
        f"same contestant alone give up to ±{100 * found.noise:.1f} %."
    )


def overhead_answer(found: Overhead) -> str:
    """`The difference of +11.24 ms is made of: encoders +5.49 ms, ...`."""
    parts = {"encoders": found.encoders_ms, "cross-attention": found.cross_attention_ms}
    if abs(found.answer_length_ms) >= _SHOWN_FROM_MS:
        parts["longer answers" if found.answer_length_ms > 0 else "shorter answers"] = found.answer_length_ms
    parts["the rest (reading files, tokens to text)"] = found.rest_ms
    listed = joined([f"{name} {_milliseconds(value)}" for name, value in parts.items()])
    return f"The difference of {_milliseconds(found.total_ms)} is made of: {listed}."


def breakdowns(cells: Sequence[CellResult]) -> dict[str, Breakdown]:
    """Phases by contestant, means over its seeds."""
    found: dict[str, list[Breakdown]] = {}
    for cell in cells:
        if cell.cost is not None and cell.cost.breakdown is not None:
            found.setdefault(cell.config.contestant, []).append(cell.cost.breakdown)
    names = Breakdown.model_fields
    return {who: Breakdown(**{n: fmean(getattr(one, n) for one in mine) for n in names}) for who, mine in found.items()}


def noise_floors(cells: Sequence[CellResult]) -> dict[str, float]:
    """The noise floor of whole requests by contestant, mean over its seeds; those with one process have none."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        if cell.cost is not None and cell.cost.noise is not None:
            found.setdefault(cell.config.contestant, []).append(cell.cost.noise)
    return {who: fmean(mine) for who, mine in found.items()}


def unaccounted(found: Breakdown) -> float:
    """Share of the whole request that is in none of its phases."""
    phases: list[float] = [getattr(found, phase) for phase in PHASES]
    return 1 - sum(phases) / found.end_to_end_ms


def _alone(phases: Mapping[str, Breakdown]) -> str:
    name, found = next(iter(phases.items()))
    return f"A request of {name} takes {quantity(found.end_to_end_ms, 'ms')} for {found.tokens:.0f} tokens."


def _about(cells: Sequence[CellResult]) -> str:
    costs = [cell.cost for cell in cells if cell.cost is not None and cell.cost.conditions is not None]
    found = next((cost.conditions for cost in costs if cost.conditions is not None), None)
    if found is None:
        return ""
    checked = sum(cost.conditions.outputs_checked for cost in costs if cost.conditions is not None)
    answers = f"{checked:,} timed answers were held against the untimed ones. " if checked else ""
    return (
        f"Requests of all contestants in turns (A B B A ...), in {found.processes} processes of each with "
        f"{found.threads} thread{'s' if found.threads > 1 else ''}, on {found.device}. Ratios are of requests of the "
        "same round. The noise floor is what processes of one contestant differ by; no verdict is below it. Phases "
        f"are means over the middle half of the requests, so that they add up. {answers}{_energy(costs)}"
    )


def _energy(costs: Sequence[Cost]) -> str:
    measured = any(cost.energy_j != "unavailable" for cost in costs)
    return f"Energy: {'from ' if measured else 'unavailable, '}{costs[0].energy_source}."


def _chart(phases: Mapping[str, Breakdown]) -> ChartView:
    from bimodal_reports import charts

    rows = [
        charts.Part(who, label, getattr(found, phase))
        for who, found in phases.items()
        for phase, (label, _) in PHASES.items()
        if getattr(found, phase) > 0 and _applies(phase, found)
    ]
    spoken = "; ".join(
        f"{who}: " + ", ".join(f"{row.name} {quantity(row.value, 'ms')}" for row in rows if row.label == who)
        for who in phases
    )
    return ChartView(
        title="One request, phase by phase",
        note="Milliseconds; phases in the order they happen.",
        svg=charts.stacked(rows, [label for label, _ in PHASES.values()], "ms", f"Phases of a request. {spoken}"),
    )


def _applies(phase: str, found: Breakdown) -> bool:
    """Whether a contestant has the phase: one without encoders has no keys and values but the clock's own time."""
    return phase not in _OF_ENCODERS or found.image_encode_ms + found.audio_encode_ms > 0


def _table(
    task: TaskComparison, cells: Sequence[CellResult], phases: Mapping[str, Breakdown], colors: Mapping[str, str]
) -> Table:
    columns = [Column(who, colors[who]) for who in phases]
    columns += [Column("Ratio", note=f"{pair.contestant} ÷ {pair.baseline}") for pair in task.pairs if pair.paces]
    blank = [Entry("")] * (len(columns) - len(phases))
    rows = []
    for phase, (label, note) in PHASES.items():
        if any(getattr(found, phase) > 0 and _applies(phase, found) for found in phases.values()):
            rows.append(Row(label, note, (*(_phase(phase, found) for found in phases.values()), *blank)))
    sums = [Entry(f"{100 * unaccounted(found):.1f} %") for found in phases.values()]
    whole = [Entry(quantity(found.end_to_end_ms, "ms"), f"{found.tokens:.1f} tokens") for found in phases.values()]
    rows.append(Row("Whole request", "by a clock of its own", (*whole, *blank), primary=True))
    rows.append(Row("In no phase", f"should be within {_ADDS_UP_WITHIN:.0%}", (*sums, *blank)))
    floors = noise_floors(cells)
    floor = [Entry(f"±{100 * floors[who]:.1f} %" if who in floors else ABSENT) for who in phases]
    rows.append(Row("Noise floor", "what its processes differ by", (*floor, *blank)))
    groups = [("Phases of a request", tuple(rows))]
    if blank:
        empty = [Entry("")] * len(phases)
        verdicts = [
            Row(label, "", (*empty, *(_verdict(pair, name) for pair in task.pairs if pair.paces)))
            for name, label in _QUANTITIES.items()
            if any(found.quantity == name for pair in task.pairs for found in pair.paces)
        ]
        groups.append(("In turns", tuple(verdicts)))
    return Table(tuple(columns), tuple(groups))


def _phase(phase: str, found: Breakdown) -> Entry:
    value = getattr(found, phase)
    if value == 0 or not _applies(phase, found):
        return Entry(ABSENT)
    return Entry(quantity(value, "ms"), f"{100 * value / found.end_to_end_ms:.0f} %")


def _verdict(pair: Pair, name: str) -> Entry:
    found = next((one for one in pair.paces if one.quantity == name), None)
    if found is None:
        return Entry(ABSENT)
    if found.ci95 is None or found.noise is None:
        return Entry(found.outcome, f"{_fine_ratio(found.ratio)}, one process each")
    low, high = (_fine_ratio(bound) for bound in found.ci95)
    detail = f"{_fine_ratio(found.ratio)} ({low} to {high}), noise ±{100 * found.noise:.1f} %, {found.rounds} rounds"
    return Entry(found.outcome, detail, emphasis={"SLOWER": "loss", "FASTER": "gain"}.get(found.outcome, ""))


def _fine_ratio(value: float) -> str:
    """Two decimals up to 10, where times are compared."""
    return f"{value:.2f}×" if value < 9.995 else ratio(value)


def _milliseconds(value: float) -> str:
    return f"{signed(value, 'words')} ms"
