"""A data set's card for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bimodal.types import Dataset


def card(dataset: Dataset, samples: int) -> RenderableType:
    """Name, licence, splits, fingerprint and the first few examples of each split."""
    record = dataset.record
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    for name, value in (
        ("version", record.version),
        ("task", record.task or "any"),
        ("split variant", record.variant),
        ("language of targets", record.language or "one"),
        *([("dial", f"{record.dial:g}")] if record.dial is not None else []),
        ("modalities", ", ".join(("text", *record.modalities))),
        ("splits", ", ".join(f"{count:,} {split}" for split, count in record.splits.items())),
        ("licence", f"{record.licence} ({record.licence_url})"),
        ("attribution", record.attribution),
        ("source", record.source),
        ("fingerprint", record.fingerprint),
    ):
        facts.add_row(name, Text(value))
    shown = Table("split", "id", "text", "target", "picture", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for split in record.splits:
        for example in dataset.examples(split)[:samples]:
            picture = example.image.name if example.image else ""
            shown.add_row(split, *(Text(value) for value in (example.id, example.text, example.target, picture)))
    head = (Text(record.name, style="bold"), Text(record.description + "\n"), facts)
    return Group(*head, Text(), shown) if samples else Group(*head)
