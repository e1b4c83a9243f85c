"""Your own files: `--data DIR`, in one of the formats of `bench list formats`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bimodal import registry
from bimodal.errors import DataError, UsageError
from bimodal.schema import DataConfig, DatasetRecord, Modality, Split
from bimodal.types import Dataset, DatasetSource, Example, Format, Progress, Row
from bimodal_tasks.own import hub
from bimodal_tasks.own.checks import CheckedFiles, usable, with_known_tags, without_overlap
from bimodal_tasks.own.splitting import SPLITS, with_splits

_SHOWN = 20
"""How many of the messages about skipped rows are kept."""


@dataclass(slots=True)
class Rejected:
    """What was wrong with rows; raises at the first, unless they are to be skipped."""

    skip: bool
    messages: list[str] = field(default_factory=list)

    def __call__(self, error: Exception) -> None:
        """Note an error, or raise it with the way around."""
        if not self.skip:
            raise DataError(f"{error} (--on-bad-example skip leaves such rows out and counts them)") from error
        self.messages.append(str(error))


def load(data: DataConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """Read a folder, check every row and every file in it, and split it where it is not split.

    Args:
        data: its path is the folder; format, task, language and what to do with bad examples.
        cache_dir: remembers under `folder` which files were checked already.
        progress: told about the checking.

    Raises:
        UsageError: no such folder, a format that is unclear or does not serve the task.
        DataError: a row that cannot be used (unless such rows are to be skipped), or no usable rows.
    """
    folder, chosen = folder_of(data), format_of(data)
    rejected = Rejected(skip=data.on_bad_example == "skip")
    return build(folder, chosen, data, rejected, cache_dir, progress)


def build(
    folder: Path, chosen: Format, data: DataConfig, rejected: Rejected, cache_dir: Path, progress: Progress
) -> Dataset:
    """The data set of a folder in a known format; `rejected` is told about bad rows."""
    data = data.model_copy(update={"task": data.task or chosen.tasks[0]})
    checked = CheckedFiles(cache_dir / SOURCE.name)
    found = list(usable(chosen.read(folder, data, rejected), checked, rejected, progress))
    checked.remember()
    if not found:
        because = f" The first problem: {rejected.messages[0]}" if rejected.messages else ""
        raise DataError(f"{folder.name}: no usable examples in the format {chosen.name!r}.{because}")
    rows = with_known_tags(without_overlap(with_splits(found), rejected), rejected)
    splits: dict[Split, tuple[Example, ...]] = {
        split: tuple(row.example for row, _, of in rows if of == split) for split in SPLITS
    }
    if empty := [split for split in SPLITS if not splits[split]]:
        raise DataError(f"{folder.name}: no usable examples for {' and '.join(empty)}. Add some, or drop those files.")
    record = DatasetRecord(
        name=SOURCE.name,
        version=chosen.name,
        variant=SOURCE.variants[0],
        task=data.task,
        language=data.language,
        description=f"Own data in {_called(data, folder)}. {chosen.summary}.",
        licence="not stated (own data)",
        licence_url="",
        attribution="not stated (own data)",
        source=f"{_called(data, folder)}, format {chosen.name}",
        modalities=_modalities(rows),
        fingerprint=_fingerprint(rows),
        splits={split: len(splits[split]) for split in SPLITS},
        skipped=len(rejected.messages),
        skipped_because=tuple(rejected.messages[:_SHOWN]),
    )
    return Dataset(record, splits)


def folder_of(data: DataConfig) -> Path:
    """The folder that is asked for, fetched if it is one of the Hugging Face hub; raises DataError if it is none."""
    if data.path is not None and data.path.startswith(hub.PREFIX):
        return hub.snapshot(data.path)
    folder = Path(data.path or "").expanduser()
    if data.path is None or not folder.is_dir():
        raise DataError(f"--data {data.path}: there is no such folder.")
    return folder.resolve()


def format_of(data: DataConfig) -> Format:
    """The format that is asked for, or the one that fits the folder.

    Raises:
        UsageError: none fits, several do, or it does not serve the task.
    """
    folder = folder_of(data)
    if data.format is not None:
        chosen = registry.load_format(data.format)
    else:
        known = registry.summaries("format")
        fitting = [known_format for name in known if (known_format := registry.load_format(name)).detects(folder)]
        if len(fitting) != 1:
            names = [known_format.name for known_format in fitting]
            found = f"is in several formats ({', '.join(names)})" if names else "is in no format that is known"
            raise UsageError(
                f"{folder.name} {found}. Say which with --format; there are: {', '.join(known)} (see docs/data.md)."
            )
        (chosen,) = fitting
    if data.task is not None and data.task not in chosen.tasks:
        raise UsageError(
            f"The format {chosen.name!r} does not serve the task {data.task!r}; it serves: {', '.join(chosen.tasks)}."
        )
    return chosen


def _called(data: DataConfig, folder: Path) -> str:
    """The data for the record; without paths of this machine."""
    if str(data.path).startswith(hub.PREFIX):
        return f"{data.path} at revision {folder.name}"
    return f"the folder {folder.name}"


def _modalities(rows: Sequence[tuple[Row, str, Split]]) -> tuple[Modality, ...]:
    found: list[Modality] = []
    if any(row.example.image for row, _, _ in rows):
        found.append("image")
    if any(row.example.audio for row, _, _ in rows):
        found.append("audio")
    return tuple(found)


def _fingerprint(rows: Sequence[tuple[Row, str, Split]]) -> str:
    """sha256 over split, id, text, target, tags and the hashes of picture and sound of every example, in order."""
    digest = hashlib.sha256()
    for row, media, split in rows:
        example = row.example
        for part in (split, example.id, example.text, example.target, " ".join(example.tags or ()), media):
            digest.update(part.encode() + b"\0")
    return digest.hexdigest()


SOURCE = DatasetSource(
    name="folder",
    summary="Your own files: pass --data DIR.",
    tasks=("captioning", "translation", "dialogue", "ner"),
    variants=("given",),
    load=load,
    reads_folder=True,
)
