"""`render()`: a comparison as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bimodal.schema import CellResult, Comparison, KernelBenchmark, Manifest
from bimodal_reports.dial_section import dial_section
from bimodal_reports.drawings import task_charts
from bimodal_reports.kernels import kernel_view
from bimodal_reports.view import environment_rows, task_view

_NO_CURVES: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({})


def render(
    manifest: Manifest,
    results: Sequence[CellResult],
    comparison: Comparison,
    pictures: Mapping[str, bytes],
    *,
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = _NO_CURVES,
    kernels: KernelBenchmark | None = None,
) -> str:
    """The report of a run as HTML that needs no other file and no network. Pure.

    Everything that came from a model or a data set is escaped; the page's policy allows its own script only, by
    hash. The manifest, the results and the comparison are embedded as JSON.

    Args:
        manifest: what was asked.
        results: what the cells found.
        comparison: what `compare` made of it.
        pictures: PNG bytes by example id; samples without one say so.
        curves: rows of train.jsonl by cell name; `step` and `validation_bits` are drawn.
        kernels: timings of the attention kernels on this machine, if there are any.
    """
    views = []
    for index, task in enumerate(comparison.tasks):
        view = task_view(index, task, results, pictures)
        views.append(task_charts(view, task, results, curves))
    environment = _environment()
    script = environment.get_template("report.js.j2").render()
    return environment.get_template("report.html.j2").render(
        manifest=manifest,
        tasks=views,
        kernels=kernel_view(kernels),
        overview=[dial_section(curve) for curve in comparison.dials],
        environment=environment_rows(manifest),
        cells=[(config.cell, _pretty(config.model_dump(mode="json"))) for config in manifest.cells],
        style=Markup(environment.get_template("report.css.j2").render()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data={
            "manifest": embedded_json(manifest.model_dump(mode="json")),
            "results": embedded_json([result.model_dump(mode="json") for result in results]),
            "comparison": embedded_json(comparison.model_dump(mode="json")),
            "kernels": embedded_json(kernels.model_dump(mode="json")) if kernels else "",
            "pictures": embedded_json({name: base64.b64encode(png).decode() for name, png in pictures.items()}),
        },
    )


def embedded_json(value: Any) -> Markup:
    """JSON that is safe inside a `<script>` element: nothing in it can end the element or open a comment.

    Source: HTML Living Standard, sec. 4.12.1.3 (restrictions for contents of script elements).
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bimodal_reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
