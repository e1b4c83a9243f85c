"""What a proof found: lines of the one table that `bench kernels check` prints. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One thing measured."""

    what: str
    found: str
    allowed: str
    """Empty: no bar, the number is told for information."""
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one proof."""

    proof: str
    lines: tuple[Line, ...]
    faults: tuple[str, ...] = ()
    """Everything that is wrong, one line each."""
    skipped: tuple[str, ...] = ()
    """What could not be done here, and why; the whole proof if there are no lines."""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Nothing is wrong with what was done; it may not have been everything."""
        return not self.faults and all(line.ok for line in self.lines)


def count(what: str, number: int, *, allowed: int = 0) -> Line:
    """A line for something that must not happen more than `allowed` times."""
    return Line(what, str(number), str(allowed), number <= allowed)


def bounded(what: str, value: float, bar: float) -> Line:
    """A line for a number that must not exceed `bar` (NaN does)."""
    return Line(what, f"{value:.2g}", f"<= {bar:.2g}", value <= bar)


PASSED, FAILED, INCOMPLETE = 0, 1, 3


def exit_code(outcomes: tuple[Outcome, ...]) -> int:
    """0: everything was proven; 1: something is wrong; 3: nothing is wrong, but some proofs were skipped."""
    if not all(outcome.passed for outcome in outcomes):
        return FAILED
    return INCOMPLETE if any(outcome.skipped for outcome in outcomes) else PASSED
