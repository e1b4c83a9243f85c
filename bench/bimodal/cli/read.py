"""Commands that only look: `bench list`, `report`, `compare`, `doctor`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bimodal.cli.app import EPILOG, Json, RunPath, app, command, console, print_names

if TYPE_CHECKING:
    from rich.table import Table

    from bimodal.doctor import Finding


@app.command("list", epilog=EPILOG)
@command
def list_(
    what: Annotated[
        str, typer.Argument(help="tasks, models, variants, datasets, formats, presets, kernels or settings.")
    ],
    as_json: Json = False,
) -> int:
    """List what there is to choose from.

    Example: bench list models
    """
    from bimodal import config, contestants, registry
    from bimodal.errors import unknown_name
    from bimodal_kernels.catalog import BACKENDS

    kinds: dict[str, Callable[[], dict[str, str]]] = {
        "tasks": lambda: registry.summaries("task"),
        "models": contestants.summaries,
        "variants": lambda: dict(contestants.VARIANTS),
        "datasets": lambda: registry.summaries("dataset"),
        "formats": lambda: registry.summaries("format"),
        "presets": config.presets,
        "kernels": lambda: dict(BACKENDS),
        "settings": lambda: dict.fromkeys(config.setting_keys(), ""),
    }
    if what not in kinds:
        raise unknown_name("list", what, kinds)
    print_names(kinds[what](), as_json)
    return 0


@app.command(epilog=EPILOG)
@command
def report(
    run: RunPath,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it. Default: in the run.", show_default=False)
    ] = None,
) -> int:
    """Build the HTML report of a run again.

    Example: bench report runs/first --out first.html
    """
    from bimodal.console import SilentWatcher
    from bimodal.publish import load_run, publish

    loaded = load_run(run)
    publish(loaded, SilentWatcher().progress, report=out)
    typer.echo(f"Report: {out or loaded.directory.report}")
    return 0


@app.command(epilog=EPILOG)
@command
def compare(
    first: RunPath,
    second: RunPath,
    as_json: Json = False,
) -> int:
    """Compare two runs cell by cell: second minus first, with intervals.

    Example: bench compare runs/before runs/after
    """
    from bimodal.compare_runs import compare_runs, tables
    from bimodal.publish import load_run

    rows = compare_runs(load_run(first), load_run(second))
    if as_json:
        typer.echo(json.dumps([row.model_dump() for row in rows]))
    else:
        console().print(tables(rows))
    return 0


@app.command(epilog=EPILOG)
@command
def doctor(as_json: Json = False) -> int:
    """Say what this machine has, what will be used, and what is missing.

    Example: bench doctor
    """
    from bimodal.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([finding.model_dump() for finding in findings]))
    else:
        console().print(_findings(findings))
    return 1 if any(finding.status == "problem" for finding in findings) else 0


def _findings(findings: tuple[Finding, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "problem": ("!!", "bold red")}
    shown = Table.grid(padding=(0, 2))
    for finding in findings:
        shown.add_row(Text(*marks[finding.status]), Text(finding.name, "bold"), Text(finding.detail))
        if finding.fix:
            shown.add_row("", "", Text(finding.fix, "dim"))
    return shown
