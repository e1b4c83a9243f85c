"""`bench kernels build | check | bench`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bimodal.cli.app import Json, app, command, console

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
