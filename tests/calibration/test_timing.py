"""What the self-test of timing counts as kept; the comparisons themselves are real, and for `make calibrate-timing`."""

import pytest

from bimodal.calibration.timing import Compared, row_of


def compared(slowdown: float, **counts: int) -> list[Compared]:
    return [Compared(slowdown, outcome, 1.0, 0.02, 1.5) for outcome, count in counts.items() for _ in range(count)]


def test_shares_are_of_the_comparisons_with_that_slowdown() -> None:
    row = row_of(0.05, compared(0.0, SAME=10) + compared(0.05, SLOWER=3, AMBIGUOUS=1))
    assert (row.comparisons, row.slower, row.ambiguous, row.same) == (4, 0.75, 0.25, 0.0)


@pytest.mark.parametrize(
    ("slowdown", "counts", "kept"),
    [
        (0.0, {"AMBIGUOUS": 96, "FASTER": 2, "SLOWER": 2}, True),
        (0.0, {"AMBIGUOUS": 94, "FASTER": 3, "SLOWER": 3}, False),
        (0.05, {"AMBIGUOUS": 50, "SLOWER": 50}, True),
        (0.05, {"AMBIGUOUS": 49, "SLOWER": 50, "FASTER": 1}, False),
        (0.05, {"SLOWER": 90, "SAME": 10}, False),
    ],
)
def test_false_alarms_and_wrong_signs_break_the_promise(slowdown: float, counts: dict[str, int], kept: bool) -> None:
    assert row_of(slowdown, compared(slowdown, **counts)).kept is kept
