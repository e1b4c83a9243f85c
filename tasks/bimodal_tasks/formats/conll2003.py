"""CoNLL-2003: word, part of speech, chunk and entity tag in four columns, a blank line between sentences.

    EU NNP B-NP B-ORG
    rejects VBZ B-VP O

Files: `train.txt`, `valid.txt`, `test.txt`, or `eng.train`, `eng.testa`, `eng.testb`. Tags may be IOB2, or IOB1 as in
the files of the shared task (then they are converted). Source: Tjong Kim Sang & De Meulder (2003).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.tags import tagged_example
from bimodal.types import Format, Reject, Row
from bimodal_tasks.own.bio import check_tags, from_iob1, is_iob1, sentences
from bimodal_tasks.own.reading import files, first_lines, split_of


def _files(folder: Path) -> list[Path]:
    return [path for path in files(folder, "*.txt", "*.conll", "*.train", "*.testa", "*.testb") if split_of(path)]


def detects(folder: Path) -> bool:
    """Four columns between spaces, the last two of them tags."""
    for path in _files(folder):
        words = [line.split(" ") for line in first_lines(path) if line.strip() and "\t" not in line]
        if words and all(len(found) == 4 and found[3][:2] in ("O", "B-", "I-") for found in words):
            return True
    return False


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per sentence."""
    for path in _files(folder):
        found = list(
            sentences(path, reject, separator=" ", num_columns=4, names="word, part of speech, chunk, entity tag")
        )
        old = is_iob1([sentence.tags for sentence in found])
        for number, sentence in enumerate(found, start=1):
            tags = from_iob1(sentence.tags) if old else sentence.tags
            try:
                check_tags(tags, sentence.places)
            except DataError as error:
                reject(error)
                continue
            identifier = f"{path.name}:{number}"
            example = tagged_example(identifier, sentence.words, tags)
            yield Row(example, sentence.places[0], split_of(path), identifier)


FORMAT = Format("conll2003", "CoNLL-2003: four columns of words and tags", ("ner",), detects, read)
