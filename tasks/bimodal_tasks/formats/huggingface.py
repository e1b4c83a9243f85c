"""Hugging Face datasets: a folder that `save_to_disk` wrote, one of parquet files, or one of the hub (`hf:owner/name`).

    dataset_dict.json  train/  validation/  test/            as save_to_disk writes it
    data/train-00000-of-00001.parquet  README.md             as the hub has it

Columns are found by name and kind, where that is clear; else say which: `--set data.columns.target=label`.

    captioning    an Image or Audio column; target, caption(s), sentence, transcription, text or label
    translation   a Translation column, columns named by languages (en, de), or text and target
    ner           tokens or words; ner_tags, tags or labels (ClassLabel, or strings)
    dialogue      dialog, turns, messages, ...: lists of strings or of {"role", "content"}; or text, target and speaker

Lists of captions are an example each. Which subset, where there are several: `--set data.subset=NAME`. Source: Lhoest
et al. (2021), Datasets: A Community Library for Natural Language Processing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bimodal.errors import DataError, UsageError
from bimodal.schema import DataConfig, Modality
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.columns import Table
from bimodal_tasks.own.reading import file_in, files, inside, problem, split_of, typed
from bimodal_tasks.own.table_examples import READERS, Values

_KINDS: tuple[Modality, ...] = ("image", "audio")
_SAVED = ("dataset_dict.json", "state.json")


def detects(folder: Path) -> bool:
    """What `save_to_disk` leaves, or parquet files."""
    return any((folder / name).is_file() for name in _SAVED) or bool(files(folder, "*.parquet", "*/*.parquet"))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per row; per answer of a dialogue, and per caption of a picture."""
    for name, part in _splits(folder, data.subset).items():
        split = split_of(Path(name)) if name else None
        if name and split is None:
            fix = "Allowed are train, validation and test, and names with one of these words in them."
            reject(problem(folder.name, f"unknown split {name!r}.", fix))
            continue
        table = Table(part.features, data.columns, f"{folder.name}, split {name}" if name else folder.name)
        reader = READERS[str(data.task)](table, data)
        columns = {kind: table.find(kind, (), table.of_kind(kind.title())) for kind in _KINDS}
        for number, values in enumerate(_rows(part, folder)):
            where = f"{name}, row {number}" if name else f"row {number}"
            identifier = f"{name}:{number}" if name else str(number)
            try:
                found = {kind: _media(values[column], folder, where) for kind, column in columns.items() if column}
                paths = {kind: one for kind, one in found.items() if isinstance(one, Path)}
                blank = Example(identifier, "", "", image=paths.get("image"), audio=paths.get("audio"))
                examples = list(reader(blank, values, where))
            except DataError as error:
                reject(error)
                continue
            embedded = {kind: one for kind, one in found.items() if isinstance(one, bytes)}
            yield from (Row(example, where, split, identifier, embedded) for example in examples)


def _splits(folder: Path, subset: str | None) -> dict[str, Any]:
    """The splits of a folder by name ('' if it is one), with pictures and sounds as they are in the data.

    Parquet and the like are read row by row, and copied nowhere.
    """
    try:
        import datasets
    except ImportError as error:
        raise UsageError("Reading Hugging Face datasets needs a package: pip install 'bimodal[hf]'.") from error
    datasets.disable_progress_bars()
    try:
        if any((folder / name).is_file() for name in _SAVED):
            found = datasets.load_from_disk(str(folder))
        else:
            found = datasets.load_dataset(str(folder), name=subset, streaming=True)
        parts = found if isinstance(found, dict) else {"": found}
        return {name: _undecoded(part) for name, part in parts.items()}
    except _unreadable() as error:
        raise _problem(folder, error) from error


def _undecoded(part: Any) -> Any:
    import datasets

    if part.features is None:  # of JSON and CSV they are known after the first rows; the library has no public name
        part = part._resolve_features()
    for name, feature in part.features.items():
        if isinstance(feature, datasets.Image | datasets.Audio):
            part = part.cast_column(name, type(feature)(decode=False))
    return part


def _rows(part: Any, folder: Path) -> Iterator[Values]:
    rows = iter(part)
    while True:
        try:
            row = next(rows, None)
        except _unreadable() as error:
            raise _problem(folder, error) from error
        if row is None:
            return
        yield row


def _unreadable() -> tuple[type[Exception], ...]:
    """What the library raises for files that it cannot read."""
    from datasets.exceptions import DatasetsError
    from pyarrow import ArrowException

    return OSError, ValueError, TypeError, KeyError, DatasetsError, ArrowException


def _problem(folder: Path, error: Exception) -> DataError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].replace(str(folder), folder.name)
    fix = "Save it again (save_to_disk, to_parquet); where there are subsets, name one: --set data.subset=NAME."
    return problem(folder.name, f"no data set that can be read ({reason}).", fix)


def _media(value: Any, folder: Path, where: str) -> Path | bytes | None:
    """A picture or sound: its content, where that is in the data; a file of the folder; or none."""
    if value is None:
        return None
    if isinstance(value, str):
        return file_in([folder], folder, value, where)
    if (content := value.get("bytes")) is not None:
        return bytes(content)
    name = typed(value.get("path"), str, "the path", where)
    path = inside(folder, folder / name, where)
    if not path.is_file():
        fix = "Embed pictures and sounds when you save the data, or add the file."
        raise problem(where, f"the file {name!r} is not there.", fix)
    return path


FORMAT = Format(
    "huggingface", "Hugging Face datasets: save_to_disk, parquet, or hf:owner/name", tuple(READERS), detects, read
)
