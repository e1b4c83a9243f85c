"""Energy from counters: RAPL for processors and their memory, NVML for NVIDIA GPUs; what is not there is unavailable.

Source: Linux kernel documentation, power/powercap (zones below /sys/class/powercap, microjoules, a counter that begins
again at 0 after `max_energy_range_uj`); NVML API reference, nvmlDeviceGetTotalEnergyConsumption (millijoules).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
_TICK_EVERY_S = 10.0
"""A counter of 262 kJ begins again after 14 minutes at 300 W: look at it more often than that."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of energy."""

    name: str
    read_j: Callable[[], float]
    range_j: float | None
    """After so many joules it begins again at 0; None: never."""


@dataclass(slots=True)
class EnergyMeter:
    """Adds up what counters say, over as many of their ranges as there are."""

    counters: tuple[Counter, ...]
    missing: str
    """Why there are no counters; empty where there are."""
    _total_j: float = field(default=0.0, init=False)
    _last_j: tuple[float, ...] = field(default=(), init=False)
    _last_at: float = field(default=0.0, init=False)

    @property
    def available(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.counters)

    @property
    def source(self) -> str:
        """Which counters these are, or why there are none."""
        return ", ".join(counter.name for counter in self.counters) or self.missing

    def total_j(self) -> float:
        """Joules since the first reading, all counters together.

        Raises:
            ValueError: there are no counters.
        """
        if not self.counters:
            raise ValueError(f"There is no energy to read: {self.missing}")
        now = tuple(counter.read_j() for counter in self.counters)
        for counter, before, after in zip(self.counters, self._last_j or now, now, strict=True):
            self._total_j += after - before if after >= before else after - before + (counter.range_j or 0.0)
        self._last_j, self._last_at = now, time.monotonic()
        return self._total_j

    def tick(self) -> None:
        """Look, if it is time, so that no counter begins again unseen; call it now and then during long work."""
        if self.counters and time.monotonic() - self._last_at > _TICK_EVERY_S:
            self.total_j()


def energy_meter(*, gpu_index: int | None, powercap: Path = _POWERCAP) -> EnergyMeter:
    """A meter of the counters there are.

    Args:
        gpu_index: of the NVIDIA GPU that works; None: none does.
        powercap: where RAPL's zones are.
    """
    found, why = _rapl(powercap)
    if gpu_index is not None:
        gpu, why_not = _nvml(gpu_index)
        # Energy of the processor alone would not be what a request on a GPU takes.
        found, why = ((*found, *gpu), "") if gpu else ((), why_not)
    return EnergyMeter(tuple(found), why)


def _rapl(powercap: Path) -> tuple[Sequence[Counter], str]:
    """Packages, and memory where it has a counter of its own (it is not part of the package then)."""
    zones = sorted(powercap.glob("intel-rapl:*")) if powercap.is_dir() else []
    wanted = [zone for zone in zones if _name(zone).startswith(("package", "dram"))]
    if not wanted:
        return (), f"no RAPL counters: {powercap} has no package zone (virtual machines rarely have)"
    counters = []
    for zone in wanted:
        try:
            _microjoules(zone / "energy_uj")
            largest = _microjoules(zone / "max_energy_range_uj")
        except PermissionError:
            return (), (
                f"RAPL counters may not be read: {zone / 'energy_uj'} is for root only "
                "(allow it with: sudo chmod -R a+r /sys/class/powercap/intel-rapl)"
            )
        except (OSError, ValueError) as error:
            return (), f"RAPL counters cannot be read: {error}"
        counters.append(Counter(f"RAPL {_label(zone)}", _reader(zone / "energy_uj"), largest))
    return counters, ""


def _label(zone: Path) -> str:
    """`package-0`; of a zone within another one, `package-0 dram`."""
    parent = zone.parent / zone.name.rpartition(":")[0]
    return _name(zone) if zone.name.count(":") < 2 else f"{_name(parent)} {_name(zone)}".strip()


def _name(zone: Path) -> str:
    try:
        return (zone / "name").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _microjoules(path: Path) -> float:
    return int(path.read_text(encoding="ascii")) / 1e6


def _reader(path: Path) -> Callable[[], float]:
    return lambda: _microjoules(path)


def _nvml(index: int) -> tuple[Sequence[Counter], str]:
    try:
        import pynvml
    except ImportError:
        return (), 'no NVML: the package nvidia-ml-py is not installed (pip install "bimodal[energy]")'
    try:
        pynvml.nvmlInit()
        device = pynvml.nvmlDeviceGetHandleByIndex(index)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(device)
    except pynvml.NVMLError as error:
        return (), f"no energy counter on GPU {index}: {error}"
    return [Counter(f"NVML GPU {index}", lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(device) / 1e3, None)], ""
