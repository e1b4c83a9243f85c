"""What the machine is up to, from files of our own."""

from pathlib import Path

import pytest

from bimodal.measure.machine import machine_state, others_busy_cores, process_seconds


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A laptop with two cores, one of them hot, in a container with a limit."""
    cpu = "sys/devices/system/cpu"
    return write(
        tmp_path,
        {
            "proc/loadavg": "3.20 1.50 0.70 2/400 999\n",
            "proc/stat": "cpu  1000 200 300 9000 50 10 20 40 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n",
            f"{cpu}/cpu0/cpufreq/scaling_governor": "powersave\n",
            f"{cpu}/cpu1/cpufreq/scaling_governor": "powersave\n",
            f"{cpu}/cpu0/cpufreq/scaling_cur_freq": "1200000\n",
            f"{cpu}/cpu1/cpufreq/scaling_cur_freq": "3400000\n",
            f"{cpu}/cpu0/thermal_throttle/core_throttle_count": "5\n",
            f"{cpu}/cpu1/thermal_throttle/core_throttle_count": "2\n",
            "sys/fs/cgroup/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/cpu.stat": "usage_usec 1\nnr_throttled 3\nthrottled_usec 2500000\n",
        },
    )


def test_everything_that_the_files_say(root: Path) -> None:
    found = machine_state(root)
    assert found.load_average == (3.2, 1.5, 0.7)
    assert found.governors == ("powersave",)
    assert found.frequency_mhz == (1200.0, 3400.0)
    assert found.throttle_events == 7
    assert (found.cpu_quota_cores, found.quota_throttled_s) == (1.5, 2.5)
    assert (found.busy_s, found.steal_s) == (pytest.approx(15.3), pytest.approx(0.4))


def test_what_a_system_does_not_say_is_unknown_not_zero(tmp_path: Path) -> None:
    found = machine_state(tmp_path)
    unknown = (found.load_average, found.governors, found.frequency_mhz, found.throttle_events, found.busy_s)
    assert unknown == (None,) * 5
    assert (found.cpu_quota_cores, found.quota_throttled_s, found.steal_s) == (None, None, None)


def test_a_group_without_a_limit_has_none(tmp_path: Path) -> None:
    assert machine_state(write(tmp_path, {"sys/fs/cgroup/cpu.max": "max 100000\n"})).cpu_quota_cores is None


def test_the_limit_of_an_older_control_group(tmp_path: Path) -> None:
    files = {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.stat": "throttled_time 3000000000"}
    found = machine_state(write(tmp_path, {f"sys/fs/cgroup/cpu/{name}": text for name, text in files.items()}))
    assert (found.cpu_quota_cores, found.quota_throttled_s) == (0.5, 3.0)


def test_time_of_a_process_whose_name_is_made_to_confuse(tmp_path: Path) -> None:
    stat = "42 (a) R 9 (b) S 1 1 1 0 -1 4 0 0 0 0 250 50 0 0 20 0 1 0 100 0 0"
    assert process_seconds([42, 43], write(tmp_path, {"proc/42/stat": stat})) == pytest.approx(3.0)


def test_cores_that_others_kept_busy(root: Path) -> None:
    before = machine_state(root)
    after = before.model_copy(update={"busy_s": (before.busy_s or 0.0) + 10.0})
    assert others_busy_cores(before, after, own_s=4.0, wall_s=5.0) == pytest.approx(1.2)
    assert others_busy_cores(before, after.model_copy(update={"busy_s": None}), 4.0, 5.0) == "unavailable"
