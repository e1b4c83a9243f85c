"""Tux Paint's stamps: pictures with descriptions, and descriptions read aloud by people, in a third language.

Fetched with apt (`bench data get tuxpaint`, 161 MB). For captioning the picture is seen and its English description
written. For translation the English description is read, the picture seen, and the description in another language
heard: French, or Spanish where the target is French, never the target's own, which would give the answer away.
"""

from __future__ import annotations

from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig, DatasetRecord, Modality, Split
from bimodal.types import Dataset, DatasetSource, Example, Progress
from bimodal_tasks import packages
from bimodal_tasks.grouping import components, fingerprint, normalised, sha256
from bimodal_tasks.openmoji.splits import draw
from bimodal_tasks.tuxpaint.package import CODES, LANGUAGES, PACKAGES, ROOT, SPEECH, VERSION, wanted
from bimodal_tasks.tuxpaint.stamps import Stamp, stamps

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def folder_of(cache_dir: Path) -> Path:
    """Where the files are; named by everything that decides them."""
    return cache_dir / SOURCE.name / f"debian-{VERSION}"


def fetch(cache_dir: Path, progress: Progress) -> None:
    """Fetch the package; raises UsageError without apt, DataError without the package."""
    packages.fetch(packages.APT, SOURCE.name, PACKAGES, wanted, folder_of(cache_dir), progress)


def load(data: DataConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """Read the stamps, draw those that are SVG, and split.

    Stamps that share a description (in English or the target's language), a name, a picture or a recording stay
    together.

    Raises:
        DataError: the files were not fetched.
    """
    data = SOURCE.resolved(data)
    home = folder_of(cache_dir)
    if not home.is_dir():
        raise DataError(
            f"Data set {SOURCE.name} is not on this machine. Fetch it (161 MB): bench data get {SOURCE.name}"
        )
    progress("read stamps", 0, 1)
    rows = [_example(stamp, data) for stamp in stamps(home / ROOT, cache_dir / SOURCE.name / f"drawn-{VERSION}")]
    examples = [row for row in rows if row is not None]
    groups = components([_shared(row) for row in examples])
    splits: dict[Split, tuple[Example, ...]] = dict.fromkeys(SPLITS, ())
    for row, group in zip(examples, groups, strict=True):
        split = draw("tuxpaint/1", examples[group].id, test=0.15, validation=0.13)
        splits[split] = (*splits[split], row)
    modalities: tuple[Modality, ...] = ("image", "audio") if data.task == "translation" else ("image",)
    record = DatasetRecord(
        name=SOURCE.name,
        version=VERSION,
        variant=data.variant,
        description=SOURCE.summary,
        licence="GPL-2.0 (the package as a whole; single stamps are in the public domain or under other free licences)",
        licence_url="https://www.gnu.org/licenses/old-licenses/gpl-2.0.html",
        attribution="Tux Paint stamps, (c) 2002-2022 Bill Kendrick and contributors.",
        source=f"Debian package {PACKAGES[0].name} {VERSION}, without alphabets",
        modalities=modalities,
        fingerprint=fingerprint(splits, _identity),
        splits={split: len(part) for split, part in splits.items()},
    )
    progress("read stamps", 1, 1)
    return Dataset(record, splits)


def heard(target: str) -> str:
    """The language of the speech beside a text in English and a target."""
    return next(code for code in SPEECH if code != target)


def _example(stamp: Stamp, data: DataConfig) -> Example | None:
    """What the task makes of a stamp; None where it lacks the language."""
    meta = {"topic": stamp.id.split("/")[0]}
    if data.task != "translation":
        return Example(stamp.id, "", stamp.english, image=stamp.picture, meta=meta)
    language = str(data.language)
    codes = CODES.get(language, (language,))
    target = next((stamp.translations[code] for code in codes if code in stamp.translations), None)
    if target is None:
        return None
    spoken = heard(language)
    return Example(
        stamp.id,
        stamp.english,
        target,
        image=stamp.picture,
        audio=stamp.speech.get(spoken),
        language=language,
        meta={**meta, "speech": spoken},
    )


def _shared(row: Example) -> tuple[str, ...]:
    """Everything by which one example would tell the answer to another."""
    files = [sha256(path) for path in (row.image, row.audio) if path is not None]
    stem = "".join(c for c in Path(row.id).name if not c.isdigit()).strip("_- ")
    texts = [normalised(text) for text in (row.text, row.target) if text]
    return (f"name {stem}", *(f"text {text}" for text in texts), *(f"file {name}" for name in files))


def _identity(row: Example) -> tuple[str, ...]:
    return row.id, row.text, row.target, *(sha256(path) if path else "" for path in (row.image, row.audio))


SOURCE = DatasetSource(
    name="tuxpaint",
    summary="Stamps of a drawing program: pictures with descriptions, spoken by people in a third language.",
    tasks=("captioning", "translation"),
    variants=("groups",),
    load=load,
    fetch=fetch,
    languages={"translation": LANGUAGES},
    settings={"model": {"max_positions": 192}, "decode": {"max_new_tokens": 64}},
)
