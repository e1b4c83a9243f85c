"""The `bench` command. Imports nothing heavy at import time, so that `bench --help` is instant."""

from __future__ import annotations

import functools
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="bench",
    help="Is it worth giving my text model eyes and ears? Train both, measure both, read the answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="What the data sets are; prepare one.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Parameters = ParamSpec("Parameters")
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
RunPath = Annotated[Path, typer.Argument(help="Folder of a run (what --out named, or runs/<run-id>).")]

_EPILOG = "See `bench doctor` for what this machine has, and docs/ for how to read a report."


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of user errors too.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"bimodal {version_of('bimodal')}")
        raise typer.Exit
    if debug:
        os.environ["BIMODAL_DEBUG"] = "1"


def _command(function: Callable[Parameters, int]) -> Callable[Parameters, None]:
    """Turn user errors into one clear message and an exit code; the function returns its exit code."""

    @functools.wraps(function)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        from bimodal.errors import UserError

        signal.signal(signal.SIGTERM, _as_interrupt)
        try:
            code = function(*args, **kwargs)
        except UserError as error:
            if os.environ.get("BIMODAL_DEBUG"):
                raise
            _say(f"error: {error}")
            code = error.exit_code
        except KeyboardInterrupt:
            _say("interrupted; everything that was complete is kept")
            code = 1
        except BrokenPipeError:  # `bench ... | head`: the reader has gone, which is no error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        raise typer.Exit(code)

    return wrapped


@app.command(epilog=_EPILOG)
@_command
def run(
    task: Annotated[str, typer.Option("--task", help="What is to be done: see `bench list tasks`.")],
    model: Annotated[
        str, typer.Option("--model", help="`both`, one contestant, or several with commas between.")
    ] = "both",
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Default: the task's own.", show_default=False)
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="smoke, small, base, or a TOML file of your own.")] = "small",
    seeds: Annotated[int, typer.Option("--seeds", help="How many seeds, from --seed upwards.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="The first seed.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    kernel: Annotated[
        str, typer.Option("--kernel", help="Attention backend: auto, native, cuda, sdpa or reference.")
    ] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting, as key=value; repeatable.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the run. Default: runs/<run-id>.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out: complete cells are kept.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Train the contestants, measure them, and write a report.

    Examples:
        bench run --task captioning --model both

        bench run --task captioning --model both --preset smoke --out try

        bench run --task captioning --set data.variant=hard --set train.epochs=20 --seeds 3
    """
    from bimodal import store
    from bimodal.config import Request, plan
    from bimodal.console import TerminalWatcher
    from bimodal.errors import UsageError
    from bimodal.launch import launch

    if resume and out is None:
        raise UsageError("--resume needs --out: the folder of the run to go on with.")
    cells = plan(
        Request(
            task=task,
            model=model,
            dataset=dataset,
            preset=preset,
            seed=seed,
            seeds=seeds,
            device=device,
            kernel=kernel,
            settings=set_ or (),
        )
    )
    run_id = store.new_run_id(task, model, cells[0].preset)
    with TerminalWatcher(_console(stderr=True)) as watcher:
        done, comparison = launch(
            cells,
            out,
            run_id=run_id,
            command=shlex.join(["bench", *sys.argv[1:]]),
            resume=resume,
            watcher=watcher,
        )
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "run": str(done.directory.path),
                    "report": str(done.directory.report),
                    "status": done.manifest.status,
                    "cells": {
                        result.config.cell: {
                            "status": result.status,
                            "metrics": {name: metric.value for name, metric in result.metrics.items()},
                            "error": result.error.message if result.error else None,
                        }
                        for result in done.results
                    },
                    "verdicts": [pair.verdict.model_dump() for task in comparison.tasks for pair in task.pairs],
                }
            )
        )
    else:
        from bimodal_reports import closing_table

        _console().print(closing_table(done.results, comparison))
        typer.echo(f"\nReport: {done.directory.report}")
    return 0 if done.manifest.status == "ok" else 1


@app.command("list", epilog=_EPILOG)
@_command
def list_(
    what: Annotated[str, typer.Argument(help="tasks, models, datasets, presets, kernels or settings.")],
    as_json: Json = False,
) -> int:
    """List what there is to choose from.

    Example: bench list models
    """
    from bimodal import config, registry
    from bimodal.errors import unknown_name
    from bimodal_kernels.catalog import BACKENDS

    kinds: dict[str, Callable[[], dict[str, str]]] = {
        "tasks": lambda: registry.summaries("task"),
        "models": lambda: registry.summaries("model"),
        "datasets": lambda: registry.summaries("dataset"),
        "presets": config.presets,
        "kernels": lambda: dict(BACKENDS),
        "settings": lambda: dict.fromkeys(config.setting_keys(), ""),
    }
    if what not in kinds:
        raise unknown_name("list", what, kinds)
    _print_names(kinds[what](), as_json)
    return 0


@data_app.command("list")
@_command
def data_list(as_json: Json = False) -> int:
    """Names of the data sets.

    Example: bench data list
    """
    from bimodal import registry

    _print_names(registry.summaries("dataset"), as_json)
    return 0


@data_app.command("show")
@_command
def data_show(
    name: Annotated[str, typer.Argument(help="Name of a data set: see `bench data list`.")],
    variant: Annotated[str, typer.Option("--variant", help="Which split.")] = "default",
    samples: Annotated[int, typer.Option("--samples", min=0, help="Examples shown per split.")] = 3,
    as_json: Json = False,
) -> int:
    """Show a data set's card: splits, licence, attribution, fingerprint, samples.

    Example: bench data show openmoji --variant hard
    """
    from bimodal.card import card
    from bimodal.datasets import load_dataset

    dataset = _loading(lambda progress: load_dataset(name, variant, progress))
    if as_json:
        typer.echo(dataset.record.model_dump_json())
    else:
        _console().print(card(dataset, samples))
    return 0


@data_app.command("get")
@_command
def data_get(
    name: Annotated[str, typer.Argument(help="Name of a data set: see `bench data list`.")],
    force: Annotated[bool, typer.Option("--force", help="Throw the prepared files away first.")] = False,
) -> int:
    """Prepare a data set now, so that the first run need not.

    Example: bench data get openmoji
    """
    import shutil

    from bimodal import registry
    from bimodal.datasets import cache_dir, load_dataset

    registry.load_source(name)
    if force:
        shutil.rmtree(cache_dir() / name, ignore_errors=True)
    dataset = _loading(lambda progress: load_dataset(name, "default", progress))
    counts = ", ".join(f"{count} {split}" for split, count in dataset.record.splits.items())
    typer.echo(f"{name} is ready: {counts}; fingerprint {dataset.record.fingerprint[:12]}")
    return 0


@app.command(epilog=_EPILOG)
@_command
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


@app.command(epilog=_EPILOG)
@_command
def compare(
    first: RunPath,
    second: RunPath,
    as_json: Json = False,
) -> int:
    """Compare two runs cell by cell: second minus first, with intervals.

    Example: bench compare runs/before runs/after
    """
    from bimodal.compare_runs import compare_runs, table
    from bimodal.publish import load_run

    rows = compare_runs(load_run(first), load_run(second))
    if as_json:
        typer.echo(json.dumps([row.model_dump() for row in rows]))
    else:
        _console().print(table(rows))
    return 0


@app.command(epilog=_EPILOG)
@_command
def reproduce(
    run: RunPath,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of the second run. Default: inside the first.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Run it again and answer REPRODUCED, DRIFTED or BROKEN.

    Example: bench reproduce runs/first
    """
    from bimodal.console import TerminalWatcher
    from bimodal.publish import load_run
    from bimodal.reproduce import reproduce as again

    loaded = load_run(run)
    with TerminalWatcher(_console(stderr=True)) as watcher:
        answer = again(loaded, out, watcher)
    if as_json:
        typer.echo(answer.model_dump_json())
        return 0 if answer.answer == "REPRODUCED" else 1
    for cell in answer.cells:
        state = "same to the bit" if cell.bitwise else "differs"
        typer.echo(f"{cell.cell}: {state}")
        if not cell.weights_equal:
            typer.echo("  weights differ")
        if not cell.predictions_equal:
            typer.echo("  predictions differ")
        for drift in cell.drifts:
            typer.echo(f"  {drift.name}: {drift.before:.6g} -> {drift.after:.6g}")
    for problem in answer.broken:
        typer.echo(problem)
    if answer.answer != "REPRODUCED":
        for change in answer.environment_changes:
            typer.echo(f"changed since: {change}")
    typer.echo(answer.answer)
    return 0 if answer.answer == "REPRODUCED" else 1


@app.command(epilog=_EPILOG)
@_command
def doctor(as_json: Json = False) -> int:
    """Say what this machine has, what will be used, and what is missing.

    Example: bench doctor
    """
    from bimodal.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([finding.model_dump() for finding in findings]))
    else:
        marks = {"ok": "[green]ok[/]", "missing": "[yellow]--[/]", "problem": "[red]!![/]"}
        console = _console()
        for finding in findings:
            console.print(f"{marks[finding.status]} [bold]{finding.name:18}[/] {finding.detail}", highlight=False)
            if finding.fix:
                console.print(f"   {'':18} {finding.fix}", style="dim", highlight=False)
    return 1 if any(finding.status == "problem" for finding in findings) else 0


def _print_names(names: dict[str, str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(names))
        return
    width = max((len(name) for name in names), default=0)
    for name, summary in names.items():
        typer.echo(f"{name:{width}}  {summary}".rstrip())


def _loading(load: Callable[[Callable[[str, int, int], None]], Any]) -> Any:
    from bimodal.console import TerminalWatcher

    with TerminalWatcher(_console(stderr=True)) as watcher:
        return load(watcher.progress)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
