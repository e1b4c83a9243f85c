"""The Battle for Wesnoth: dialogue, translations and names of 16 campaigns, with the portraits of who speaks.

Fetched with apt (`bench data get wesnoth`, 270 MB, of which 115 MB are kept). Whole campaigns are held out: Sceptre of
Fire and The Hammer of Thursagan for testing, Dead Water, Eastern Invasion and Two Brothers for validation. Measured
with 1.16.9, with a portrait in brackets:

| task                 | training      | validation | test      |
|----------------------|---------------|------------|-----------|
| dialogue             | 3,417 (2,258) | 376 (178)  | 410 (316) |
| translation, de      | 5,546 (3,301) | 695 (327)  | 615 (455) |
| ner                  | 6,470 (3,865) | 761 (358)  | 690 (512) |

A portrait identifies a character, whose name the text gives already; expression, race and age are what is new in it.
"""

from __future__ import annotations

from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig, DatasetRecord
from bimodal.types import Dataset, DatasetSource, Example, Progress
from bimodal_tasks import packages
from bimodal_tasks.grouping import fingerprint, sha256
from bimodal_tasks.wesnoth.agreement import agreement, read_readings
from bimodal_tasks.wesnoth.examples import replies, translations
from bimodal_tasks.wesnoth.names import read_names
from bimodal_tasks.wesnoth.packages import LANGUAGES, PACKAGES, ROOT, VERSION, wanted
from bimodal_tasks.wesnoth.portraits import Portraits
from bimodal_tasks.wesnoth.scenes import scenes
from bimodal_tasks.wesnoth.splits import split
from bimodal_tasks.wesnoth.tagging import tagged_turns, with_novelty


def folder_of(cache_dir: Path) -> Path:
    """Where the files are; named by everything that decides them."""
    return cache_dir / SOURCE.name / f"debian-{VERSION.replace(':', '_')}"


def fetch(cache_dir: Path, progress: Progress) -> None:
    """Fetch the packages; raises UsageError without apt, DataError without a package."""
    packages.fetch(packages.APT, SOURCE.name, PACKAGES, wanted, folder_of(cache_dir), progress)


def load(data: DataConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """Read the scenes and make what the task needs of them.

    Raises:
        DataError: the files were not fetched.
    """
    data = SOURCE.resolved(data)
    home = folder_of(cache_dir) / ROOT
    if not home.is_dir():
        raise DataError(
            f"Data set {SOURCE.name} is not on this machine. Fetch it (270 MB): bench data get {SOURCE.name}"
        )
    description = SOURCE.summary
    found, portraits = tuple(scenes(home / "data" / "campaigns")), Portraits(home / "data")
    if data.task == "translation":
        splits = split(translations(found, portraits, str(data.language), home / "locale"))
    elif data.task == "ner":
        splits = with_novelty(split(tagged_turns(found, portraits, read_names())))
        compared = agreement((row for rows in splits.values() for row in rows), read_readings())
        description += f" Names are tagged by a table of the game's names, typed by hand. {compared}"
    else:
        splits = split(replies(found, portraits))
    record = DatasetRecord(
        name=SOURCE.name,
        version=VERSION,
        variant=data.variant,
        description=description,
        licence="GPL-2.0-or-later",
        licence_url="https://www.gnu.org/licenses/old-licenses/gpl-2.0.html",
        attribution="The Battle for Wesnoth, (c) 2003-2023 David White and the project's contributors.",
        source=f"Debian packages {PACKAGES[0].name} and {len(PACKAGES) - 1} of its campaigns, {VERSION}",
        modalities=("image",),
        fingerprint=fingerprint(splits, _identity),
        splits={name: len(part) for name, part in splits.items()},
    )
    return Dataset(record, splits)


def _identity(row: Example) -> tuple[str, ...]:
    return row.id, row.text, row.target, row.meta["speaker"], sha256(row.image) if row.image else ""


SOURCE = DatasetSource(
    name="wesnoth",
    summary="Dialogue, translations and names of a strategy game's campaigns, with the portraits of who speaks.",
    tasks=("dialogue", "translation", "ner"),
    slices=("names",),
    variants=("campaigns",),
    load=load,
    languages={"translation": tuple(LANGUAGES)},
    fetch=fetch,
    settings={"model": {"max_positions": 256}, "decode": {"max_new_tokens": 64}},
)
