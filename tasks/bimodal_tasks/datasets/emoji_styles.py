"""Emoji drawn by other artists: train on OpenMoji, test on Noto, Twemoji and Fluent.

Fetched with npm (`bench data get emoji_styles`, 6 MB). Training and validation are those of `openmoji` (compositional);
the test is its held-out emoji, whose names were never in training, in three other styles. What a contestant scores here
less than on `openmoji` it knew of one artist's hand, and not of the things drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bimodal import store
from bimodal.errors import DataError
from bimodal.schema import DataConfig, DatasetRecord, Split
from bimodal.types import Dataset, DatasetSource, Example, Progress
from bimodal_tasks import packages
from bimodal_tasks.datasets import openmoji
from bimodal_tasks.openmoji.names import emoji_id
from bimodal_tasks.openmoji.pictures import SIZE
from bimodal_tasks.packages import Package

STYLES = {
    "noto": Package(
        "@iconify-json/noto", "1.2.9", 3102958, "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad"
    ),
    "twemoji": Package(
        "@iconify-json/twemoji", "1.2.5", 1555888, "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7"
    ),
    "fluent": Package(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        1172438,
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    ),
}
VERSION = "_".join(f"{style}-{package.version}" for style, package in STYLES.items())


def folder_of(cache_dir: Path) -> Path:
    """Where the drawings are; named by everything that decides them."""
    return cache_dir / SOURCE.name / VERSION


def fetch(cache_dir: Path, progress: Progress) -> None:
    """Fetch the drawings; raises UsageError without npm, DataError without a package."""
    wanted = {"package/icons.json", "package/chars.json"}
    names = tuple(STYLES.values())
    packages.fetch(packages.NPM, SOURCE.name, names, wanted.__contains__, folder_of(cache_dir), progress)


def load(data: DataConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """OpenMoji's training and validation, and its test emoji in the other styles, drawn on first use.

    Raises:
        DataError: the drawings were not fetched, or an OpenMoji picture is damaged.
    """
    data = SOURCE.resolved(data)
    home = folder_of(cache_dir)
    if not home.is_dir():
        raise DataError(f"Data set {SOURCE.name} is not on this machine. Fetch it (6 MB): bench data get {SOURCE.name}")
    own = cache_dir / SOURCE.name
    plain = openmoji.load(DataConfig(name="openmoji", task="captioning", language=data.language), own, progress)
    test: list[Example] = []
    for number, (style, package) in enumerate(STYLES.items()):
        progress("draw styles", number, len(STYLES))
        folder = home / package.name / "package"
        test += _drawn(plain.examples("test"), style, folder, own / f"drawn-{VERSION}-{SIZE}px" / style)
    progress("draw styles", len(STYLES), len(STYLES))
    splits: dict[Split, tuple[Example, ...]] = {**plain.splits, "test": tuple(test)}
    record = DatasetRecord(
        name=SOURCE.name,
        version=f"{plain.record.version}_{VERSION}",
        variant=data.variant,
        description=SOURCE.summary,
        licence=f"{plain.record.licence}; Noto: Apache-2.0; Twemoji: CC BY 4.0; Fluent: MIT",
        licence_url=plain.record.licence_url,
        attribution=(
            f"{plain.record.attribution} Noto Emoji by Google, Twemoji by Twitter and contributors, "
            "Fluent Emoji by Microsoft, as packed by Iconify."
        ),
        source=f"{plain.record.source}; npm: {', '.join(f'{p.name} {p.version}' for p in STYLES.values())}",
        modalities=("image",),
        fingerprint=fingerprint(plain.record.fingerprint, test),
        splits={split: len(rows) for split, rows in splits.items()},
    )
    return Dataset(record, splits)


def _drawn(rows: Sequence[Example], style: str, folder: Path, pictures: Path) -> list[Example]:
    """The examples that a style has a drawing for, with it."""
    icons = json.loads((folder / "icons.json").read_bytes())
    names = json.loads((folder / "chars.json").read_bytes())
    by_id = {emoji_id(points.upper().split("-")): name for points, name in names.items()}
    found = []
    for row in rows:
        drawing = svg(icons, by_id.get(row.id, ""))
        if drawing is None:
            continue
        path = pictures / f"{row.id}.png"
        if not path.exists():
            store.write_bytes(path, _png(drawing))
        found.append(replace(row, id=f"{style}/{row.id}", image=path, meta={**row.meta, "style": style}))
    return found


def svg(icons: Mapping[str, Any], name: str) -> str | None:
    """An icon of Iconify's format as SVG; None where there is none of that name, or only a turned one.

    Source: https://iconify.design/docs/types/iconify-json.html.
    """
    alias = icons.get("aliases", {}).get(name)
    if alias is not None:
        if set(alias) != {"parent"}:
            return None
        name = alias["parent"]
    icon = icons["icons"].get(name)
    if icon is None:
        return None
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{icon["body"]}</svg>'


def _png(drawing: str) -> bytes:
    import resvg_py

    return bytes(
        resvg_py.svg_to_bytes(svg_string=drawing, width=SIZE, height=SIZE, background="#ffffff", skip_system_fonts=True)
    )


def fingerprint(plain: str, rows: Sequence[Example]) -> str:
    """sha256 over OpenMoji's fingerprint, and id, target and picture of every test example, in order."""
    digest = hashlib.sha256(plain.encode())
    for row in rows:
        assert row.image is not None
        picture = hashlib.sha256(row.image.read_bytes()).hexdigest()
        digest.update("\t".join((row.id, row.target, picture)).encode() + b"\n")
    return digest.hexdigest()


SOURCE = DatasetSource(
    name="emoji_styles",
    summary="Train on OpenMoji, test on held-out emoji as three other artists draw them.",
    tasks=("captioning",),
    variants=("style",),
    load=load,
    fetch=fetch,
    languages={"captioning": openmoji.SOURCE.languages["captioning"]},
)
