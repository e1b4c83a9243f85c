"""What a reader must know of how times were taken: a busy or slowed machine, answers that changed, nothing measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bimodal.schema import CellResult, Conditions
from bimodal_reports.wording import joined

_BUSY_SHARE = 0.1
"""Share of the cores that other programs may keep busy without being mentioned."""
_STOLEN_SHARE = 0.01
_CHANGED_PACE = 0.1
_UNSTEADY = frozenset({"powersave", "ondemand", "conservative", "schedutil"})


def measuring_notes(cells: Sequence[CellResult]) -> tuple[str, ...]:
    """Everything that was not as it should be while these cells were measured, each thing once."""
    notes: list[str] = []
    for cell in cells:
        name, cost = cell.config.contestant, cell.cost
        if cost is None:
            continue
        if cost.end_to_end_ms == "unavailable":
            notes.append(f"The times of {name} are unavailable: {(cost.not_measured or 'not measured').rstrip('.')}.")
        if cost.conditions is None:
            continue
        notes += _of_the_machine(cost.conditions)
        if cost.conditions.outputs_differing:
            notes.append(
                f"{cost.conditions.outputs_differing:,} of {cost.conditions.outputs_checked:,} timed answers of {name} "
                "are not those it gave untimed: its times are of something else than its scores."
            )
    return tuple(dict.fromkeys(notes))


def _of_the_machine(found: Conditions) -> Iterator[str]:
    before, after = found.before, found.after
    cores = after.usable_cores
    if found.others_busy_cores != "unavailable" and found.others_busy_cores > _BUSY_SHARE * cores:
        load = f" (load {after.load_average[0]:.1f})" if after.load_average else ""
        yield (
            f"Other programs kept {found.others_busy_cores:.1f} of {cores} cores busy{load} while times were taken: "
            "they are longer than on a quiet machine, if alike for everybody."
        )
    if unsteady := _UNSTEADY & set(after.governors or ()):
        yield (
            f"The frequency governor is {joined(sorted(unsteady))}: clocks follow the load. `performance` holds them."
        )
    if before.frequency_mhz and after.frequency_mhz:
        lowest, highest = (pick(before.frequency_mhz[1], after.frequency_mhz[1]) for pick in (min, max))
        if highest > (1 + _CHANGED_PACE) * lowest:
            yield f"The clock changed between {lowest:,.0f} and {highest:,.0f} MHz while times were taken."
    if times := _more(before.throttle_events, after.throttle_events):
        yield f"Cores were slowed down for their heat {times:,.0f} times while times were taken."
    if held := _more(before.quota_throttled_s, after.quota_throttled_s):
        limit = f" of {after.cpu_quota_cores:g} cores" if after.cpu_quota_cores else ""
        yield f"The control group's limit{limit} held everybody back for {held:.1f} s while times were taken."
    stolen = _more(before.steal_s, after.steal_s)
    if stolen > _STOLEN_SHARE * cores * found.wall_s:
        yield f"The hypervisor gave {stolen:.1f} s of this machine's processor time to others while times were taken."
    if others := after.gpu_processes or before.gpu_processes:
        yield f"Other programs were on the GPU while times were taken: {joined(sorted(set(others)))}."


def _more(before: float | None, after: float | None) -> float:
    """By how much a counter rose; 0 where it is unknown."""
    return 0.0 if before is None or after is None else max(0.0, after - before)
