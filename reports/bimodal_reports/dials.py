"""Gain against the dial: a known truth to measure the suite by. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bimodal.schema import DialCurve, DialPoint, Pair, TaskComparison
from bimodal_reports.wording import interval, metric_label, signed


def dial_curves(tasks: Sequence[TaskComparison]) -> tuple[DialCurve, ...]:
    """A curve for every contestant of every data set that was run at two or more settings of its dial."""
    groups: dict[tuple[str, str, str, str], list[tuple[float, Pair]]] = {}
    for task in tasks:
        if task.dataset.dial is None:
            continue
        for pair in task.pairs:
            key = (task.task.name, task.dataset.name, task.dataset.variant, pair.contestant)
            groups.setdefault(key, []).append((task.dataset.dial, pair))
    return tuple(
        _curve(task, dataset, sorted(found, key=lambda entry: entry[0]))
        for (task, dataset, _, _), found in groups.items()
        if len(found) > 1
    )


def _curve(task: str, dataset: str, found: Sequence[tuple[float, Pair]]) -> DialCurve:
    points = [_point(dial, pair) for dial, pair in found]
    first, pair = points[0], found[0][1]
    primary = next(d for d in pair.differences if d.metric == pair.verdict.metric)
    return DialCurve(
        task=task,
        dataset=dataset,
        baseline=pair.baseline,
        contestant=pair.contestant,
        metric=primary.metric,
        unit=primary.unit,
        seeds=pair.seeds,
        points=tuple(points),
        zero_at_zero=first.ci95[0] <= 0.0 <= first.ci95[1] if first.dial == 0.0 else None,
        rises=all(high.ci95[1] >= low.ci95[0] for low, high in pairwise(points)),
    )


def _point(dial: float, pair: Pair) -> DialPoint:
    found = next(d for d in pair.differences if d.metric == pair.verdict.metric)
    up = found.higher_is_better
    return DialPoint(
        dial=dial,
        gain=found.value if up else -found.value,
        ci95=found.ci95 if up else (-found.ci95[1], -found.ci95[0]),
        outcome=pair.verdict.outcome,
        baseline_value=found.baseline_value,
        contestant_value=found.contestant_value,
    )


def dial_answer(curve: DialCurve) -> str:
    """The curve in words: the gain at both ends, whether it rises, and from where on it is told from 0."""
    label, unit = metric_label(curve.metric), curve.unit
    first, last = curve.points[0], curve.points[-1]
    ends = " to ".join(
        f"{signed(point.gain, unit)} ({interval(point.ci95, unit, with_sign=True)}) at dial {point.dial:g}"
        for point in (first, last)
    )
    told = next((point.dial for point in curve.points if point.outcome == "better"), None)
    course = "rises" if curve.rises else "does not rise throughout"
    sentences = [
        f"The gain of {curve.contestant} over {curve.baseline} in {label} {course}, from {ends}.",
        "It is never told from 0." if told is None else f"It is told from 0 from dial {told:g} on.",
    ]
    if curve.zero_at_zero is not None:
        found = "none is found" if curve.zero_at_zero else "one is found all the same"
        sentences.append(f"At dial 0, where there is no gain to be had, {found}.")
    return " ".join(sentences)
