"""Commands that train: `bench run`, `bench reproduce`."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from bimodal.cli.app import EPILOG, Json, RunPath, app, command, console
from bimodal.cli.data import OWN_DATA, own_data_settings


@app.command(epilog=EPILOG)
@command
def run(
    task: Annotated[str, typer.Option("--task", help="What is to be done: see `bench list tasks`; `all` for all.")],
    model: Annotated[
        str,
        typer.Option(
            "--model", help="`both`, `ladder` (both and their controls), or names with commas: `bench list models`."
        ),
    ] = "both",
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Default: the task's own.", show_default=False)
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Your own files, or hf:owner/name: `bench data check DIR` first.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="How they are written: `bench list formats`. Default: found out.", show_default=False
        ),
    ] = None,
    on_bad_example: Annotated[
        str | None,
        typer.Option(
            "--on-bad-example",
            help="`skip`: leave own rows out that cannot be used; they are counted.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[str, typer.Option("--preset", help="smoke, small, base, or a TOML file of your own.")] = "small",
    seeds: Annotated[int, typer.Option("--seeds", help="How many seeds, from --seed upwards.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="The first seed.")] = 0,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    kernel: Annotated[
        str, typer.Option("--kernel", help="Attention backend: auto, native, cuda, sdpa or reference.")
    ] = "auto",
    dial: Annotated[
        str | None,
        typer.Option(
            "--dial",
            help="How much the extra modality knows, 0 to 1, on data sets with a dial; several with commas between.",
            show_default=False,
        ),
    ] = None,
    speech: Annotated[
        str | None,
        typer.Option("--speech", help="`espeak`: speak the text of a data set without sound.", show_default=False),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            help="`int8`: beside every contestant, the same with its weights rounded to 8 bits: `bench list variants`.",
            show_default=False,
        ),
    ] = None,
    until_settled: Annotated[
        int | None,
        typer.Option(
            "--until-settled",
            metavar="MAX",
            help="Add seeds until the verdict settles, up to MAX of them; intervals allow for the repeated looks.",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[
        list[str] | None,
        typer.Option(
            "--margin",
            metavar="[TASK=]SIZE",
            help="Smallest difference worth paying for, in the unit of the primary metric. Default: the task's own.",
            show_default=False,
        ),
    ] = None,
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

        bench run --task captioning --model ladder

        bench run --task captioning --model gpt --variant int8

        bench run --task ner --dial 0,0.25,0.5,0.75,1 --seeds 3

        bench run --task ner --data my-tweets --on-bad-example skip

        bench run --task captioning --set data.variant=hard --set train.epochs=20 --seeds 3

        bench run --task captioning --until-settled 10 --margin 2
    """
    from bimodal import store
    from bimodal.config import Request, plan
    from bimodal.console import TerminalWatcher
    from bimodal.errors import UsageError
    from bimodal.launch import launch
    from bimodal.looks import plan_looks

    if resume and out is None:
        raise UsageError("--resume needs --out: the folder of the run to go on with.")
    looks = plan_looks(seeds, until_settled) if until_settled is not None else ()
    cells = plan(
        Request(
            task=task,
            model=model,
            dataset=dataset if data is None else dataset or OWN_DATA,
            preset=preset,
            seed=seed,
            seeds=looks[0].seeds if looks else seeds,
            device=device,
            kernel=kernel,
            variant=variant,
            dials=dial,
            settings=(
                *((f"data.speech.engine={speech}",) if speech else ()),
                *own_data_settings(data, format_, on_bad_example),
                *(set_ or ()),
            ),
        )
    )
    run_id = store.new_run_id(task, model, cells[0].preset)
    with TerminalWatcher(console(stderr=True)) as watcher:
        done, comparison = launch(
            cells,
            out,
            run_id=run_id,
            command=shlex.join(["bench", *sys.argv[1:]]),
            resume=resume,
            watcher=watcher,
            margins=margin or (),
            looks=looks,
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

        console().print(closing_table(done.results, comparison))
        typer.echo(f"\nReport: {done.directory.report}")
    return 0 if done.manifest.status == "ok" else 1


@app.command(epilog=EPILOG)
@command
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
    with TerminalWatcher(console(stderr=True)) as watcher:
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


@app.command(epilog=EPILOG)
@command
def audit(
    run: RunPath,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    as_json: Json = False,
) -> int:
    """Probe the trained contestants of a run: do they use what they see and hear?

    Each is tested again with its picture or sound exchanged with somebody else's (deranged), replaced by the mean
    picture or silence (blank), by noise, and taken away (dropped). Nothing is trained. The report then shows the drops
    with their intervals.

    Examples:
        bench audit runs/first

        bench audit runs/first --device cpu --json
    """
    from bimodal.audit import audit as probe
    from bimodal.console import TerminalWatcher
    from bimodal.publish import load_run

    loaded = load_run(run)
    with TerminalWatcher(console(stderr=True)) as watcher:
        comparison = probe(loaded, watcher, device=device)
    if as_json:
        audited = [task.audit.model_dump(mode="json") for task in comparison.tasks if task.audit]
        typer.echo(json.dumps({"run": str(loaded.directory.path), "audit": audited}))
        return 0
    from bimodal_reports import audit_tables

    console().print(audit_tables(comparison))
    typer.echo(f"Report: {loaded.directory.report}")
    return 0
