"""The price of a point in the report: quality per ms, MB, joule and training second, and who is not beaten."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from bimodal.schema import CellResult, PairPrices, Price, TaskComparison
from bimodal_reports.costs import median_ms
from bimodal_reports.tables import Column, Entry, Row, Table
from bimodal_reports.view import ChartView, Section, cells_of
from bimodal_reports.wording import amount_of, capitalised, joined, metric_label, number, quantity, unit_label

_CURRENCY = {
    "end_to_end_ms": ("Latency", "per request"),
    "peak_memory": ("Peak memory", "while generating"),
    "energy_j": ("Energy", "from counters"),
    "train_wall_s": ("Training time", "once"),
}
_WORTH = {
    "end_to_end_ms": "ms per request",
    "peak_memory": "MB of memory",
    "energy_j": "J",
    "train_wall_s": "s of training",
}
_NO_PRICE = "–"


def price_section(task: TaskComparison, results: list[CellResult], colors: Mapping[str, str]) -> Section | None:
    """What the gains cost; None where nobody was compared."""
    if not task.prices:
        return None
    beaten = task.pareto.beaten_by if task.pareto else {}
    answers = [break_even(prices) for prices in task.prices]
    if beaten:
        listed = joined([f"{name} by {by}" for name, by in beaten.items()])
        answers.append(f"Beaten, in quality and every cost: {listed}.")
    return Section(
        title="What does a point cost?",
        answers=tuple(answers),
        about="Quality gained over the baseline per unit of what it costs more, with Fieller's interval for the ratio "
        "of two uncertain numbers. There is none where the extra cost cannot be told from 0. With one seed, memory "
        "and training time were measured once, and the interval covers the error of the gain only.",
        chart=_chart(task, results, colors),
        table=_table(task),
    )


def break_even(prices: PairPrices) -> str:
    """From which value of a point on the gain pays, in each currency that has a price."""
    label, name = metric_label(prices.metric), prices.contestant
    if prices.gain <= 0:
        return f"{name} gains nothing in {label}, so at no price does it pay."
    if any(price.ci95 is not None and price.ci95[0] <= 0 for price in prices.prices if (price.gain_per_unit or 0) > 0):
        return f"The gain of {name} cannot be told from 0, so nothing shows that it pays at any price."
    due = [(price, 1 / (price.gain_per_unit or 1)) for price in prices.prices if (price.gain_per_unit or 0) > 0]
    free = [
        _CURRENCY[price.cost][0].lower()
        for price in prices.prices
        if price.extra != "unavailable" and (price.gain_per_unit is None or price.gain_per_unit < 0)
    ]
    unit = "one point" if prices.unit == "points" else f"0.01 {unit_label(prices.unit)}".strip()
    scale = 1.0 if prices.unit == "points" else 0.01
    costs = joined([f"{_significant(scale * each)} {_WORTH[price.cost]}" for price, each in due])
    gains = f"{name} gains {amount_of(prices.gain, prices.unit, label)}"
    text = f"{name} pays if {unit} of {label} is worth {costs} to you" if due else gains
    return text + (f"; no extra {' or '.join(free)} could be told." if free else ".")


def _significant(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


def _chart(task: TaskComparison, results: list[CellResult], colors: Mapping[str, str]) -> ChartView | None:
    from bimodal_reports import charts

    metric = task.task.primary_metric
    places: dict[str, list[tuple[float, float]]] = {}
    for cell in cells_of(task, results):
        latency = median_ms(cell.cost.end_to_end_ms) if cell.cost is not None else None
        if cell.status == "ok" and isinstance(latency, float) and metric in cell.metrics:
            places.setdefault(cell.config.contestant, []).append((latency, cell.metrics[metric].value))
    if len(places) < 2:
        return None
    medians = {name: (median(x for x, _ in all_), median(y for _, y in all_)) for name, all_ in places.items()}
    front = task.pareto.front if task.pareto else ()
    label = metric_label(metric)
    spoken = "; ".join(f"{name} {y:.3g} at {quantity(x, 'ms')}" for name, (x, y) in medians.items())
    return ChartView(
        title=f"{capitalised(label)} and latency",
        note="Up and left is better. Hollow: beaten in quality and in every cost.",
        svg=charts.places(
            medians, colors, [name for name in medians if name not in front], label, f"{label} and latency: {spoken}"
        ),
    )


def _table(task: TaskComparison) -> Table:
    columns = tuple(Column("Gain per unit", note=f"{p.contestant} − {p.baseline}") for p in task.prices)
    rows = tuple(
        Row(
            f"{label}, {task.prices[0].prices[index].unit}",
            note,
            tuple(_entry(prices, prices.prices[index]) for prices in task.prices),
        )
        for index, (label, note) in enumerate(_CURRENCY[price.cost] for price in task.prices[0].prices)
    )
    return Table(columns, (("", rows),))


def _entry(prices: PairPrices, price: Price) -> Entry:
    if isinstance(price.extra, str):
        return Entry("unavailable", emphasis="unavailable")
    extra = f"{price.extra:+.3g} {price.unit} for {number(prices.gain, prices.unit)}"
    if price.gain_per_unit is None or price.ci95 is None:
        return Entry(_NO_PRICE, f"{extra}; the cost cannot be told from 0")
    low, high = price.ci95
    return Entry(_minus(f"{price.gain_per_unit:.3g}"), _minus(f"{low:.3g} to {high:.3g}; {extra}"))


def _minus(text: str) -> str:
    """The same with a minus sign for each hyphen."""
    return text.replace("-", "−")
