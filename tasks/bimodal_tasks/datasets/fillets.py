"""Fish Fillets: two fish talk about where they are; what was said last is heard in Czech, or in Dutch.

Fetched with apt (`bench data get fillets`, 142 MB). The turns are read, and the last of them heard in another language
than the reply's: Czech, or Dutch where replies are Czech. What a voice adds to its words is how they are meant.
"""

from __future__ import annotations

from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig, DatasetRecord, Split
from bimodal.types import Dataset, DatasetSource, Example, Progress
from bimodal_tasks import packages
from bimodal_tasks.fillets.conversations import replies
from bimodal_tasks.fillets.levels import levels
from bimodal_tasks.fillets.packages import LANGUAGES, PACKAGES, ROOT, VERSION, wanted
from bimodal_tasks.grouping import fingerprint, sha256, without_repeats
from bimodal_tasks.openmoji.splits import draw


def folder_of(cache_dir: Path) -> Path:
    """Where the files are; named by everything that decides them."""
    return cache_dir / SOURCE.name / f"debian-{VERSION}"


def fetch(cache_dir: Path, progress: Progress) -> None:
    """Fetch the packages; raises UsageError without apt, DataError without a package."""
    packages.fetch(packages.APT, SOURCE.name, PACKAGES, wanted, folder_of(cache_dir), progress)


def load(data: DataConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """Read the levels' scripts and split by level.

    Raises:
        DataError: the files were not fetched.
    """
    data = SOURCE.resolved(data)
    home = folder_of(cache_dir) / ROOT
    if not home.is_dir():
        raise DataError(
            f"Data set {SOURCE.name} is not on this machine. Fetch it (142 MB): bench data get {SOURCE.name}"
        )
    parts: dict[Split, list[Example]] = {"train": [], "validation": [], "test": []}
    for level in levels(home):
        parts[split_of(level.name)] += replies(level, str(data.language))
    splits = without_repeats(parts)
    record = DatasetRecord(
        name=SOURCE.name,
        version=VERSION,
        variant=data.variant,
        description=SOURCE.summary,
        licence="GPL-2.0-only",
        licence_url="https://www.gnu.org/licenses/old-licenses/gpl-2.0.html",
        attribution="Fish Fillets - Next Generation, (c) ALTAR interactive, Ivo and Pavel Danihelka, and translators.",
        source=f"Debian packages {', '.join(package.name for package in PACKAGES)} {VERSION}",
        modalities=("audio",),
        fingerprint=fingerprint(splits, _identity),
        splits={split: len(rows) for split, rows in splits.items()},
    )
    return Dataset(record, splits)


def split_of(level: str) -> Split:
    """Whole levels are held out, and with them those of the same story, `cabin1` and `cabin2`: they share voices."""
    return draw("fillets/1", level.rstrip("0123456789"), test=0.15, validation=0.13)


def _identity(row: Example) -> tuple[str, ...]:
    return row.id, row.text, row.target, row.meta["speaker"], sha256(row.audio) if row.audio else ""


SOURCE = DatasetSource(
    name="fillets",
    summary="Dialogue of a puzzle game's two fish; the last turn is heard in another language.",
    tasks=("dialogue",),
    variants=("levels",),
    load=load,
    fetch=fetch,
    languages={"dialogue": LANGUAGES},
    settings={"model": {"max_positions": 256}, "decode": {"max_new_tokens": 64}},
)
