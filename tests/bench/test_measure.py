"""measure: percentiles, and the resident set by Linux's own counter."""

import sys

import pytest

from bimodal.measure import PeakResidentSet, Timings, latency, resident_bytes


def timings() -> Timings:
    return Timings([], [], [], [], [], [], warmup=3)


def test_percentiles_of_known_samples() -> None:
    found = latency([float(i) for i in range(101)], timings())
    assert (found.p50, found.p90, found.p99) == (50.0, 90.0, 99.0)
    assert (found.samples, found.warmup) == (101, 3)


def test_a_tail_needs_a_hundred_samples() -> None:
    assert latency([1.0] * 99, timings()).p99 is None
    assert latency([1.0] * 100, timings()).p99 == 1.0


def test_no_samples_is_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        latency([], timings())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_counts_what_was_there_for_a_while_and_is_gone() -> None:
    baseline = resident_bytes()
    peak = PeakResidentSet()
    block = bytearray(b"x" * 80_000_000)
    del block
    above = peak.above(baseline)
    assert above == "unavailable" or 70_000_000 < above < 200_000_000


def test_an_unknown_baseline_makes_the_peak_unavailable() -> None:
    assert PeakResidentSet().above("unavailable") == "unavailable"
