"""`bench data list | show | get`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bimodal.cli.app import Json, app, command, console, print_names

if TYPE_CHECKING:
    from bimodal.types import Progress

_T = TypeVar("_T")

data_app = typer.Typer(help="What the data sets are; prepare one.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("list")
@command
def data_list(as_json: Json = False) -> int:
    """Names of the data sets.

    Example: bench data list
    """
    from bimodal import registry

    print_names(registry.summaries("dataset"), as_json)
    return 0


@data_app.command("show")
@command
def data_show(
    name: Annotated[str, typer.Argument(help="Name of a data set: see `bench data list`.")],
    variant: Annotated[str, typer.Option("--variant", help="Which split.")] = "default",
    task: Annotated[
        str | None, typer.Option("--task", help="For which task, if it serves several.", show_default=False)
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Of the targets, if there is a choice.", show_default=False)
    ] = None,
    dial: Annotated[
        float | None,
        typer.Option("--dial", min=0, max=1, help="How much the extra modality knows, where it can be set."),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=0, help="Examples shown per split.")] = 3,
    as_json: Json = False,
) -> int:
    """Show a data set's card: splits, licence, attribution, fingerprint, samples.

    Example: bench data show openmoji --variant hard
    """
    from bimodal.card import card
    from bimodal.datasets import load_dataset
    from bimodal.schema import DataConfig

    data = DataConfig(name=name, task=task, variant=variant, language=language, dial=dial)
    dataset = _loading(lambda progress: load_dataset(data, progress))
    if as_json:
        typer.echo(dataset.record.model_dump_json())
    else:
        console().print(card(dataset, samples))
    return 0


@data_app.command("get")
@command
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
    from bimodal.schema import DataConfig

    source = registry.load_source(name)
    if force:
        shutil.rmtree(cache_dir() / name, ignore_errors=True)
    if source.fetch is not None:
        fetch = source.fetch
        _loading(lambda progress: fetch(cache_dir(), progress))
    dataset = _loading(lambda progress: load_dataset(DataConfig(name=name), progress))
    counts = ", ".join(f"{count} {split}" for split, count in dataset.record.splits.items())
    typer.echo(f"{name} is ready: {counts}; fingerprint {dataset.record.fingerprint[:12]}")
    return 0


def _loading(load: Callable[[Progress], _T]) -> _T:
    from bimodal.console import TerminalWatcher

    with TerminalWatcher(console(stderr=True)) as watcher:
        return load(watcher.progress)
