"""`bench kernels check`: runs the proofs of the kernels, with progress, and lays out what they found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from bimodal.errors import UserError, unknown_name
from bimodal.launch import Watcher
from bimodal_kernels.check.outcome import Outcome

if TYPE_CHECKING:
    from bimodal_kernels.check.mutate import Verdict


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


def mutation_outcome(groups: Sequence[str] | None, watcher: Watcher) -> Outcome:
    """Try the mutants of these groups, all without.

    Raises:
        UsageError: there is no such group.
        UserError: a compiler that they need is missing.
    """
    from bimodal_kernels.check.mutants import load
    from bimodal_kernels.check.mutate import try_mutants
    from bimodal_kernels.toolchain import KernelUnavailableError

    mutants = load()
    known = dict.fromkeys(mutant.group for mutant in mutants)
    for name in groups or ():
        if name not in known:
            raise unknown_name("group of mutants", name, known)
    chosen = [mutant for mutant in mutants if not groups or mutant.group in groups]
    done = 0

    def tell(verdict: Verdict) -> None:
        nonlocal done
        done += 1
        watcher.progress("mutants", done, len(chosen))
        if verdict.killed_by is None:
            watcher.note(f"{verdict.mutant.name}: {verdict.broken or 'survived'}")

    watcher.progress("mutants", 0, len(chosen))
    try:
        return try_mutants(chosen, tell)
    except KernelUnavailableError as error:
        raise UserError(f"The mutants cannot be tried: {error}.") from error


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
