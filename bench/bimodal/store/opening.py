"""Which folder a run may use, and whether it may go on with what is in there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bimodal.errors import UsageError
from bimodal.files import read_record, storage_errors
from bimodal.schema import Manifest, RunConfig
from bimodal.store.layout import RunDirectory

_SHOWN = 5
_ABSENT = "absent"


def open_run(directory: RunDirectory, cells: Sequence[RunConfig], *, resume: bool) -> None:
    """Make sure that a run may use its folder, and make it if need be; nothing in it is changed.

    Args:
        directory: the folder.
        cells: the cells about to run, which a resumed run must have been started with.
        resume: go on with the run in the folder.

    Raises:
        UsageError: the folder holds another run or other files, there is no run to resume, or it was started
            with other settings; the message says what to do.
        DataError: the manifest of the run to resume cannot be read.
        StorageError: the folder cannot be made.
    """
    path = directory.path
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file. Choose a folder with --out.")
    holds_run = directory.manifest.exists()
    if resume and not holds_run:
        raise UsageError(f"There is no run to resume in {path}: it has no run.json. Leave out --resume.")
    if resume:
        _check_same_cells(directory, cells)
    elif holds_run:
        raise UsageError(f"{path} holds a run already. Go on with it by --resume, or choose another folder with --out.")
    elif other := next(_contents(path), None):
        raise UsageError(
            f"{path} is not empty (it holds {other.name!r}) and is no run. Choose another folder with --out."
        )
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def differing_settings(stored: RunConfig, planned: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Dotted names of the settings that differ, with the stored and the planned value."""
    before, after = dict(_flat(stored.model_dump(mode="json"))), dict(_flat(planned.model_dump(mode="json")))
    return {
        key: (before.get(key, _ABSENT), after.get(key, _ABSENT))
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    }


def _check_same_cells(directory: RunDirectory, planned: Sequence[RunConfig]) -> None:
    stored = {config.cell: config for config in read_record(directory.manifest, Manifest).cells}
    asked = {config.cell: config for config in planned}
    problems = [f"{cell}: not part of this command" for cell in stored if cell not in asked]
    problems += [f"{cell}: not part of the stored run" for cell in asked if cell not in stored]
    # Cells of a run share most settings: a setting is named once, with the first cell that shows it.
    seen: dict[str, str] = {}
    for cell in (cell for cell in stored if cell in asked):
        for key, (before, after) in differing_settings(stored[cell], asked[cell]).items():
            seen.setdefault(key, f"{key}: {before!r} there, {after!r} asked for")
    problems += [seen[key] for key in sorted(seen)]
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise UsageError(
            f"{directory.path} was started with other settings, so it cannot be resumed with these. "
            f"{'; '.join(problems[:_SHOWN])}{more}. Repeat the original command (it is in run.json), "
            "or choose another folder with --out."
        )


def _contents(folder: Path) -> Iterator[Path]:
    """What lies in a folder, without the lock and left-over temporary files of our own."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name != ".lock" and not (path.name.startswith(".") and path.name.endswith(".tmp")):
                yield path


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
