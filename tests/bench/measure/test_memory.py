"""The resident set by Linux's own counter."""

import sys

import pytest

from bimodal.measure.memory import PeakResidentSet, resident_bytes

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
def test_the_peak_counts_what_was_there_for_a_while_and_is_gone() -> None:
    baseline = resident_bytes()
    peak = PeakResidentSet()
    block = bytearray(b"x" * 80_000_000)
    del block
    above = peak.above(baseline)
    assert above == "unavailable" or 70_000_000 < above < 200_000_000


def test_an_unknown_baseline_makes_the_peak_unavailable() -> None:
    assert PeakResidentSet().above("unavailable") == "unavailable"
