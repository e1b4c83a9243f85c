"""Hugging Face datasets, spoilt: each is written anew by `table`, with other columns or rows."""

from pathlib import Path
from typing import Any

import own_folders
import pytest
from own_spoil import Edit, content, cut, gone, row, whole

_TRAIN = "data/train-00000-of-00001.parquet"
_FIX = "Save it again (save_to_disk, to_parquet); where there are subsets, name one: --set data.subset=NAME."
_ROWS = "Remove the row."


def table(columns: dict[str, list[Any]], kinds: dict[str, Any] | None = None, files: str = _TRAIN) -> Edit:
    """The training split has these columns; `kinds` names features, else they are what pyarrow takes them for."""

    def edit(folder: Path) -> None:
        datasets = pytest.importorskip("datasets")
        made = datasets.Dataset.from_dict(columns)
        for name, kind in (kinds or {}).items():
            made = made.cast_column(name, kind(datasets))
        parquet = pytest.importorskip("pyarrow.parquet")  # to_parquet would look for files that are named
        parquet.write_table(
            made.data.table.replace_schema_metadata(made.features.arrow_schema.metadata), folder / files
        )

    return edit


def _pictures(*contents: bytes) -> list[dict[str, Any]]:
    return [{"bytes": one, "path": None} for one in contents]


def _image(datasets: Any) -> Any:
    return datasets.Image(decode=False)


def _everywhere(columns: dict[str, list[Any]], kinds: dict[str, Any] | None = None) -> list[Edit]:
    names = ("train", "validation", "test")
    return [table(columns, kinds, f"data/{name}-00000-of-00001.parquet") for name in names]


def _tagged(words: list[str], tags: list[int]) -> list[Edit]:
    """A good sentence in each split, and before that of training one with these words and tags."""
    kinds = {"ner_tags": lambda d: d.List(d.ClassLabel(names=["O", "B-PER", "I-PER"]))}
    return [
        table({"tokens": [["x"]], "ner_tags": [[0]]}, kinds, "data/validation-00000-of-00001.parquet"),
        table({"tokens": [["y"]], "ner_tags": [[0]]}, kinds, "data/test-00000-of-00001.parquet"),
        table({"tokens": [words, ["z"]], "ner_tags": [tags, [1]]}, kinds),
    ]


_CAPTIONS = [["A plate."], ["A cup."], ["A spoon."]]
_GOOD = [own_folders.png(n) for n in range(50, 53)]

HUGGINGFACE = {
    "no parquet": whole(
        f"huggingface: no data set that can be read (...). {_FIX}", content(_TRAIN, b"PAR1 but not really")
    ),
    "an empty file": whole(f"huggingface: no data set that can be read (...). {_FIX}", content(_TRAIN, b"")),
    "cut short": whole(f"huggingface: no data set that can be read (...). {_FIX}", cut(_TRAIN, 200)),
    "an unknown subset": whole(f"huggingface: no data set that can be read (...). {_FIX}", subset="swiss"),
    "no training split": whole(
        "no training examples: all 12 are of test and validation. Training files have 'train' in their names "
        "(docs/data.md).",
        gone(_TRAIN),
    ),
    "no column that is clearly the target": whole(
        "huggingface, split train: no column is clearly the target. Say which: --set data.columns.target=NAME. There "
        "are: image, width.",
        *_everywhere({"image": _pictures(*_GOOD), "width": [1, 2, 3]}, {"image": _image}),
    ),
    "two columns that could be the target": whole(
        "huggingface, split train: several columns could be the target: short, long. Say which: --set "
        "data.columns.target=NAME.",
        *_everywhere(
            {"image": _pictures(*_GOOD), "short": ["a", "b", "c"], "long": ["d", "e", "f"]}, {"image": _image}
        ),
    ),
    "a column that was told and is not there": whole(
        "huggingface, split train: no column 'title' for data.columns.target. There are: image, caption.",
        columns={"target": "title"},
    ),
    "a caption that is null": row(
        "train, row 1: 'caption' is null. It must be a string; docs/data.md has the format.",
        table({"image": _pictures(*_GOOD), "caption": [["A plate."], [None], ["A spoon."]]}, {"image": _image}),
    ),
    "no captions": row(
        f"train, row 1: 'caption' is an empty list. {_ROWS}",
        table({"image": _pictures(*_GOOD), "caption": [["A plate."], [], ["A spoon."]]}, {"image": _image}),
    ),
    "an empty caption": row(
        "train, row 1: nothing to be produced: the target is empty. Fill it, or remove the row.",
        table({"image": _pictures(*_GOOD), "caption": [["A plate."], [" "], ["A spoon."]]}, {"image": _image}),
    ),
    "a control character": row(
        "train, row 0: the target has the character U+0000 at position 2. Remove it: control characters are no text.",
        table({"image": _pictures(*_GOOD), "caption": [["A\0plate."], ["A cup."], ["A spoon."]]}, {"image": _image}),
    ),
    "a corrupt picture": row(
        "train, row 0: ...: not a readable picture (...). Replace the file.",
        table({"image": _pictures(b"\xff\xd8\xff cut", *_GOOD[1:]), "caption": _CAPTIONS}, {"image": _image}),
    ),
    "a picture that is a path out of the folder": row(
        "train, row 0: the file name '/etc/hostname' leads out of the folder. Files must lie in the data folder and be "
        "named relative to it.",
        table(
            {"image": [{"bytes": None, "path": "/etc/hostname"}, *_pictures(*_GOOD[1:])], "caption": _CAPTIONS},
            {"image": _image},
        ),
    ),
    "a picture that was not embedded": row(
        "train, row 0: the file 'dog.png' is not there. Embed pictures and sounds when you save the data, or add the "
        "file.",
        table(
            {"image": [{"bytes": None, "path": "dog.png"}, *_pictures(*_GOOD[1:])], "caption": _CAPTIONS},
            {"image": _image},
        ),
    ),
    "a picture in two splits": row(
        "train, row 0: is in the train split and, at test, row 0, in the test split. Remove it from train: a score on "
        "seen examples says nothing.",
        table({"image": _pictures(own_folders.png(9), *_GOOD[1:]), "caption": _CAPTIONS}, {"image": _image}),
    ),
    "tags for other words": row(
        "train, row 0: 1 tag for 2 words. Each word needs one.",
        *_tagged(["Ann", "lives"], [1]),
        task="ner",
    ),
    "BIO that starts with I-": row(
        "train, row 0: I-PER goes on with nothing: the tag before it is O. An entity begins with B-PER.",
        *_tagged(["by", "Ann"], [0, 2]),
        task="ner",
    ),
    "a word with a space": row(
        f"train, row 0: the word 'New York' is empty or has a space in it. {_ROWS}",
        *_tagged(["New York"], [1]),
        task="ner",
    ),
    "nobody answers": row(
        f"train, row 0: fewer than two turns, or an empty one. {_ROWS}",
        table({"dialog": [["Hi", "Yes"]]}, None, "data/validation-00000-of-00001.parquet"),
        table({"dialog": [["Ho", "No"]]}, None, "data/test-00000-of-00001.parquet"),
        table({"dialog": [["Hello"], ["How", "So"]]}),
        task="dialogue",
    ),
    "an unknown language": whole(
        "huggingface, split train: nothing in the language 'fr'. There are: de, en.",
        *_everywhere({"en": ["a"], "de": ["b"]}),
        task="translation",
        language="fr",
    ),
}
