"""The application, and what its commands share: how errors end, consoles, common options."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, ParamSpec

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

Parameters = ParamSpec("Parameters")
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
RunPath = Annotated[Path, typer.Argument(help="Folder of a run (what --out named, or runs/<run-id>).")]

EPILOG = "See `bench doctor` for what this machine has, and docs/ for how to read a report."


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


def command(function: Callable[Parameters, int]) -> Callable[Parameters, None]:
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


def print_names(names: dict[str, str], as_json: bool) -> None:
    """Names with their summaries, one a line, or as one JSON object."""
    if as_json:
        typer.echo(json.dumps(names))
        return
    width = max((len(name) for name in names), default=0)
    for name, summary in names.items():
        typer.echo(f"{name:{width}}  {summary}".rstrip())


def console(*, stderr: bool = False) -> Console:
    """A console on standard output, or on standard error."""
    from rich.console import Console

    return Console(stderr=stderr)


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
