"""Flickr30k: `results_20130124.token`, a picture's file name, `#`, the number of its caption, a tab, the caption.

    1000092795.jpg#0	Two young guys with shaggy hair look at their hands while hanging out in the yard .

Pictures in `flickr30k-images/` or `images/`. The file has no splits: they are drawn by picture. Flickr8k's
`Flickr8k.token.txt` is written alike. Source: Young et al. (2014), From image descriptions to visual denotations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import columns, file_in, files, folders_with, numbered_lines, place, problem


def _files(folder: Path) -> list[Path]:
    return files(folder, "*.token", "*.token.txt")


def detects(folder: Path) -> bool:
    """A file `*.token`."""
    return bool(_files(folder))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per caption."""
    pictures = folders_with(folder, "flickr30k-images", "flickr30k_images", "Flicker8k_Dataset", "images")
    for path in _files(folder):
        for number, line in numbered_lines(path, reject):
            if not line.strip():
                continue
            where = place(path, number)
            try:
                key, caption = columns(line, 2, where, "picture#number, caption")
                name, mark, position = key.partition("#")
                if not mark or not position.isdigit():
                    raise problem(
                        where, f"{key!r} is not PICTURE.jpg#NUMBER.", "Write the caption's number after a '#'."
                    )
                image = file_in(pictures, folder, name, where)
            except DataError as error:
                reject(error)
                continue
            yield Row(Example(key, "", caption.strip(), image=image), where, None, name)


FORMAT = Format("flickr30k", "Flickr30k: a token file of captions", ("captioning",), detects, read)
