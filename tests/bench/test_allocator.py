"""allocator: large blocks that are freed and asked for again."""

import ctypes
import resource
import sys
from collections.abc import Iterator

import pytest
import torch

from bimodal.allocator import freed_memory_kept
from bimodal.measure.memory import resident_bytes

BLOCK = 64 << 20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
PR_SET_THP_DISABLE = 41  # linux/prctl.h


@pytest.fixture
def small_pages() -> Iterator[None]:
    """Where transparent huge pages are "always" there, a block takes a page fault for 2 MiB: too few to count."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0):
        pytest.skip(f"huge pages cannot be switched off for this process: errno {ctypes.get_errno()}")
    yield
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)


def page_faults_of_a_fresh_block() -> int:
    torch.ones(BLOCK, dtype=torch.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(BLOCK, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.usefixtures("small_pages")
def test_a_block_that_was_freed_comes_back_without_page_faults() -> None:
    usual = page_faults_of_a_fresh_block()  # one for each page, and those may be of 4 KiB or of 2 MiB
    with freed_memory_kept():
        assert page_faults_of_a_fresh_block() < usual / 2


def test_afterwards_the_memory_is_the_systems_again() -> None:
    before = resident_bytes()
    with freed_memory_kept():
        torch.ones(BLOCK, dtype=torch.uint8)
        assert resident_bytes() - before > BLOCK // 2
    assert resident_bytes() - before < BLOCK // 2
