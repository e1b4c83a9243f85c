"""What a person sees while a run goes: progress bars with time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bimodal.schema import CellResult, RunConfig

_PLAIN_LINE_EVERY_S = 30.0


class TerminalWatcher:
    """Shows one bar per phase of the current cell, on standard error; a context manager.

    Where standard error is no terminal it prints a line at the start and end of every phase, and one every 30 s.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._phases: dict[str, TaskID] = {}
        self._cell = ""
        self._last_line: tuple[str, float] = ("", 0.0)

    def __enter__(self) -> TerminalWatcher:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the phase's bar, adding it when the phase is new."""
        if not self._console.is_terminal:
            self._plain(what, done, total)
            return
        if what not in self._phases:
            self._phases[what] = self._bars.add_task(f"{self._cell} {what}".strip(), total=total)
        self._bars.update(self._phases[what], completed=done, total=total)

    def cell_started(self, config: RunConfig, number: int, total: int) -> None:
        """Begin a fresh set of bars for the cell."""
        self._clear()
        self._cell = config.cell
        self._console.print(f"[bold]{config.cell}[/] ({number} of {total})", highlight=False)

    def cell_finished(self, result: CellResult, *, reused: bool) -> None:
        """One line that stays: how the cell ended."""
        self._clear()
        if reused:
            self._console.print("  complete before; kept", style="dim")
        elif result.status == "ok":
            steps = f"{result.train.steps} steps" if result.train else ""
            self._console.print(f"  done in {result.wall_s:.0f} s, {steps}", style="dim", highlight=False)
        elif result.error:
            self._console.print("  failed:", style="bold red", end=" ")
            self._console.print(result.error.message, markup=False, highlight=False)

    def measuring(self, results: Sequence[CellResult]) -> None:
        """Begin a fresh set of bars for the group."""
        self._clear()
        self._cell = ""
        names = ", ".join(result.config.contestant for result in results)
        self._console.print(f"[bold]cost[/] of {names}, in turns", highlight=False)

    def measured(self, results: Sequence[CellResult]) -> None:
        """One line that stays: how long it took, or why there is nothing."""
        self._clear()
        cost = results[0].cost
        if cost is None or cost.conditions is None:
            why = cost.not_measured if cost else ""
            self._console.print(f"  not measured: {why}", style="bold yellow", markup=False, highlight=False)
            return
        self._console.print(f"  measured in {cost.conditions.wall_s:.0f} s", style="dim", highlight=False)

    def note(self, message: str) -> None:
        """A line that stays."""
        self._console.print("note: " + message, style="yellow", markup=False, highlight=False)

    def _clear(self) -> None:
        for task in self._phases.values():
            self._bars.remove_task(task)
        self._phases.clear()

    def _plain(self, what: str, done: int, total: int) -> None:
        last_what, last_at = self._last_line
        now = time.monotonic()
        if what != last_what or done == total or now - last_at >= _PLAIN_LINE_EVERY_S:
            self._last_line = (what, now)
            self._console.print(f"  {what} {done}/{total}", style="dim", highlight=False)


class SilentWatcher:
    """Shows nothing (tests, and `bench reproduce --json`)."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def cell_started(self, config: RunConfig, number: int, total: int) -> None:
        """Nothing."""

    def cell_finished(self, result: CellResult, *, reused: bool) -> None:
        """Nothing."""

    def measuring(self, results: Sequence[CellResult]) -> None:
        """Nothing."""

    def measured(self, results: Sequence[CellResult]) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""
