"""LJSpeech: `metadata.csv` with clip, transcript and normalised transcript, `|` between; clips in `wavs/`.

    LJ001-0001|Printing, in the only sense with which we are at present concerned,|Printing, in the only sense ...

No quoting. The last column is the target. The file has no splits: they are drawn by clip. Source: Ito & Johnson (2017),
The LJ Speech Dataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import columns, file_in, folders_with, numbered_lines, place

_FILE = "metadata.csv"


def detects(folder: Path) -> bool:
    """`metadata.csv` and `wavs/`."""
    return (folder / _FILE).is_file() and (folder / "wavs").is_dir()


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per clip: hear it, write what is said."""
    path = folder / _FILE
    for number, line in numbered_lines(path, reject):
        if not line.strip():
            continue
        where = place(path, number)
        try:
            clip, _, spoken = columns(line, 3, where, "clip, transcript, normalised transcript", "|")
            audio = file_in(folders_with(folder, "wavs"), folder, f"{clip}.wav", where)
        except DataError as error:
            reject(error)
            continue
        yield Row(Example(clip, "", spoken.strip(), audio=audio), where, None, clip)


FORMAT = Format("ljspeech", "LJSpeech: clips and transcripts", ("captioning",), detects, read)
