"""Memory of this process, by Linux's own counters; elsewhere it is unavailable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

Bytes = int | Literal["unavailable"]


class PeakResidentSet:
    """Peak resident set of this process since it was made.

    Writing 5 to /proc/self/clear_refs resets VmHWM, the kernel's high-water mark (proc(5)).
    """

    def __init__(self) -> None:
        self.available = True
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            self.available = False

    def bytes(self) -> Bytes:
        """The peak itself, interpreter and libraries included."""
        peak = _status_bytes("VmHWM") if self.available else None
        return "unavailable" if peak is None else peak

    def above(self, baseline: Bytes) -> Bytes:
        """Peak bytes above a resident set measured before."""
        peak = self.bytes()
        return "unavailable" if peak == "unavailable" or baseline == "unavailable" else max(0, peak - baseline)


def resident_bytes() -> Bytes:
    """Resident set of this process now."""
    now = _status_bytes("VmRSS")
    return "unavailable" if now is None else now


def _status_bytes(key: str) -> int | None:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(rf"^{key}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
