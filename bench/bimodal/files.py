"""Atomic writing and checked reading of single files; `store` puts them to use for runs."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from bimodal.errors import DataError, UserError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_ERRORS_SHOWN = 3

RecordT = TypeVar("RecordT", bound=BaseModel)


class StorageError(UserError):
    """A file cannot be written: the disk is full or the folder is closed to us."""

    exit_code = 1


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission inside the block into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"Cannot write {path}: the disk is full ({_free_bytes(path)}). Everything that was complete "
                "is kept. Make room, then repeat the command with --resume."
            ) from error
        if error.errno in _FORBIDDEN:
            raise StorageError(
                f"Cannot write {path}: {error.strerror}. Choose a folder you may write to, with --out."
            ) from error
        raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file opened for writing that becomes `path` at the end of the block, or leaves no trace if it fails.

    It is written beside `path` (a rename is atomic only within a file system), flushed to the disk, renamed.

    Raises:
        StorageError: the disk is full, or the folder may not be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; raises StorageError."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically; raises StorageError."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: BaseModel | Mapping[str, Any]) -> None:
    """Write a record or plain JSON data, indented, atomically; raises StorageError.

    Raises:
        ValueError: plain data holds NaN or infinity, which JSON cannot say.
    """
    write_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[BaseModel | Mapping[str, Any]]) -> None:
    """Write records or plain JSON data, one per line, atomically; raises StorageError."""
    with replacing(path) as file:
        for row in rows:
            file.write(json_line(row))


def json_line(row: BaseModel | Mapping[str, Any]) -> bytes:
    """One line of a JSONL file, with its end."""
    return json.dumps(_plain(row), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read_record(path: Path, model: type[RecordT]) -> RecordT:
    """Read a JSON file as a record.

    Raises:
        DataError: the file is missing, no JSON, of another schema version, or does not fit the model; the
            message names the file and what to do.
    """
    try:
        text = path.read_bytes()
        content = json.loads(text)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except ValueError as error:
        raise DataError(
            f"{path} is not JSON ({error}). It was damaged or edited by hand; delete it and repeat the run "
            "with --resume."
        ) from error
    _check_schema_version(path, content, model)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise DataError(
            f"{path} is not a valid {model.__name__}: {_summary(error)}. It was edited by hand or written by "
            "another version of bimodal; repeat the run."
        ) from error


def read_jsonl(path: Path, model: type[RecordT]) -> tuple[RecordT, ...]:
    """Read a JSONL file as records.

    Raises:
        DataError: the file is missing, or a line does not fit the model; the message names file and line.
    """
    try:
        lines = path.read_bytes().splitlines()  # of bytes: only real line ends, not U+2028 inside a text
    except FileNotFoundError as error:
        raise _missing(path) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(model.model_validate_json(line))
        except ValidationError as error:
            raise DataError(
                f"{path}:{number} is not a valid {model.__name__}: {_summary(error)}. It was damaged or "
                "edited by hand; repeat the run."
            ) from error
    return tuple(rows)


def _plain(content: BaseModel | Mapping[str, Any]) -> Any:
    return content.model_dump(mode="json") if isinstance(content, BaseModel) else content


def _missing(path: Path) -> DataError:
    return DataError(f"{path} does not exist. Is this the folder of a run, and did the run get so far?")


def _check_schema_version(path: Path, content: Any, model: type[BaseModel]) -> None:
    field = model.model_fields.get("schema_version")
    if field is None:
        return
    found = content.get("schema_version") if isinstance(content, dict) else None
    if found != field.default:
        raise DataError(
            f"{path} has schema version {found!r}; this bimodal reads version {field.default}. Use the "
            "bimodal that wrote it, or repeat the run."
        )


def _summary(error: ValidationError) -> str:
    shown = [
        f"{'.'.join(map(str, problem['loc'])) or 'record'}: {problem['msg']}"
        for problem in error.errors()[:_ERRORS_SHOWN]
    ]
    more = error.error_count() - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _free_bytes(path: Path) -> str:
    folder = next((parent for parent in path.absolute().parents if parent.is_dir()), None)
    if folder is None:
        return "free space unknown"
    return f"{shutil.disk_usage(folder).free} bytes free in {folder}"


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system allows to open folders."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
