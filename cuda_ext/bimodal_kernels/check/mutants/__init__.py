"""Small wrong edits of the kernels, each of which the proofs must notice: data, one TOML file per subject.

    [[mutant]]
    file = "cuda/forward.cuh"       # below csrc
    group = "synchronisation"
    old = "prim::wait_copies<0>();" # text that occurs exactly once
    new = "prim::wait_copies<1>();"

To add one: a table in the file of its subject. A mutant that survives shows a gap: add a case or a detector that closes
it, or take the mutant out if it changes nothing (say so in the commit).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Group = Literal["synchronisation", "indices and masks", "numbers", "device assembly", "native"]
"""What a mutant breaks."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit."""

    subject: str
    """The file that it stands in, such as `forward`."""
    number: int
    """In that file, from 1."""
    file: str
    group: Group
    old: str
    new: str

    @property
    def name(self) -> str:
        """Short, and the same from run to run."""
        return f"{self.subject} {self.number}"

    def apply(self, sources: Path) -> None:
        """Make the edit in a copy of `csrc`.

        Raises:
            ValueError: the old text does not occur exactly once.
        """
        path = sources / self.file
        text = path.read_text()
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"Mutant {self.name}: its old text occurs {count} times in {self.file}: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


def load() -> tuple[Mutant, ...]:
    """All mutants.

    Raises:
        ValueError: a group that does not exist.
    """
    mutants: list[Mutant] = []
    for path in sorted(_FOLDER.glob("*.toml")):
        tables = tomllib.loads(path.read_text())["mutant"]
        mutants += [Mutant(path.stem, number, **table) for number, table in enumerate(tables, start=1)]
    for mutant in mutants:
        if mutant.group not in get_args(Group):
            raise ValueError(
                f"Mutant {mutant.name}: no group {mutant.group!r}; there are {', '.join(get_args(Group))}."
            )
    return tuple(mutants)
