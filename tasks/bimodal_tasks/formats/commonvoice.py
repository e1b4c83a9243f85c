"""Common Voice: `train.tsv`, `dev.tsv`, `test.tsv` with a header that names the columns; clips in `clips/`.

    client_id	path	sentence	up_votes	down_votes	age	gender	accents	locale	segment
    8f0a...	common_voice_de_17298952.mp3	Wieder ist ein Jahr vorbei.	2	0			de

Only `path` and `sentence` are needed, and `locale` for the language. Source: Ardila et al. (2020), Common Voice: A
Massively-Multilingual Speech Corpus.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Example, Format, Reject, Row
from bimodal_tasks.own.reading import (
    file_in,
    files,
    first_lines,
    folders_with,
    numbered_lines,
    place,
    problem,
    split_of,
)


def _files(folder: Path) -> list[Path]:
    """The split files; `validated.tsv`, `other.tsv` and so on hold the same clips again."""
    return [path for path in files(folder, "*.tsv") if path.stem in ("train", "dev", "test")]


def detects(folder: Path) -> bool:
    """A split file whose header has `client_id`."""
    heads = [first_lines(path, 1) for path in _files(folder)]
    return any("client_id" in head[0].split("\t") for head in heads if head)


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per clip: hear it, write what is said."""
    clips = folders_with(folder, "clips")
    for path in _files(folder):
        head: list[str] = []
        for number, line in numbered_lines(path, reject):
            if not line.strip():
                continue
            where, fields = place(path, number), line.split("\t")
            if not head:
                head = fields
                if not {"path", "sentence"} <= set(head):
                    raise problem(where, "the header lacks 'path' or 'sentence'.", "Put the line with the names first.")
                continue
            try:
                if len(fields) != len(head):
                    what = f"{len(fields)} columns instead of {len(head)}."
                    raise problem(where, what, "As many tabs as in the header are needed.")
                entry = dict(zip(head, fields, strict=True))
                audio = file_in(clips, folder, entry["path"], where)
            except DataError as error:
                reject(error)
                continue
            # Speakers stay together: a model shall not know the voice it is tested on.
            example = Example(
                entry["path"], "", entry["sentence"].strip(), audio=audio, language=entry.get("locale") or "en"
            )
            yield Row(example, where, split_of(path), entry.get("client_id") or entry["path"])


FORMAT = Format("commonvoice", "Common Voice: clips and sentences", ("captioning",), detects, read)
