"""COCO captions: `captions_train2017.json` and `captions_val2017.json` (also in `annotations/`), pictures in a folder.

    {"images": [{"id": 9, "file_name": "000000000009.jpg"}],
     "annotations": [{"id": 661611, "image_id": 9, "caption": "Closeup of bins of food."}]}

Pictures in `train2017/`, `val2017/` (or 2014) or `images/`. Every caption is an example; those of one picture stay
together. Source: Chen et al. (2015), Microsoft COCO Captions: Data Collection and Evaluation Server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import file_in, files, folders_with, member, place, problem, read_json, split_of


def _files(folder: Path) -> list[Path]:
    return files(folder, "captions_*.json", "annotations/captions_*.json")


def detects(folder: Path) -> bool:
    """A file `captions_*.json`."""
    return bool(_files(folder))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per caption."""
    names = sorted({path.name for path in folder.iterdir() if path.is_dir() and path.name != "annotations"})
    pictures = folders_with(folder, *names)
    for path in _files(folder):
        content = read_json(path)
        file_of: dict[int, str] = {}
        for number, entry in enumerate(member(content, "images", list, place(path))):
            where = place(path, f"images[{number}]")
            try:
                image_id, name = member(entry, "id", int, where), member(entry, "file_name", str, where)
                if image_id in file_of:
                    what = f"the id {image_id} is that of {file_of[image_id]!r} already."
                    raise problem(where, what, "Ids of pictures must be unique.")
                file_of[image_id] = name
            except DataError as error:
                reject(error)
        for number, entry in enumerate(member(content, "annotations", list, place(path))):
            where = place(path, f"annotations[{number}]")
            try:
                image_id = member(entry, "image_id", int, where)
                if image_id not in file_of:
                    raise problem(
                        where, f"no entry of 'images' has the id {image_id}.", "Add it, or remove the caption."
                    )
                image = file_in(pictures, folder, file_of[image_id], where)
                caption = " ".join(member(entry, "caption", str, where).split())
                identifier = str(member(entry, "id", int, where))
            except DataError as error:
                reject(error)
                continue
            yield Row(Example(identifier, "", caption, image=image), where, split_of(path), str(image_id))


FORMAT = Format("coco", "COCO captions: JSON with images and annotations", ("captioning",), detects, read)
