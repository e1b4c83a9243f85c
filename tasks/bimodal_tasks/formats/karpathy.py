"""Karpathy's splits: `dataset_coco.json`, `dataset_flickr30k.json`, `dataset_flickr8k.json`.

    {"images": [{"filepath": "val2014", "filename": "COCO_val2014_000000391895.jpg", "split": "test", "imgid": 0,
                 "sentences": [{"raw": "A man with a red helmet.", "sentid": 770337}]}], "dataset": "coco"}

`restval` is used for training, as usual. Pictures in `filepath`, `images/` or beside the file. Source: Karpathy &
Fei-Fei (2015), Deep Visual-Semantic Alignments for Generating Image Descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bimodal.errors import DataError
from bimodal.schema import DataConfig, Split
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import (
    file_in,
    files,
    folders_with,
    inside,
    member,
    place,
    problem,
    read_json,
    typed,
)

_SPLITS: dict[str, Split] = {"train": "train", "restval": "train", "val": "validation", "test": "test"}


def _files(folder: Path) -> list[Path]:
    """Not those that Hugging Face datasets call so."""
    return [path for path in files(folder, "dataset_*.json") if path.stem not in ("dataset_dict", "dataset_info")]


def detects(folder: Path) -> bool:
    """A file `dataset_*.json`."""
    return bool(_files(folder))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per sentence."""
    for path in _files(folder):
        for number, entry in enumerate(member(read_json(path), "images", list, place(path))):
            where = place(path, f"images[{number}]")
            try:
                yield from _rows(folder, entry, where)
            except DataError as error:
                reject(error)


def _rows(folder: Path, entry: Any, where: str) -> list[Row]:
    split = member(entry, "split", str, where)
    if split not in _SPLITS:
        raise problem(where, f"unknown split {split!r}.", f"Allowed: {', '.join(_SPLITS)}.")
    inner = typed(entry.get("filepath", "images"), str, "'filepath'", where)
    inside(folder, folder / inner, where)
    places = folders_with(folder, inner, "images")
    image = file_in(places, folder, member(entry, "filename", str, where), where)
    rows = []
    for number, sentence in enumerate(member(entry, "sentences", list, where)):
        place_of = f"{where}.sentences[{number}]"
        text = " ".join(member(sentence, "raw", str, place_of).split())
        example = Example(str(member(sentence, "sentid", int, place_of)), "", text, image=image)
        rows.append(Row(example, place_of, _SPLITS[split], image.name))
    return rows


FORMAT = Format("karpathy", "Karpathy's splits of COCO and Flickr: one JSON file", ("captioning",), detects, read)
