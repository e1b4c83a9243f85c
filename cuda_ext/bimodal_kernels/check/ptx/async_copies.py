"""cp.async, landing as late as it may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bimodal_kernels.check.ptx.memory import GlobalMemory, SharedMemory
from bimodal_kernels.check.ptx.numbers import Array


@dataclass(frozen=True, slots=True)
class _Copy:
    threads: Array
    group: Array
    destination: Array
    source: Array
    source_bytes: Array
    size_bytes: int

    def of(self, rows: Array) -> _Copy:
        """The same copy, of some threads only."""
        return _Copy(
            self.threads[rows],
            self.group[rows],
            self.destination[rows],
            self.source[rows],
            self.source_bytes[rows],
            self.size_bytes,
        )


class AsyncCopies:
    """cp.async as weak as it may be: the source is read and the bytes land at the wait, never before.

    Source: PTX ISA, "Data Movement and Conversion Instructions: cp.async, commit_group, wait_group".
    """

    def __init__(self, threads: int) -> None:
        self._committed = np.zeros(threads, np.int64)
        self._pending: list[_Copy] = []

    def issue(
        self,
        shared: SharedMemory,
        threads: Array,
        destination: Array,
        source: Array,
        source_bytes: Array,
        size_bytes: int,
    ) -> None:
        """One copy of `size_bytes` per thread; what lies beyond `source_bytes` is filled with zeros."""
        shared.forget(destination, size_bytes)
        self._pending.append(_Copy(threads, self._committed[threads], destination, source, source_bytes, size_bytes))

    def commit(self, active: Array) -> None:
        """Close the group that the threads' latest copies belong to."""
        self._committed[active] += 1

    def wait(self, active: Array, groups_left: int, shared: SharedMemory, memory: GlobalMemory) -> None:
        """Land every group of these threads but the latest `groups_left`."""
        still_pending = []
        for copy in self._pending:
            lands = active[copy.threads] & (copy.group < self._committed[copy.threads] - groups_left)
            if lands.any():
                _land(copy.of(lands), shared, memory)
            if not lands.all():
                still_pending.append(copy.of(~lands))
        self._pending = still_pending

    @property
    def has_unwaited(self) -> bool:
        """Is a copy still under way?"""
        return bool(self._pending)


def _land(copy: _Copy, shared: SharedMemory, memory: GlobalMemory) -> None:
    data = np.zeros((len(copy.threads), copy.size_bytes), np.uint8)
    for size in np.unique(copy.source_bytes[copy.source_bytes > 0]):
        rows = copy.source_bytes == size
        data[rows, :size] = memory.load(copy.source[rows], int(size))
    shared.store(copy.destination, data)
