"""Multi30k: line-aligned `train.en`, `train.de`, ..., and `image_splits/train.txt` with a picture for every line.

    train.en    val.en    test_2016_flickr.en
    train.de    val.de    test_2016_flickr.de
    image_splits/train.txt    image_splits/val.txt    image_splits/test_2016_flickr.txt

Pictures in `flickr30k-images/` or `images/`. Lists may also be called `train_images.txt` beside the texts. With several
test sets the first by name is used. Source: Elliott et al. (2016), Multi30K: Multilingual English-German Image
Descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.pairs import aligned_files, aligned_lines, languages_of, split_files
from bimodal_tasks.own.reading import (
    counted,
    file_in,
    folders_with,
    num_lines,
    numbered_lines,
    place,
    problem,
    split_of,
)


def detects(folder: Path) -> bool:
    """Line-aligned files and lists of pictures."""
    lists = (folder / "image_splits").is_dir() or any(folder.glob("*_images.txt"))
    return lists and bool(aligned_files(folder))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per line."""
    aligned = aligned_files(folder)
    source, target = languages_of(aligned, data.language, folder)
    pictures = folders_with(folder, "flickr30k-images", "flickr30k_images", "images")
    for stem, left, right in split_files(aligned, source, target):
        listed, names = _list_of(folder, stem, left, reject)
        if (listing := num_lines(listed)) != (count := num_lines(left)):
            what = f"{counted(listing, 'picture')} for the {counted(count, 'line')} of {left.name}."
            raise problem(place(listed), what, "One file name for each sentence: find where they drift apart.")
        for number, text, translation in aligned_lines(left, right, reject):
            try:
                # A caption's number may follow the name: 1007129816.jpg#0
                name = names[number].strip().partition("#")[0] if number in names else ""
                if not name:
                    raise problem(
                        place(listed, number), "no picture for this line.", "One file name for each sentence."
                    )
                image = file_in(pictures, folder, name, place(listed, number))
            except DataError as error:
                reject(error)
                continue
            example = Example(f"{stem}:{number}", text, translation, image=image, language=target)
            yield Row(example, place(left, number), split_of(Path(stem)), name)


def _list_of(folder: Path, stem: str, beside: Path, reject: Reject) -> tuple[Path, dict[int, str]]:
    for path in (folder / "image_splits" / f"{stem}.txt", folder / f"{stem}_images.txt"):
        if path.is_file():
            return path, dict(numbered_lines(path, reject))
    fix = f"Add image_splits/{stem}.txt with one file name for each line, or use --format wmt for the text alone."
    raise problem(place(beside), "no list of its pictures.", fix)


FORMAT = Format("multi30k", "Multi30k: line-aligned texts and lists of pictures", ("translation",), detects, read)
