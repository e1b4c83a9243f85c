"""Locks between processes, held by an open file."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from bimodal.files import storage_errors


class FileLock:
    """An exclusive lock that ends with the last process that holds its file descriptor.

    flock(2) binds a lock to the open file, not to the process: children that inherit `descriptor` (pass it in
    `subprocess.Popen(pass_fds=...)`) keep it alive after the parent was killed, and the kernel frees it when
    the last of them is gone. Nothing is left to clean up after a crash; the file itself means nothing.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        """Use `acquire` or `try_acquire`."""
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> FileLock:
        """Take the lock, waiting for whoever has it; raises StorageError if the file cannot be created."""
        lock = cls(path, _open(path))
        try:
            _flock(lock.descriptor, wait=True)
        except BaseException:
            lock.release()
            raise
        return lock

    @classmethod
    def try_acquire(cls, path: Path) -> FileLock | None:
        """Take the lock, or return None if it is taken; raises StorageError if the file cannot be created."""
        lock = cls(path, _open(path))
        try:
            _flock(lock.descriptor, wait=False)
        except BlockingIOError:
            lock.release()
            return None
        return lock

    def release(self) -> None:
        """Let go by closing: LOCK_UN would also unlock it for the children that share the open file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _open(path: Path) -> int:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    os.set_inheritable(descriptor, True)
    return descriptor


def _flock(descriptor: int, *, wait: bool) -> None:
    import fcntl  # POSIX only; imported here so that the rest of the package can be imported anywhere

    fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
