"""WMT: plain text pairs, the same line in two files: `train.de-en.en` and `train.de-en.de`.

    train.de-en.en    newstest2013.en    newstest2014-test.en ...
    train.de-en.de    newstest2013.de    newstest2014-test.de ...

The language is what stands after the last dot. Source language: English where it is one of them; with several others,
say which with `--set data.language=de`. Files whose names say no split are for training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.pairs import aligned_files, aligned_lines, languages_of, split_files
from bimodal_tasks.own.reading import place, split_of


def detects(folder: Path) -> bool:
    """Two files that differ in their language only, and no list of pictures."""
    return bool(aligned_files(folder)) and not (folder / "image_splits").is_dir()


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per line."""
    aligned = aligned_files(folder)
    source, target = languages_of(aligned, data.language, folder)
    for stem, left, right in split_files(aligned, source, target):
        for number, text, translation in aligned_lines(left, right, reject):
            example = Example(f"{stem}:{number}", text, translation, language=target)
            yield Row(example, place(left, number), split_of(Path(stem)), text)


FORMAT = Format("wmt", "WMT: line-aligned text files", ("translation",), detects, read)
