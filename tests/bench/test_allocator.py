"""allocator: large blocks that are freed and asked for again."""

import resource
import sys

import pytest
import torch

from bimodal.allocator import freed_memory_kept
from bimodal.measure import resident_bytes

BLOCK = 64 << 20
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")


def page_faults_of_a_fresh_block() -> int:
    torch.ones(BLOCK, dtype=torch.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(BLOCK, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_a_block_that_was_freed_comes_back_without_page_faults() -> None:
    assert page_faults_of_a_fresh_block() > BLOCK // 4096 // 2
    with freed_memory_kept():
        assert page_faults_of_a_fresh_block() < 100


def test_afterwards_the_memory_is_the_systems_again() -> None:
    before = resident_bytes()
    with freed_memory_kept():
        torch.ones(BLOCK, dtype=torch.uint8)
        assert resident_bytes() - before > BLOCK // 2
    assert resident_bytes() - before < BLOCK // 2
