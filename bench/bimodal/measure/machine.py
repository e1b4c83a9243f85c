"""What the machine is up to: governor, frequency, load, throttling, quotas, stolen time, other programs on the GPU.

Everything is read from files below `root`, so that a test can bring its own; what a system does not say is None.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bimodal.schema import MachineState, Unavailable

_ROOT = Path("/")
_ASK_TIMEOUT_S = 10
_USER_HZ = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def machine_state(root: Path = _ROOT, *, ours: Sequence[int] = ()) -> MachineState:
    """Look at the machine.

    Args:
        root: where /proc and /sys are.
        ours: process ids that are not other programs on the GPU.
    """
    cores = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))
    governors = [_text(core / "cpufreq/scaling_governor") for core in cores]
    counts = [_integer(core / "thermal_throttle/core_throttle_count") for core in cores]
    throttled = [count for count in counts if count is not None]
    quota, held_back = _cgroup(root)
    busy, steal = _cpu_seconds(root)
    return MachineState(
        load_average=_load(root),
        usable_cores=usable_cores(),
        governors=tuple(sorted({each for each in governors if each})) or None,
        frequency_mhz=_frequency(root, cores),
        throttle_events=sum(throttled) if throttled else None,
        cpu_quota_cores=quota,
        quota_throttled_s=held_back,
        steal_s=steal,
        busy_s=busy,
        gpu_processes=_gpu_processes(ours),
    )


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_seconds(pids: Sequence[int], root: Path = _ROOT) -> float:
    """Processor time that these processes have used, all threads; those that are gone count nothing.

    Source: proc(5), /proc/[pid]/stat, fields 14 (utime) and 15 (stime).
    """
    ticks = 0
    for pid in pids:
        stat = _text(root / f"proc/{pid}/stat")
        if stat:
            fields = stat.rpartition(")")[2].split()  # the name before may hold anything
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _USER_HZ


def others_busy_cores(before: MachineState, after: MachineState, own_s: float, wall_s: float) -> float | Unavailable:
    """Cores that programs other than ours kept busy on average, from all processor time used less our own."""
    if before.busy_s is None or after.busy_s is None or wall_s <= 0:
        return "unavailable"
    return max(0.0, after.busy_s - before.busy_s - own_s) / wall_s


def _load(root: Path) -> tuple[float, float, float] | None:
    fields = (_text(root / "proc/loadavg") or "").split()
    return (float(fields[0]), float(fields[1]), float(fields[2])) if len(fields) >= 3 else None


def _frequency(root: Path, cores: Sequence[Path]) -> tuple[float, float] | None:
    khz = [_integer(core / "cpufreq/scaling_cur_freq") for core in cores]
    mhz = [each / 1e3 for each in khz if each]
    if not mhz:
        mhz = [float(each) for each in re.findall(r"^cpu MHz\s*: ([\d.]+)", _text(root / "proc/cpuinfo") or "", re.M)]
    return (min(mhz), max(mhz)) if mhz else None


def _cgroup(root: Path) -> tuple[float | None, float | None]:
    """The control group's limit in cores, and seconds it was held back: version 2, else version 1."""
    folder = root / "sys/fs/cgroup"
    limit = (_text(folder / "cpu.max") or "").split()
    stat = _text(folder / "cpu.stat") or ""
    if len(limit) == 2:
        held_us = re.search(r"^throttled_usec (\d+)", stat, re.M)
        quota = None if limit[0] == "max" else int(limit[0]) / int(limit[1])
        return quota, int(held_us[1]) / 1e6 if held_us else None
    quota_us, period_us = _integer(folder / "cpu/cpu.cfs_quota_us"), _integer(folder / "cpu/cpu.cfs_period_us")
    held_ns = re.search(r"^throttled_time (\d+)", _text(folder / "cpu/cpu.stat") or "", re.M)
    quota = quota_us / period_us if quota_us and period_us and quota_us > 0 else None
    return quota, int(held_ns[1]) / 1e9 if held_ns else None


def _cpu_seconds(root: Path) -> tuple[float | None, float | None]:
    """Processor time used by programs, and stolen from this machine, since it started (proc(5), /proc/stat)."""
    line = re.match(r"cpu\s+(.*)", _text(root / "proc/stat") or "")
    if not line:
        return None, None
    user, nice, system, _idle, _wait, irq, soft, steal = (int(each) for each in line[1].split()[:8])
    return (user + nice + system + irq + soft) / _USER_HZ, steal / _USER_HZ


def _gpu_processes(ours: Sequence[int]) -> tuple[str, ...] | None:
    """Programs on NVIDIA GPUs, as the driver's own tool lists them."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ("nvidia-smi", "--query-compute-apps=pid,name", "--format=csv,noheader")
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    rows = [line.partition(", ") for line in answer.stdout.splitlines() if line.strip()]
    return tuple(name.rpartition("/")[2] for pid, _, name in rows if not (pid.isdecimal() and int(pid) in ours))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _integer(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdecimal() else None
