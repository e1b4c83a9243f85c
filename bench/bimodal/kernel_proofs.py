"""`bench kernels check`: runs the proofs of the kernels, with progress, and lays out what they found."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from bimodal.errors import unknown_name
from bimodal.launch import Watcher
from bimodal_kernels.check.outcome import Outcome


def outcomes(only: Sequence[str] | None, watcher: Watcher) -> tuple[Outcome, ...]:
    """Run the proofs that were asked for, all without `only`.

    Raises:
        UsageError: there is no such proof.
    """
    from bimodal_kernels.check.proofs import PROOFS, run_proof

    for name in only or ():
        if name not in PROOFS:
            raise unknown_name("proof", name, PROOFS)
    return tuple(run_proof(name, watcher.progress, watcher.note) for name in only or PROOFS)


def proof_table(found: Sequence[Outcome]) -> Table:
    """One table over all proofs."""
    table = Table(box=None, pad_edge=False)
    for title, justify in (("proof", "left"), ("what", "left"), ("found", "right"), ("allowed", "right"), ("", "left")):
        table.add_column(title, justify="right" if justify == "right" else "left")
    for outcome in found:
        table.add_section()
        title = f"{outcome.proof} ({outcome.seconds:.0f} s)" if outcome.seconds else outcome.proof
        for line in outcome.lines or ():
            mark = Text("ok", "green") if line.ok else Text("FAILED", "bold red")
            table.add_row(title, line.what, line.found, line.allowed, mark if line.allowed else "")
            title = ""
        if not outcome.lines:
            table.add_row(title, "", "", "", Text("skipped" if outcome.skipped else "FAILED", "yellow"))
        elif outcome.faults:
            table.add_row("", "faults", str(len(outcome.faults)), "0", Text("FAILED", "bold red"))
    return table
