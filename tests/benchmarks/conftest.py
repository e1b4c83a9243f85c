"""What comparisons with peers leave behind: a table, and `peers.json` and `peers.md` in `.benchmarks`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch

from bimodal_kernels.stopwatch import Samples

_FOLDER = Path(".benchmarks")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against a peer, timed in turns; times are medians, the ratio their rounds' with quartiles."""

    work: str
    peer: str
    ours_ms: float
    peer_ms: float
    times_as_fast: float
    low: float
    high: float
    rounds: int


class Comparisons:
    """Rows of the table."""

    def __init__(self) -> None:
        self.rows: list[Comparison] = []

    def add(self, work: str, samples: Samples, *, ours: str, peer: str) -> Comparison:
        """Note one pair of contenders of an `interleave`."""
        ratio, low, high = samples.ratio(peer, ours)
        ours_ms, peer_ms = (1e3 * samples.median_s(name) for name in (ours, peer))
        self.rows.append(Comparison(work, peer, ours_ms, peer_ms, ratio, low, high, len(samples.seconds[ours])))
        return self.rows[-1]

    def markdown(self) -> str:
        """The table."""
        lines = ["| work | ours, ms | peer | peer, ms | times as fast |", "|---|---:|---|---:|---:|"]
        lines += [
            f"| {row.work} | {row.ours_ms:.1f} | {row.peer} | {row.peer_ms:.1f} "
            f"| {row.times_as_fast:.2f} ({row.low:.2f} to {row.high:.2f}) |"
            for row in self.rows
        ]
        return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def comparisons(request: pytest.FixtureRequest) -> Iterator[Comparisons]:
    """Where benchmarks put what they found."""
    found = Comparisons()
    yield found
    _FOLDER.mkdir(exist_ok=True)
    facts = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    rows = [asdict(row) for row in found.rows]
    (_FOLDER / "peers.json").write_text(json.dumps(facts | {"rows": rows}, indent=2))
    (_FOLDER / "peers.md").write_text(found.markdown())
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    reporter.write_line(f"\n\nmedians over rounds, in turns, {facts['threads']} threads\n\n{found.markdown()}")
