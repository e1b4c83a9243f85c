"""What shows the type of a name: a person, a flag, a building, an animal; and food, which shows nothing.

    <cache>/names/<version>/index.json              sha256 of every picture
    <cache>/names/<version>/test-animal-007.png ...
    <cache>/names.lock

Every picture shows four OpenMoji drawings of a kind, each turned, scaled and perhaps mirrored. No two splits share a
picture, but they do share drawings: a drawing tells its kind and never a name, so knowing it gives no answer away. Held
out, they would make the test one of recognising buildings, of which there are thirty.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from PIL import Image

from bimodal import store
from bimodal.errors import DataError
from bimodal.schema import Split
from bimodal.types import Progress
from bimodal_tasks.names.lexicon import LOC, MISC, ORG, PER
from bimodal_tasks.names.sentences import SALT, shuffled
from bimodal_tasks.openmoji.pictures import SIZE, Picture, cached_pictures, folder_name

FORMAT = 3
"""Raised when the same packages shall give other files."""
INDEX = "index.json"
KIND_OF = {PER: "person", LOC: "flag", ORG: "building", MISC: "animal"}
"""What is shown for each type."""
NOTHING = "food"
"""What is shown where the picture shall not tell."""
POOL: dict[Split, int] = {"train": 480, "validation": 40, "test": 80}
"""Pictures of each kind."""

_BUILDINGS = frozenset(
    {*range(0x1F3D7, 0x1F3DC), 0x1F3DF, *range(0x1F3E0, 0x1F3E7), *range(0x1F3E8, 0x1F3EE), 0x1F3EF, 0x1F3F0}
    | {*range(0x1F54B, 0x1F54E), 0x1F5FC, 0x1F6D5, 0x1F6D6, 0x26E9, 0x26EA}
)
_ANIMALS = frozenset({*range(0x1F400, 0x1F43E), *range(0x1F980, 0x1F9AF)})
_FOOD = frozenset(range(0x1F32D, 0x1F380))
_PERSON = frozenset(["man", "woman", "boy", "girl", "person", "child"])
_SEVERAL = frozenset(["family", "couple", "kiss", "people", "men", "women", "and"])


def kind_of(picture: Picture) -> str | None:
    """What an emoji shows, by its code points (flags, buildings, animals, food) or its name (persons); None: else."""
    points = [int(part, 16) for part in picture.id.split("-")]
    words = set(picture.name.split())
    if len(points) == 2 and all(0x1F1E6 <= point < 0x1F200 for point in points):
        return "flag"
    for kind, members in (("building", _BUILDINGS), ("animal", _ANIMALS), ("food", _FOOD)):
        if points[0] in members:
            return kind
    return "person" if words & _PERSON and not words & _SEVERAL else None


def drawings_by_kind(pictures: tuple[Picture, ...]) -> dict[str, list[Picture]]:
    """The drawings of each kind, each look once, in a fixed order."""
    kinds: dict[str, list[Picture]] = {}
    for picture in pictures:
        kind = kind_of(picture)
        if kind is not None and picture.look == picture.id:
            kinds.setdefault(kind, []).append(picture)
    return {kind: shuffled(drawings, f"drawings/{kind}") for kind, drawings in kinds.items()}


def file_name(split: Split, kind: str, number: int) -> str:
    """The picture of a kind with a number below `POOL[split]`."""
    return f"{split}-{kind}-{number:03d}.png"


def cached_names_pictures(cache_dir: Path, progress: Progress) -> tuple[Path, Mapping[str, str]]:
    """The folder of the pictures and the sha256 of each, after drawing them if need be (a few seconds).

    Raises:
        DataError: a picture is missing or was changed.
        StorageError: the disk is full.
    """
    folder = cache_dir / "names" / f"format-{FORMAT}_{folder_name()}_pillow-{version('pillow')}"
    if not folder.exists():
        source, pictures = cached_pictures(cache_dir, progress)
        with store.FileLock.acquire(cache_dir / "names.lock"):
            if not folder.exists():  # else another process drew them while we waited
                _build(folder, drawings_by_kind(pictures), lambda picture: source / f"{picture.id}.png", progress)
    return folder, _verified(folder)


def _build(
    folder: Path,
    drawings: Mapping[str, list[Picture]],
    path_of: Callable[[Picture], Path],
    progress: Progress,
) -> None:
    """Draw all pictures into a folder that appears only when it is complete; the caller holds the lock."""
    for abandoned in folder.parent.glob(".*.tmp"):  # by a process that was killed: the lock is ours
        shutil.rmtree(abandoned)
    temporary = folder.with_name(f".{folder.name}.tmp")
    wanted = [(kind, split, number) for kind in drawings for split in POOL for number in range(POOL[split])]
    try:
        with store.storage_errors(folder):
            temporary.mkdir(parents=True)
            hashes = {}
            for done, (kind, split, number) in enumerate(wanted):
                if done % 50 == 0:
                    progress("draw", done, len(wanted))
                name = file_name(split, kind, number)
                four_of(drawings[kind], name, path_of).save(temporary / name)
                hashes[name] = hashlib.sha256((temporary / name).read_bytes()).hexdigest()
            store.write_json(temporary / INDEX, hashes)
            temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    progress("draw", len(wanted), len(wanted))


def four_of(drawings: list[Picture], key: str, path_of: Callable[[Picture], Path]) -> Image.Image:
    """Four different drawings, two by two; `key` decides which, and how they are varied."""
    left = list(drawings)
    canvas = Image.new("RGB", (SIZE, SIZE))
    draws = hashlib.sha256(f"{SALT}/choose/{key}".encode()).digest()
    for corner in range(4):
        pick = left.pop(int.from_bytes(draws[4 * corner : 4 * corner + 4], "big") % len(left))
        with Image.open(path_of(pick)) as drawing:
            small = drawing.convert("RGB").resize((SIZE // 2, SIZE // 2), Image.Resampling.LANCZOS)
        canvas.paste(varied(small, f"{key}/{corner}"), (corner % 2 * SIZE // 2, corner // 2 * SIZE // 2))
    return canvas


def varied(drawing: Image.Image, key: str) -> Image.Image:
    """The drawing turned by up to 12 degrees, scaled to 75 to 100 %, moved, perhaps mirrored; `key` decides."""
    turn, scale, right, down, mirror, *_ = hashlib.sha256(f"{SALT}/vary/{key}".encode()).digest()
    size = drawing.width
    if mirror % 2:
        drawing = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    drawing = drawing.rotate(12 * (turn / 127.5 - 1), Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    small = round(size * (0.75 + 0.25 * scale / 255))
    canvas = Image.new("RGB", (size, size), (255, 255, 255))
    room = size - small
    canvas.paste(
        drawing.resize((small, small), Image.Resampling.LANCZOS), (round(room * right / 255), round(room * down / 255))
    )
    return canvas


def _verified(folder: Path) -> Mapping[str, str]:
    index = folder / INDEX
    try:
        hashes: dict[str, str] = json.loads(index.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(index, "cannot be read") from error
    for name, expected in hashes.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise _damaged(folder / name, "cannot be read") from error
        if found != expected:
            raise _damaged(folder / name, f"was changed (sha256 {found[:12]}, expected {expected[:12]})")
    return hashes


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} {what}. Draw the pictures again: bench data get names --force")
