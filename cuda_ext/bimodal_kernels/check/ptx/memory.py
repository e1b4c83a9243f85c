"""Global and shared memory, byte for byte, with the checks that a GPU does not make."""

from __future__ import annotations

import numpy as np

from bimodal_kernels.check.ptx.faults import Misaligned, OutOfBounds, UninitialisedRead
from bimodal_kernels.check.ptx.numbers import Array

GLOBAL_BASE = 1 << 20
"""Global addresses begin here, so that a generic address below it is one in shared memory."""

_GAP_BYTES = 4096


class GlobalMemory:
    """Allocations anywhere in the address space; an access must lie inside one."""

    def __init__(self) -> None:
        self._starts = np.zeros(0, np.int64)  # sorted
        self._ends = np.zeros(0, np.int64)
        self._shifts = np.zeros(0, np.int64)  # from an address to its place in `_bytes`
        self._bytes = np.zeros(0, np.uint8)

    def allocate(self, values: Array, address: int | None = None) -> int:
        """Copy `values` in, at `address` or behind all others, and return where: a multiple of 256 as from cudaMalloc.

        Raises:
            ValueError: the address is below GLOBAL_BASE, or something is there.
        """
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        last = int(self._ends.max(initial=GLOBAL_BASE))
        start = -(-(last + _GAP_BYTES) // 256) * 256 if address is None else address
        if start < GLOBAL_BASE or ((self._starts < start + len(data)) & (start < self._ends)).any():
            raise ValueError(f"No room for {len(data)} bytes at address {start:#x}.")
        at = int(np.searchsorted(self._starts, start))
        self._starts = np.insert(self._starts, at, start)
        self._ends = np.insert(self._ends, at, start + len(data))
        self._shifts = np.insert(self._shifts, at, len(self._bytes) - start)
        self._bytes = np.concatenate([self._bytes, data])
        return start

    def read_back(self, address: int, like: Array) -> Array:
        """What now stands at `address`, with the type and shape of `like`."""
        (start,) = self._locate(np.array([address]), 1)[0]
        return self._bytes[start : start + like.nbytes].view(like.dtype).reshape(like.shape).copy()

    def load(self, addresses: Array, size_bytes: int) -> Array:
        """[thread, size_bytes] bytes from [thread] addresses."""
        return self._bytes[self._locate(addresses, size_bytes)]

    def store(self, addresses: Array, data: Array) -> None:
        """[thread, byte] data to [thread] addresses."""
        self._bytes[self._locate(addresses, data.shape[1])] = data

    def _locate(self, addresses: Array, size_bytes: int) -> Array:
        _check_aligned(addresses, size_bytes, "global")
        allocation = np.searchsorted(self._starts, addresses, side="right") - 1
        if (allocation < 0).any() or (addresses + size_bytes > self._ends[allocation]).any():
            raise OutOfBounds(f"global memory: {size_bytes} bytes outside of every allocation")
        return (addresses + self._shifts[allocation])[:, None] + np.arange(size_bytes)


class SharedMemory:
    """One block's shared memory; it begins as NaN (0xFFFF in fp16 and bf16), and every byte knows if it was written."""

    def __init__(self, size_bytes: int) -> None:
        self._bytes = np.full(size_bytes, 0xFF, np.uint8)
        self._written = np.zeros(size_bytes, np.bool_)

    def load(self, addresses: Array, size_bytes: int) -> Array:
        """[thread, size_bytes] bytes from [thread] addresses."""
        indices = self._locate(addresses, size_bytes)
        if not self._written[indices].all():
            raise UninitialisedRead("shared memory: bytes that nothing has written, or whose copy was not waited for")
        return self._bytes[indices]

    def store(self, addresses: Array, data: Array) -> None:
        """[thread, byte] data to [thread] addresses."""
        indices = self._locate(addresses, data.shape[1])
        self._bytes[indices] = data
        self._written[indices] = True

    def forget(self, addresses: Array, size_bytes: int) -> None:
        """A copy to these bytes is under way: until it lands they hold nothing."""
        self._written[self._locate(addresses, size_bytes)] = False

    def _locate(self, addresses: Array, size_bytes: int) -> Array:
        _check_aligned(addresses, size_bytes, "shared")
        if ((addresses < 0) | (addresses + size_bytes > len(self._bytes))).any():
            raise OutOfBounds(f"shared memory: {size_bytes} bytes outside of the block's {len(self._bytes)}")
        return addresses[:, None] + np.arange(size_bytes)


def _check_aligned(addresses: Array, size_bytes: int, space: str) -> None:
    if (addresses % size_bytes).any():
        raise Misaligned(f"{space} memory: an access of {size_bytes} bytes that is not aligned to its size")
