from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidecar.tools.measuring.energy import Energy, Nvml, Rapl, counters


def package(root: Path, number: int, energy_uj: int, wraps_uj: int = 1_000_000) -> Path:
    zone = root / "sys/class/powercap" / f"intel-rapl:{number}"
    zone.mkdir(parents=True)
    (zone / "max_energy_range_uj").write_text(f"{wraps_uj}\n")
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    return zone


def test_a_machine_without_counters_has_none(tmp_path: Path) -> None:
    assert not [counter for counter in counters(tmp_path) if isinstance(counter, Rapl)]


def test_whole_packages_are_counted_and_their_parts_are_not(tmp_path: Path) -> None:
    package(tmp_path, 0, 100)
    package(tmp_path, 1, 100)
    part = tmp_path / "sys/class/powercap/intel-rapl:0:0"
    part.mkdir()
    (part / "energy_uj").write_text("5")
    names = [counter.zone.name for counter in counters(tmp_path) if isinstance(counter, Rapl)]
    assert names == ["intel-rapl:0", "intel-rapl:1"]


def test_a_counter_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    package(tmp_path, 0, 100)
    (package(tmp_path, 1, 100) / "energy_uj").unlink()
    names = [counter.zone.name for counter in counters(tmp_path) if isinstance(counter, Rapl)]
    assert names == ["intel-rapl:0"]


def test_energy_adds_up_all_counters_and_survives_their_wrap(tmp_path: Path) -> None:
    first, second = package(tmp_path, 0, 100), package(tmp_path, 1, 999_990)
    energy = Energy(tuple(one for one in counters(tmp_path) if isinstance(one, Rapl)))
    (first / "energy_uj").write_text("2000100")
    (second / "energy_uj").write_text("20")
    # 2 J, and from 0.99999 J past the end at 1 J to 0.00002 J.
    assert energy.used_j() == pytest.approx(2 + 30e-6)


class DrivenLibrary:
    """Stands for NVIDIA's library: answers a code, and millijoules."""

    def __init__(self, code: int, energy_mj: int) -> None:
        self.code, self.energy_mj = code, energy_mj

    def nvmlDeviceGetTotalEnergyConsumption(self, _device: object, energy: Any) -> int:  # noqa: N802, ANN401 - the library's name; ctypes has no type for it
        energy._obj.value = self.energy_mj
        return self.code


def test_a_gpu_counts_in_millijoules() -> None:
    library = DrivenLibrary(0, 5000)
    energy = Energy((Nvml(library, None),))
    library.energy_mj = 12500
    assert energy.used_j() == pytest.approx(7.5)


def test_a_gpu_that_does_not_count_is_an_os_error() -> None:
    with pytest.raises(OSError, match="NVML answers 3"):
        Nvml(DrivenLibrary(3, 0), None).read_j()


def test_without_counters_nothing_is_used() -> None:
    assert Energy(()).used_j() == 0
