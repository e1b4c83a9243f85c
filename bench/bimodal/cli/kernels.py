"""`bench kernels build | check | bench`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bimodal.cli.app import Json, app, command, console
from bimodal.errors import UsageError

kernels_app = typer.Typer(help="Compile, prove and time the attention kernels.", no_args_is_help=True)
app.add_typer(kernels_app, name="kernels")


@kernels_app.command("build")
@command
def kernels_build(
    force: Annotated[bool, typer.Option("--force", help="Compile again even what is there.")] = False,
    as_json: Json = False,
) -> int:
    """Compile the kernels that this machine has compilers for, so that no run has to wait.

    A missing compiler is told, but is no error; one that fails is (exit 1).

    Example: bench kernels build
    """
    from bimodal_kernels import build
    from bimodal_kernels.recipe import RECIPES
    from bimodal_kernels.toolchain import CompileError, KernelUnavailableError

    shown, told = console(), console(stderr=True)
    found: dict[str, dict[str, object]] = {}
    failed = False
    for name in RECIPES:
        try:
            built = build.ensure(name, lambda message: told.print(message, style="dim"), force=force)
        except KernelUnavailableError as error:
            failed |= isinstance(error, CompileError)
            found[name] = {"status": "unavailable", "reason": str(error)}
        else:
            found[name] = {"status": "compiled", "path": str(built.path), "seconds": round(built.seconds, 1)}
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for name, facts in found.items():
            told_of = facts.get("reason") or (f"{facts['seconds']} s" if facts["seconds"] else "was there")
            shown.print(f"[bold]{name}[/]  {facts['status']}: {told_of}", highlight=False, soft_wrap=True)
    return 1 if failed else 0


@kernels_app.command("check")
@command
def kernels_check(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="One proof: native, emulator, interpreter or static; repeatable.", show_default=False
        ),
    ] = None,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Test the proofs instead: each small wrong edit must be noticed (long).")
    ] = False,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", help="With --mutate: only mutants of this group; repeatable.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Prove the kernels right, as far as that goes without a GPU, and print one table.

    Exits 0 if everything was proven, 1 if something is wrong, 3 if nothing is but some proofs were skipped, for
    instance because there is no nvcc.

    Examples:
        bench kernels check

        bench kernels check --only native

        bench kernels check --mutate --group native
    """
    from bimodal.console import TerminalWatcher
    from bimodal.kernel_proofs import mutation_outcome, outcomes, proof_table
    from bimodal_kernels.check.outcome import exit_code

    if group and not mutate:
        raise UsageError("--group chooses among mutants: it needs --mutate.")
    with TerminalWatcher(console(stderr=True)) as watcher:
        found = (mutation_outcome(group, watcher),) if mutate else outcomes(only, watcher)
    if as_json:
        typer.echo(json.dumps([asdict(outcome) for outcome in found]))
    else:
        console().print(proof_table(found))
        for outcome in found:
            for fault in outcome.faults:
                typer.echo(f"{outcome.proof}: {fault}")
            for skipped in outcome.skipped:
                typer.echo(f"{outcome.proof}: skipped: {skipped}")
    return exit_code(found)


@kernels_app.command("bench")
@command
def kernels_bench(
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help="Only cases with this in their name; repeatable.", show_default=False),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="For each case and pass.")] = 0.7,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the result here; reports show a run's kernels.json.", metavar="FILE"),
    ] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="Write the table here.", metavar="FILE")
    ] = None,
) -> int:
    """Time the kernels against torch's, in turns and in one process, and print one table.

    Examples:
        bench kernels bench

        bench kernels bench --case image --seconds 3

        bench kernels bench --json runs/first/kernels.json && bench report runs/first
    """
    from bimodal.console import TerminalWatcher
    from bimodal.errors import unknown_name
    from bimodal.files import write_json, write_text
    from bimodal.kernel_benchmark import markdown, measure_kernels, table

    if device not in ("cpu", "cuda"):
        raise unknown_name("device", device, ("cpu", "cuda"))
    with TerminalWatcher(console(stderr=True)) as watcher:
        found = measure_kernels(device, seconds, tuple(case or ()), watcher.progress)
    if json_file:
        write_json(json_file, found)
    if markdown_file:
        write_text(markdown_file, markdown(found))
    console().print(table(found))
    return 0


@kernels_app.command("gain")
@command
def kernels_gain(
    task: Annotated[str, typer.Option("--task", help="What is to be done: see `bench list tasks`.")] = "captioning",
    preset: Annotated[str, typer.Option("--preset", help="smoke, small, base, or a TOML file of your own.")] = "small",
    against: Annotated[str, typer.Option("--against", help="The other backend.")] = "sdpa",
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="For each contestant and piece of work.")] = 20.0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting, such as threads=1; repeatable.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Time training steps and generation of both contestants on `native` and on another backend, in turns.

    Example: bench kernels gain --preset small
    """
    from bimodal.config import Request, plan
    from bimodal.console import TerminalWatcher
    from bimodal.kernel_gain import measure_gain

    cells = plan(Request(task=task, model="both", preset=preset, device="cpu", settings=set_ or ()))
    with TerminalWatcher(console(stderr=True)) as watcher:
        gains = [gain for cell in cells for gain in measure_gain(cell, ("native", against), seconds, watcher.progress)]
    if as_json:
        typer.echo(json.dumps([asdict(gain) for gain in gains]))
        return 0
    for gain in gains:
        typer.echo(
            f"{gain.model}, {gain.work}: {gain.kernels[0]} {gain.milliseconds[0]:.0f} ms, "
            f"{gain.kernels[1]} {gain.milliseconds[1]:.0f} ms, {gain.speedup:.2f} times as fast "
            f"({gain.low:.2f} to {gain.high:.2f})"
        )
    return 0
