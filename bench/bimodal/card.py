"""A data set's card for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bimodal.schema import DatasetRecord
from bimodal.types import Dataset


def card(dataset: Dataset, samples: int) -> RenderableType:
    """Name, licence, splits, fingerprint and the first few examples of each split."""
    record = dataset.record
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for name, value in facts_of(record):
        facts.add_row(name, Text(value))
    files = {"image": "picture", "audio": "sound"}
    headings = [files[modality] for modality in record.modalities]
    shown = Table("split", "id", "text", "target", *headings, box=None, header_style="dim", padding=(0, 2, 0, 0))
    for split in record.splits:
        for example in dataset.examples(split)[:samples]:
            paths = [{"image": example.image, "audio": example.audio}[modality] for modality in record.modalities]
            names = [path.name if path else "" for path in paths]
            shown.add_row(split, *(Text(value) for value in (example.id, example.text, example.target, *names)))
    head = (Text(record.name, style="bold"), Text(record.description + "\n"), facts)
    return Group(*head, Text(), shown) if samples else Group(*head)


def facts_of(record: DatasetRecord) -> list[tuple[str, str]]:
    """What there is to know of a data set, as names and values."""
    return [
        ("version", record.version),
        *([("task", record.task)] if record.task else []),
        ("split variant", record.variant),
        *([("language of targets", record.language)] if record.language else []),
        *([("dial", f"{record.dial:g}")] if record.dial is not None else []),
        ("modalities", ", ".join(("text", *record.modalities))),
        *([("speech", record.speech.condition)] if record.speech else []),
        ("splits", ", ".join(f"{count:,} {split}" for split, count in record.splits.items())),
        ("licence", f"{record.licence} ({record.licence_url})"),
        ("attribution", record.attribution),
        ("source", record.source),
        ("fingerprint", record.fingerprint),
    ]
