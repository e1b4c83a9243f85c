"""What comparisons with peers leave behind: a table, and `peers.json` and `peers.md` in `.benchmarks`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch

from bimodal_kernels.stopwatch import Samples

_FOLDER = Path(".benchmarks")
REST = "rest: autograd, views, Python"


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


@dataclass(frozen=True, slots=True)
class Piece:
    """What a piece of a work takes, timed alone; its share of the work is the median of the rounds'."""

    work: str
    piece: str
    milliseconds: float
    share: float


class Comparisons:
    """Rows of the tables."""

    def __init__(self) -> None:
        self.rows: list[Comparison] = []
        self.pieces: list[Piece] = []

    def add(self, work: str, samples: Samples, *, ours: str, peer: str) -> Comparison:
        """Note one pair of contenders of an `interleave`."""
        ratio, low, high = samples.ratio(peer, ours)
        ours_ms, peer_ms = (1e3 * samples.median_s(name) for name in (ours, peer))
        self.rows.append(Comparison(work, peer, ours_ms, peer_ms, ratio, low, high, len(samples.seconds[ours])))
        return self.rows[-1]

    def take_apart(self, work: str, samples: Samples, *, whole: str, pieces: Sequence[str]) -> None:
        """Note what pieces of a whole take, and what is left of it."""
        shares = {piece: samples.ratio(piece, whole)[0] for piece in pieces}
        shares[REST] = 1 - sum(shares.values())
        whole_ms = 1e3 * samples.median_s(whole)
        self.pieces += [Piece(work, piece, share * whole_ms, share) for piece, share in shares.items()]
        self.pieces.append(Piece(work, whole, whole_ms, 1.0))

    def markdown(self) -> str:
        """The tables."""
        lines = ["| work | ours, ms | peer | peer, ms | times as fast |", "|---|---:|---|---:|---:|"]
        lines += [
            f"| {row.work} | {row.ours_ms:.1f} | {row.peer} | {row.peer_ms:.1f} "
            f"| {row.times_as_fast:.2f} ({row.low:.2f} to {row.high:.2f}) |"
            for row in self.rows
        ]
        if self.pieces:
            lines += ["", "| work | piece, timed alone | ms | share |", "|---|---|---:|---:|"]
            lines += [f"| {p.work} | {p.piece} | {p.milliseconds:.2f} | {p.share:.1%} |" for p in self.pieces]
        return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def comparisons(request: pytest.FixtureRequest) -> Iterator[Comparisons]:
    """Where benchmarks put what they found."""
    found = Comparisons()
    yield found
    _FOLDER.mkdir(exist_ok=True)
    facts = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    tables = {"rows": [asdict(row) for row in found.rows], "pieces": [asdict(piece) for piece in found.pieces]}
    (_FOLDER / "peers.json").write_text(json.dumps(facts | tables, indent=2))
    (_FOLDER / "peers.md").write_text(found.markdown())
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    reporter.write_line(f"\n\nmedians over rounds, in turns, {facts['threads']} threads\n\n{found.markdown()}")
