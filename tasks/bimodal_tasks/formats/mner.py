"""Twitter-2015 and Twitter-2017 multimodal NER: `IMGID:` above each tweet, then word and tag with a tab between.

    IMGID:1109793
    RT	O
    @DailyMirror	B-OTHER

Files `train.txt`, `valid.txt` (or `dev.txt`), `test.txt`; pictures `<IMGID>.jpg` in a folder whose name ends in
`images`. Source: Zhang et al. (2018), Adaptive Co-attention Network; Lu et al. (2018), Visual Attention Model for
Name Tagging.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.tags import tagged_example
from bimodal.types import Format, Reject, Row
from bimodal_tasks.own.bio import Sentence, check_tags, sentences
from bimodal_tasks.own.reading import file_in, files, first_lines, problem, split_of

_MARK = "IMGID:"


def _files(folder: Path) -> list[Path]:
    return [path for path in files(folder, "*.txt") if split_of(path)]


def detects(folder: Path) -> bool:
    """A text file that begins with `IMGID:`."""
    return any(lines[0].startswith(_MARK) for path in _files(folder) if (lines := first_lines(path, 1)))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per tweet."""
    pictures = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.lower().endswith("images"))
    for path in _files(folder):
        found = sentences(path, reject, separator="\t", num_columns=2, names="word, entity tag", header=_MARK)
        for number, sentence in enumerate(found, start=1):
            try:
                yield _row(path, number, sentence, pictures or [folder], folder)
            except DataError as error:
                reject(error)


def _row(path: Path, number: int, sentence: Sentence, pictures: list[Path], folder: Path) -> Row:
    where = sentence.places[0]
    if len(sentence.header) != 1:
        what = f"{len(sentence.header)} lines {_MARK}... above this tweet instead of one."
        raise problem(where, what, "Each tweet has one, and a blank line after its last word.")
    check_tags(sentence.tags, sentence.places)
    picture = sentence.header[0].removeprefix(_MARK).strip()
    image = file_in(pictures, folder, f"{picture}.jpg", where)
    example = tagged_example(f"{path.name}:{number}", sentence.words, sentence.tags, image=image)
    return Row(example, where, split_of(path), picture)


FORMAT = Format("mner", "Twitter-2015/2017: tweets with a picture, words and tags", ("ner",), detects, read)
