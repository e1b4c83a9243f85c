"""Freed memory stays with the process while a model trains.

A training step frees and asks for the same large tensors again and again. glibc gives blocks of more than 32 MiB, and
whatever lies free on top of its heap, back to the system each time; getting them again costs a page fault, and zeroing,
for each 4 KiB: 10 % of the step of a 7 M GPT.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1
_DEFAULT_MMAP_MAX = 65536
_LARGEST_OWN_TRIM_THRESHOLD = 64 << 20
"""Where glibc's own, moving threshold ends up once large blocks have been freed; it cannot be made to move again."""


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Within the block free() returns nothing to the system; at its end everything that is free goes back.

    Other C libraries than glibc are left alone.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "malloc_trim"):
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)  # blocks of the system's own would go back to it at once
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)
        libc.mallopt(_TRIM_THRESHOLD, _LARGEST_OWN_TRIM_THRESHOLD)
        libc.malloc_trim(0)
