"""WNUT: word and entity tag with a tab between, a blank line between sentences.

    @paulwalk	O
    Empire	B-location
    State	I-location

Files whose names say the split: `wnut17train.conll`, `emerging.dev.conll`, `emerging.test.annotated`. Source:
Derczynski et al. (2017), WNUT2017 shared task.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.tags import tagged_example
from bimodal.types import Format, Reject, Row
from bimodal_tasks.own.bio import check_tags, sentences
from bimodal_tasks.own.reading import files, first_lines, split_of


def _files(folder: Path) -> list[Path]:
    return [path for path in files(folder, "*.conll", "*.annotated", "*.txt", "*.iob", "*.bio") if split_of(path)]


def detects(folder: Path) -> bool:
    """Two columns between tabs, the second a tag, and no `IMGID:` lines."""
    for path in _files(folder):
        rows = [line.split("\t") for line in first_lines(path) if line.strip()]
        if rows and all(len(row) == 2 and row[1][:2] in ("O", "B-", "I-") for row in rows):
            return True
    return False


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per sentence."""
    for path in _files(folder):
        found = sentences(path, reject, separator="\t", num_columns=2, names="word, entity tag")
        for number, sentence in enumerate(found, start=1):
            try:
                check_tags(sentence.tags, sentence.places)
            except DataError as error:
                reject(error)
                continue
            identifier = f"{path.name}:{number}"
            example = tagged_example(identifier, sentence.words, sentence.tags)
            yield Row(example, sentence.places[0], split_of(path), identifier)


FORMAT = Format("wnut", "WNUT: words and tags in two columns", ("ner",), detects, read)
