"""Energy: counters below a powercap tree of our own, wrap-around, and what is said where there are none."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bimodal.measure.energy import EnergyMeter, energy_meter


def zone(powercap: Path, name: str, label: str, energy_uj: int, largest_uj: int = 1_000_000_000) -> Path:
    folder = powercap / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{label}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{largest_uj}\n")
    return folder


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """One package with its cores and memory, and the whole platform, as on a server."""
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 1_000_000)
    zone(tmp_path, "intel-rapl:0:1", "dram", 2_000_000)
    zone(tmp_path, "intel-rapl:1", "psys", 9_000_000)
    return tmp_path


def spend(powercap: Path, name: str, energy_uj: int) -> None:
    (powercap / name / "energy_uj").write_text(str(energy_uj))


def test_package_and_memory_count_and_what_is_part_of_them_does_not(powercap: Path) -> None:
    meter = energy_meter(gpu_index=None, powercap=powercap)
    assert meter.source == "RAPL package-0, RAPL package-0 dram"
    assert meter.total_j() == 0.0
    spend(powercap, "intel-rapl:0", 8_000_000)
    spend(powercap, "intel-rapl:0:0", 3_000_000)
    spend(powercap, "intel-rapl:0:1", 2_500_000)
    spend(powercap, "intel-rapl:1", 20_000_000)
    assert meter.total_j() == pytest.approx(3.5)


def test_a_counter_that_began_again_goes_on_counting(powercap: Path) -> None:
    meter = energy_meter(gpu_index=None, powercap=powercap)
    meter.total_j()
    spend(powercap, "intel-rapl:0", 999_000_000)
    assert meter.total_j() == pytest.approx(994.0)
    spend(powercap, "intel-rapl:0", 2_000_000)  # over 1,000 J
    assert meter.total_j() == pytest.approx(997.0)


def test_without_counters_it_says_why_and_reads_nothing(tmp_path: Path) -> None:
    meter = energy_meter(gpu_index=None, powercap=tmp_path / "none")
    assert not meter.available
    assert "no package zone" in meter.source
    with pytest.raises(ValueError, match="no energy to read"):
        meter.total_j()
    meter.tick()


def test_counters_that_may_not_be_read_say_how_to_allow_it(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def refused(path: Path, *arguments: str, **named: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", refused)
    meter = energy_meter(gpu_index=None, powercap=powercap)
    assert not meter.available
    assert "root only" in meter.source
    assert "chmod" in meter.source


class FakeNVML(SimpleNamespace):
    """What is used of pynvml, for a GPU that has used 7 J."""

    NVMLError = RuntimeError

    @staticmethod
    def nvmlInit() -> None: ...

    @staticmethod
    def nvmlDeviceGetHandleByIndex(index: int) -> int:
        if index > 0:
            raise RuntimeError("Invalid Argument")
        return index

    @staticmethod
    def nvmlDeviceGetTotalEnergyConsumption(device: int) -> int:
        return 7000


def test_a_gpu_is_counted_beside_the_processor(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNVML())
    meter = energy_meter(gpu_index=0, powercap=powercap)
    assert meter.source.endswith("NVML GPU 0")
    assert meter.counters[-1].read_j() == 7.0


def test_work_on_a_gpu_without_a_counter_is_not_the_processors_energy_alone(
    powercap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNVML())
    meter = energy_meter(gpu_index=1, powercap=powercap)
    assert (meter.available, meter.source) == (False, "no energy counter on GPU 1: Invalid Argument")


def test_without_the_library_it_says_how_to_get_it(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "bimodal[energy]" in energy_meter(gpu_index=0, powercap=powercap).source


def test_a_meter_of_nothing_is_unavailable() -> None:
    assert not EnergyMeter((), "nothing here").available
