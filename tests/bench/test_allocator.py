"""allocator: large blocks that are freed and asked for again.

Each question is put to a process of its own. A thread one of whose requests was ever refused (other tests ask for
absurd amounts) has another part of the heap from then on, in which large blocks are never kept.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")

PREAMBLE = """
import ctypes
import resource
import sys

import torch

from bimodal.allocator import freed_memory_kept
from bimodal.measure.memory import resident_bytes

BLOCK = 64 << 20
PR_SET_THP_DISABLE = 41  # linux/prctl.h


def page_faults_of_blocks(rounds: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        torch.ones(BLOCK, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


# Where transparent huge pages are "always" there, a block takes a page fault for 2 MiB: too few to count.
if ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0):
    sys.exit("huge pages cannot be switched off")
"""


def in_a_fresh_process(question: str) -> list[int]:
    """The numbers that `question` prints."""
    done = subprocess.run([sys.executable, "-c", PREAMBLE + question], capture_output=True, text=True, check=False)
    if "huge pages" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_a_block_that_was_freed_comes_back_without_page_faults() -> None:
    # Each of the first rounds may leave a splinter beside the block, which then does not fit the next request;
    # splinters are used again after at most eight rounds (glibc's per-thread cache holds seven of a size).
    usual, kept = in_a_fresh_process("""
print(page_faults_of_blocks(10))
with freed_memory_kept():
    page_faults_of_blocks(20)
    print(page_faults_of_blocks(10))
""")
    assert kept < usual / 10


def test_afterwards_the_memory_is_the_systems_again() -> None:
    within, afterwards = in_a_fresh_process("""
before = resident_bytes()
with freed_memory_kept():
    page_faults_of_blocks(1)
    print((resident_bytes() - before) >> 20)
print((resident_bytes() - before) >> 20)
""")
    assert within > 32  # MiB of a block's 64
    assert afterwards < 32
