"""A log that grows line by line and survives being killed in the middle of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bimodal.errors import DataError
from bimodal.files import json_line, replacing, storage_errors


class JsonlLog:
    """Appends JSON objects to a file, one per line.

    The file is opened for each line: lines are seconds apart, and nothing is buffered when the process dies.
    """

    def __init__(self, path: Path) -> None:
        """Args: path: the file; what it holds is kept."""
        self.path = path

    @classmethod
    def resume(cls, path: Path, keep: Callable[[dict[str, Any]], bool]) -> JsonlLog:
        """Open a log, first dropping a last line that was cut short and all rows that `keep` refuses.

        A resumed training repeats the steps after its restart point; without this they would be logged twice.

        Raises:
            DataError: a line other than the last is not a JSON object; the message names it.
            StorageError: the disk is full.
        """
        if path.exists():
            content = path.read_bytes()
            rows = _complete_rows(path, content)
            kept = b"".join(json_line(row) for row in rows if keep(row))
            if kept != content:
                with replacing(path) as file:
                    file.write(kept)
        return cls(path)

    def rows(self) -> list[dict[str, Any]]:
        """All complete rows; a last line that was cut short is left out. Raises DataError."""
        return _complete_rows(self.path, self.path.read_bytes())

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a line; raises StorageError."""
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                file.write(json_line(row))


def _complete_rows(path: Path, content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    # A line counts only with its end: b"12" may be the beginning of b"123".
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"{path}:{number} is not JSON ({error}). Delete the cell's folder to train it anew."
            ) from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number} is not a JSON object. Delete the cell's folder to train it anew.")
        rows.append(row)
    return rows
