"""`bench data list | show | get | check`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bimodal.cli.app import Json, app, command, console, print_names

OWN_DATA = "folder"
"""Name of the data set that reads the user's own files."""

if TYPE_CHECKING:
    from bimodal.types import Progress

_T = TypeVar("_T")


def own_data_path(folder: str) -> str:
    """Where own data is: an address of the Hugging Face hub as it is, a folder as an absolute path."""
    return folder if folder.startswith("hf:") else str(Path(folder).expanduser().absolute())


def own_data_settings(folder: str | None, format_: str | None, on_bad_example: str | None) -> tuple[str, ...]:
    """The settings behind --data, --format and --on-bad-example."""
    given = {
        "data.path": None if folder is None else own_data_path(folder),
        "data.format": format_,
        "data.on_bad_example": on_bad_example,
    }
    return tuple(f"{key}={value}" for key, value in given.items() if value is not None)


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
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write the card here, with pictures and sounds.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show a data set's card: splits, licence, attribution, fingerprint, samples.

    Examples:
        bench data show openmoji --variant hard

        bench data show chatterbot --html card.html --samples 10
    """
    from bimodal.card import card
    from bimodal.datasets import load_dataset
    from bimodal.schema import DataConfig

    data = DataConfig(name=name, task=task, variant=variant, language=language, dial=dial)
    dataset = _loading(lambda progress: load_dataset(data, progress))
    if as_json:
        typer.echo(dataset.record.model_dump_json())
    elif html is not None:
        from bimodal.card_html import card_html
        from bimodal.files import write_text

        write_text(html, card_html(dataset, samples))
        typer.echo(f"Card: {html}")
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


@data_app.command("check")
@command
def data_check(
    folder: Annotated[str, typer.Argument(help="Folder of your own files, or hf:owner/name.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="How they are written: `bench list formats`. Default: found out.", show_default=False
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="For which task. Default: the format's first.", show_default=False)
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Of the targets, if there is a choice.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Check your own files: counts, lengths, duplicates, look-alike pictures, and every row that cannot be used.

    Exits with 2 if a row cannot be used.

    Example: bench data check my-captions --format coco
    """
    from bimodal.datasets import load_dataset
    from bimodal.inspection import findings, inspect
    from bimodal.schema import DataConfig

    data = DataConfig(
        name=OWN_DATA,
        path=own_data_path(folder),
        format=format_,
        task=task,
        language=language,
        on_bad_example="skip",
    )
    dataset = _loading(lambda progress: load_dataset(data, progress))
    found = inspect(dataset)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        console().print(findings(found))
    return 2 if found.skipped else 0


def _loading(load: Callable[[Progress], _T]) -> _T:
    from bimodal.console import TerminalWatcher

    with TerminalWatcher(console(stderr=True)) as watcher:
        return load(watcher.progress)
