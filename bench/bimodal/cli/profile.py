"""`bench profile`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bimodal.cli.app import EPILOG, Json, app, command, console

if TYPE_CHECKING:
    from rich.table import Table

    from bimodal.profiling import Share
    from bimodal.schema import RunConfig

_SILENT = "99"
"""torch's profiler tells on stderr when it starts, and takes a machine without GPUs for an error."""


@app.command(epilog=EPILOG)
@command
def profile(
    what: Annotated[
        str, typer.Argument(help="Folder of a run, or a preset: smoke, small, base, or a TOML file of your own.")
    ],
    task: Annotated[
        str | None,
        typer.Option("--task", help="With a preset, the task; default captioning.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="The contestant. Default: multimodal, or a run's last one.", show_default=False),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="With a preset, change one setting; repeatable.", show_default=False),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Profiled steps, after 40 others.")] = 10,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", help="Write a trace for Perfetto or chrome://tracing here.", metavar="FILE"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Say where the time of a training step and of a decoded token goes.

    Weights are fresh, batches are real. The time of a step is the median of 24 that are not profiled, which profiling
    would slow down; the shares of its parts are those of profiled steps, the backward pass with the part it belongs to.

    Examples:
        bench profile small

        bench profile runs/first --model gpt

        bench profile small --set train.batch_size=64 --trace step.json
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", _SILENT)
    from bimodal.console import TerminalWatcher
    from bimodal.profiling import profile_cell

    config = _cell(what, task, model, set_ or [])
    if trace is not None:
        _check_place(trace)
    with TerminalWatcher(console(stderr=True)) as watcher:
        found = profile_cell(config, steps, trace, watcher.progress)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return 0
    shown = console()
    shown.print(
        f"[bold]{found.model}[/] on {found.task} ({found.dataset}), preset {found.preset}, "
        f"{found.device}, {found.threads} threads, kernel {found.kernel}",
        highlight=False,
    )
    for work in found.works:
        shown.print(f"\n[bold]{work.name}[/], {work.of}: {work.milliseconds:.2f} ms", highlight=False)
        shown.print(_table("part", work.parts))
        shown.print(_table("operator, without what it calls", work.operators))
    if trace is not None:
        typer.echo(f"Trace: {trace}")
    return 0


def _cell(what: str, task: str | None, model: str | None, settings: list[str]) -> RunConfig:
    from bimodal.config import Request, plan
    from bimodal.errors import UsageError, unknown_name
    from bimodal.publish import load_run

    if not Path(what).is_dir():
        cells = plan(Request(task=task or "captioning", model=model or "multimodal", preset=what, settings=settings))
        if len(cells) > 1:
            names = ", ".join(f"{cell.contestant} ({cell.task})" for cell in cells)
            raise UsageError(f"One contestant on one task is profiled at a time, but this names {names}.")
        return cells[0]
    if settings or task:
        raise UsageError("--set and --task go with a preset; a run has its own settings.")
    cells = load_run(Path(what)).manifest.cells
    ran = {config.contestant: config for config in reversed(cells) if config.variant is None}  # variants do not train
    chosen = model or next(iter(ran))
    if chosen not in ran:
        raise unknown_name("contestant", chosen, ran)
    return ran[chosen]


def _check_place(trace: Path) -> None:
    """Refuse, before minutes are spent, a trace that could not be written."""
    from bimodal.errors import UsageError

    if trace.is_dir():
        raise UsageError(f"--trace {trace} is a folder: name a file, such as {trace / 'step.json'}.")
    if not trace.parent.is_dir():
        raise UsageError(f"--trace {trace}: there is no folder {trace.parent}. Make it first, or write elsewhere.")


def _table(title: str, shares: tuple[Share, ...]) -> Table:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    shown.add_column(title)
    for column in ("ms", "share", "calls"):
        shown.add_column(column, justify="right")
    for share in shares:
        shown.add_row(share.name, f"{share.milliseconds:.3f}", f"{share.share:.1%}", f"{share.calls:,.0f}")
    return shown
