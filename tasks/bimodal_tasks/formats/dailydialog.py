"""DailyDialog: one dialogue a line, `__eou__` after every turn.

    Say , Jim , how about going for a few beers after dinner ? __eou__ You know that is tempting but ... __eou__

Files `dialogues_train.txt`, `dialogues_validation.txt`, `dialogues_test.txt`, also in folders `train/`, `validation/`,
`test/`. Every turn but the first is an example: what was said before, and what is answered. Source: Li et al. (2017),
DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Format, Reject, Row
from bimodal_tasks.own.reading import files, numbered_lines, place, problem, split_of
from bimodal_tasks.own.turns import replies

_END = "__eou__"


def _files(folder: Path) -> list[Path]:
    return files(folder, "dialogues_*.txt", "*/dialogues_*.txt", "dialogues_text.txt")


def detects(folder: Path) -> bool:
    """A file `dialogues_*.txt`."""
    return bool(_files(folder))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per answer."""
    for path in _files(folder):
        for number, line in numbered_lines(path, reject):
            if not line.strip():
                continue
            where = place(path, number)
            try:
                turns = _turns(line, where)
            except DataError as error:
                reject(error)
                continue
            for example in replies(f"{path.name}:{number}", turns):
                yield Row(example, where, split_of(path), f"{path.name}:{number}")


def _turns(line: str, where: str) -> list[str]:
    *turns, rest = (turn.strip() for turn in line.split(_END))
    if rest or not turns:
        raise problem(where, f"the line does not end with {_END}.", f"Every turn is followed by {_END}.")
    if len(turns) < 2:
        raise problem(where, "one turn only: nobody answers.", "Remove the line.")
    if not all(turns):
        raise problem(where, f"turn {turns.index('') + 1} is empty.", "Remove it, or the line.")
    return turns


FORMAT = Format("dailydialog", "DailyDialog: turns with __eou__ between", ("dialogue",), detects, read)
