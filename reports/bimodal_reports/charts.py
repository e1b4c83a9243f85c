"""Charts as inline SVG. Colours are CSS variables, so that one drawing serves the light and the dark theme.

Altair describes, vl-convert draws; both cost about a second to import and start, so only `drawings` imports this
module, when something is drawn. The page sets the font, so no layout here depends on how wide a text is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import altair as alt
import vl_convert
from markupsafe import escape

_INK, _MUTED, _RULE, _PAPER = "var(--ink)", "var(--muted)", "var(--rule)", "var(--paper)"
_WIDTH = 440
_ROW = 46
_TEXT = 13
_LIFT, _DROP = -10, 8
"""Names stand above the middle of their row, marks below it, in pixels."""
_STROKE = alt.Stroke("color:N", scale=None)
_UPRIGHT = alt.Axis(tickCount=5, titleAngle=0, titleAlign="left", titleAnchor="end", titleY=-12, titleX=-24)
"""A vertical axis with its title above it, to be read without turning one's head."""
_FILL = alt.Fill("fill:N", scale=None)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A labelled number with its interval."""

    label: str
    value: float
    low: float
    high: float
    color: str
    """A CSS colour; `var(--c0)` is the baseline's."""
    text: str
    """The number as it is written in the report."""
    hollow: bool = False
    """Probes are drawn hollow."""


def scores(estimates: Sequence[Estimate], axis_title: str, description: str) -> str:
    """One row per contestant and probe: a dot with its 95 % interval, its name and number written above."""
    base = alt.Chart(alt.InlineData(values=_rows(estimates)))
    axis = alt.Axis(tickCount=5, grid=True, title=axis_title)
    intervals = base.mark_rule(strokeWidth=2.5, strokeCap="round", yOffset=_DROP).encode(
        y=_lane(), x=alt.X("low:Q", scale=alt.Scale(zero=True, nice=True), axis=axis), x2="high:Q", stroke=_STROKE
    )
    dots = _dots(base, 90)
    return drawn_as_svg(intervals + dots + _names(base) + _numbers(base), description, height=_ROW * len(estimates))


def ratios(estimates: Sequence[Estimate], description: str) -> str:
    """Cost ratios on a logarithmic axis, as lollipops from 1; the intervals of `estimates` are not drawn."""
    top = max(2.0, *(row.value * 1.15 for row in estimates))
    bottom = min(0.9, *(row.value / 1.15 for row in estimates))
    marks = (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 1000)
    axis = alt.Axis(
        values=[mark for mark in marks if bottom <= mark <= top],
        format="~g",
        labelExpr="datum.label + '×'",
        title=None,
        grid=True,
    )
    base = alt.Chart(alt.InlineData(values=_rows(estimates)))
    scale = alt.Scale(type="log", domain=[bottom, top], nice=False)
    stems = base.mark_rule(strokeWidth=2.5, yOffset=_DROP).encode(
        y=_lane(), x=alt.X("value:Q", scale=scale, axis=axis), x2="one:Q", stroke=_STROKE
    )
    one = alt.Chart(alt.InlineData(values=[{"one": 1.0}])).mark_rule(color=_MUTED).encode(x="one:Q")
    dots = _dots(base, 80)
    return drawn_as_svg(one + stems + dots + _names(base) + _numbers(base), description, height=_ROW * len(estimates))


def difference(estimate: Estimate, ci90: tuple[float, float], margin: float, axis_title: str, description: str) -> str:
    """A difference with its 95 % and 90 % intervals, against 0 and the band of those not worth paying for."""
    extra = {"low90": ci90[0], "high90": ci90[1], "zero": 0.0, "below": -margin, "above": margin}
    base = alt.Chart(alt.InlineData(values=[row | extra for row in _rows([estimate])]))
    axis = alt.Axis(tickCount=7, grid=False, title=axis_title)
    band = base.mark_rect(color=_RULE, opacity=0.85).encode(
        x=alt.X("below:Q", scale=alt.Scale(zero=True, nice=True), axis=axis), x2="above:Q"
    )
    zero = base.mark_rule(color=_MUTED, strokeWidth=1).encode(x="zero:Q")
    wide = base.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x="low:Q", x2="high:Q", stroke=_STROKE)
    narrow = base.mark_rule(strokeWidth=7, strokeCap="round", opacity=0.55).encode(
        x="low90:Q", x2="high90:Q", stroke=_STROKE
    )
    dot = base.mark_point(size=130, strokeWidth=2.5, opacity=1, stroke=_PAPER).encode(x="value:Q", fill=_FILL)
    label = base.mark_text(dy=-19, fontSize=14, fontWeight=600, color=_INK).encode(x="value:Q", text="text:N")
    return drawn_as_svg(band + zero + wide + narrow + dot + label, description, height=64)


def curves(
    lines: Mapping[str, Sequence[tuple[int, float]]], colors: Mapping[str, str], axis_title: str, description: str
) -> str:
    """Validation bits over training steps, one line per contestant, each named at its end."""
    # Names of lines that end close together must not meet: the highest is named above its end, the others below.
    highest = max(lines, key=lambda label: lines[label][-1][1])
    values = [
        {
            "label": label,
            "step": step,
            "value": value,
            "color": colors[label],
            "fill": colors[label],
            "named": ("above" if label == highest else "below") if index == len(line) - 1 else "",
        }
        for label, line in lines.items()
        for index, (step, value) in enumerate(line)
    ]
    base = alt.Chart(alt.InlineData(values=values))
    x = alt.X("step:Q", title="training step", axis=alt.Axis(grid=False, tickCount=5, format="~s"))
    y = alt.Y(
        "value:Q",
        title=axis_title,
        scale=alt.Scale(zero=True),
        axis=_UPRIGHT,
    )
    drawn = base.mark_line(strokeWidth=2.2, interpolate="monotone").encode(x=x, y=y, stroke=_STROKE, detail="label:N")
    dots = base.mark_point(size=26, opacity=1).encode(x=x, y=y, stroke=_STROKE, fill=_FILL)
    layers: alt.LayerChart = drawn + dots
    for side, offset in (("above", -12), ("below", 15)):
        layers += (
            base.transform_filter(f"datum.named === '{side}'")
            .mark_text(align="right", dy=offset, fontSize=_TEXT, fontWeight=600)
            .encode(x=x, y=y, text="label:N", color=alt.Color("color:N", scale=None))
        )
    return drawn_as_svg(layers, description, height=220)


def dial(points: Sequence[Estimate], axis_title: str, description: str) -> str:
    """Gains with their intervals over the dial, which stands in each point's label, against 0."""
    values = [row | {"dial": float(point.label), "zero": 0.0} for row, point in zip(_rows(points), points, strict=True)]
    base = alt.Chart(alt.InlineData(values=values))
    ticks = sorted({float(point.label) for point in points})
    x = alt.X(
        "dial:Q", title="dial", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(grid=False, values=ticks, format=".2~f")
    )
    y = alt.Y("value:Q", title=axis_title, scale=alt.Scale(zero=True, nice=True), axis=_UPRIGHT)
    zero = base.mark_rule(color=_MUTED, strokeWidth=1).encode(y="zero:Q")
    line = base.mark_line(strokeWidth=2.2).encode(x=x, y=y, stroke=_STROKE)
    bars = base.mark_rule(strokeWidth=2.5, strokeCap="round").encode(x=x, y="low:Q", y2="high:Q", stroke=_STROKE)
    dots = base.mark_point(size=80, strokeWidth=2, opacity=1).encode(x=x, y=y, stroke=_STROKE, fill=_FILL)
    labels = base.mark_text(dx=8, dy=-10, align="left", fontSize=_TEXT, fontWeight=600, color=_INK).encode(
        x=x, y=y, text="text:N"
    )
    return drawn_as_svg(zero + line + bars + dots + labels, description, height=220)


@dataclass(frozen=True, slots=True)
class Part:
    """A named part of a bar."""

    label: str
    """Of the bar."""
    name: str
    value: float


_PART_COLORS = ("var(--line)", "var(--c3)", "var(--c5)", "var(--c4)", "var(--c2)", "var(--muted)", "var(--ink)")


def stacked(parts: Sequence[Part], order: Sequence[str], axis_title: str, description: str) -> str:
    """One bar per label, made of its parts from left to right; `order` is that of the parts."""
    labels, there = list(dict.fromkeys(part.label for part in parts)), {part.name for part in parts}
    shown = [(name, color) for name, color in zip(order, _PART_COLORS, strict=False) if name in there]
    values = []
    for lane, label in enumerate(labels):
        begin = 0.0
        for part in sorted((p for p in parts if p.label == label), key=lambda p: order.index(p.name)):
            row = {"lane": lane, "label": label, "name": part.name, "begin": begin, "end": begin + part.value}
            values.append(row)
            begin += part.value
        values[-1] |= {"text": f"{begin:.3g} {axis_title}"}
    base = alt.Chart(alt.InlineData(values=values))
    scale = alt.Scale(domain=[name for name, _ in shown], range=[color for _, color in shown])
    legend = alt.Legend(
        orient="bottom",
        columns=3,
        title=None,
        symbolType="square",
        symbolStrokeWidth=0,
        labelColor=_MUTED,
        labelFontSize=12,
    )
    bars = base.mark_bar(height=13, yOffset=_DROP + 4).encode(
        y=_lane(),
        x=alt.X("begin:Q", axis=alt.Axis(tickCount=5, grid=False, title=axis_title)),
        x2="end:Q",
        fill=alt.Fill("name:N", scale=scale, legend=legend),
    )
    last = base.transform_filter("datum.text")  # one of a bar's parts names it
    return drawn_as_svg(bars + _names(last) + _numbers(last), description, height=_ROW * len(labels))


def places(
    at: Mapping[str, tuple[float, float]],
    colors: Mapping[str, str],
    hollow: Sequence[str],
    y_title: str,
    description: str,
) -> str:
    """Contestants by latency (ms, logarithmic) and quality, each named beside its dot; those in `hollow` are hollow."""
    values = [
        {"label": name, "x": x, "value": y, "color": colors[name], "fill": _PAPER if name in hollow else colors[name]}
        for name, (x, y) in at.items()
    ]
    low, high = min(x for x, _ in at.values()), max(x for x, _ in at.values())
    base = alt.Chart(alt.InlineData(values=values))
    scale = alt.Scale(type="log", domain=[low / 1.3, high * 2.2], nice=False)
    x = alt.X("x:Q", title="one request, median ms", scale=scale, axis=alt.Axis(grid=False, tickCount=4, format="~g"))
    y = alt.Y("value:Q", title=y_title, scale=alt.Scale(zero=True, nice=True), axis=_UPRIGHT)
    dots = base.mark_point(size=90, strokeWidth=2, opacity=1).encode(x=x, y=y, stroke=_STROKE, fill=_FILL)
    names = base.mark_text(align="left", dx=9, dy=-9, fontSize=_TEXT, color=_INK).encode(x=x, y=y, text="label:N")
    return drawn_as_svg(dots + names, description, height=220)


def _rows(estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    return [
        asdict(row) | {"lane": index, "one": 1.0, "fill": _PAPER if row.hollow else row.color}
        for index, row in enumerate(estimates)
    ]


def _lane() -> alt.Y:
    return alt.Y("lane:O", title=None, axis=None)


def _dots(base: alt.Chart, size: int) -> alt.Chart:
    dots: alt.Chart = base.mark_point(size=size, strokeWidth=2, opacity=1, yOffset=_DROP).encode(
        y=_lane(), x="value:Q", stroke=_STROKE, fill=_FILL
    )
    return dots


def _names(base: alt.Chart) -> alt.LayerChart:
    """The rows' names at the left, on a halo of the page's colour, so that lines behind stay behind."""
    halo = base.mark_text(align="left", dy=_LIFT, fontSize=_TEXT, color=_PAPER, stroke=_PAPER, strokeWidth=8).encode(
        y=_lane(), x=alt.value(0), text="label:N"
    )
    names = base.mark_text(align="left", dy=_LIFT, fontSize=_TEXT, color=_INK).encode(
        y=_lane(), x=alt.value(0), text="label:N"
    )
    layers: alt.LayerChart = halo + names
    return layers


def _numbers(base: alt.Chart) -> alt.Chart:
    numbers: alt.Chart = base.mark_text(align="right", dy=_LIFT, fontSize=_TEXT, fontWeight=600, color=_INK).encode(
        y=_lane(), x=alt.value("width"), text="text:N"
    )
    return numbers


def drawn_as_svg(chart: alt.LayerChart, description: str, *, height: int) -> str:
    """Draw a chart; the SVG carries `description` for screen readers and no colour of its own."""
    themed = (
        chart.properties(width=_WIDTH, height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
        .configure(background="transparent", aria=False, font="system-ui, sans-serif", padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            domainColor=_RULE,
            gridColor=_RULE,
            tickColor=_RULE,
            labelColor=_MUTED,
            titleColor=_MUTED,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=12.5,
            titlePadding=10,
        )
    )
    return _embedded(str(vl_convert.vegalite_to_svg(themed.to_dict())), description)


def _embedded(svg: str, description: str) -> str:
    """The drawing as part of a page: named, and its ids (if any) not those of another drawing."""
    prefix = f"chart{zlib.crc32(description.encode())}-"
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" ', 1)
