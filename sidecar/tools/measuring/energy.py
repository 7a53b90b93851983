"""Energy counters of the machine: RAPL for processors, NVML for NVIDIA GPUs, where there are any."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol

_MICRO: Final = 1e-6
_MILLI: Final = 1e-3
_NVML_SUCCESS: Final = 0


class Counter(Protocol):
    """A counter of the energy that was used since an arbitrary moment."""

    @property
    def name(self) -> str:
        """What counts: `rapl` or `nvml`."""
        ...

    @property
    def wraps_j(self) -> float:
        """Joules after which it begins anew; infinite where it does not."""
        ...

    def read_j(self) -> float:
        """Joules."""
        ...


@dataclass(frozen=True, slots=True)
class Rapl:
    """One processor package.

    References:
        Linux, Documentation/power/powercap/powercap.rst.
    """

    zone: Path
    wraps_j: float
    name: str = "rapl"

    def read_j(self) -> float:
        """Joules since the counter last began."""
        return int((self.zone / "energy_uj").read_text()) * _MICRO


@dataclass(frozen=True, slots=True)
class Nvml:
    """One NVIDIA GPU.

    References:
        NVML API reference, nvmlDeviceGetTotalEnergyConsumption.
    """

    library: Any
    device: Any
    name: str = "nvml"
    wraps_j: float = float("inf")

    def read_j(self) -> float:
        """Joules since the driver was loaded.

        Raises:
            OSError: the GPU does not count.
        """
        energy_mj = ctypes.c_ulonglong()
        code = self.library.nvmlDeviceGetTotalEnergyConsumption(self.device, ctypes.byref(energy_mj))
        if code != _NVML_SUCCESS:
            raise OSError(f"NVML answers {code}")
        return energy_mj.value * _MILLI


def counters(root: Path = Path("/")) -> tuple[Counter, ...]:
    """The counters that this process may read; often there are none, as in most virtual machines.

    Args:
        root: where `sys` is mounted.
    """
    found: list[Counter] = []
    candidates: Iterator[Counter] = chain(_packages(root / "sys/class/powercap"), _gpus())
    for counter in candidates:
        try:
            counter.read_j()
        except OSError:
            continue
        found.append(counter)
    return tuple(found)


class Energy:
    """What the machine used since it was made, the idle part included."""

    def __init__(self, by: tuple[Counter, ...]) -> None:
        self._began = [(counter, counter.read_j()) for counter in by]

    def used_j(self) -> float:
        """Joules, of all counters together; right as long as no counter wrapped twice."""
        return sum(
            used if used >= 0 else used + counter.wraps_j
            for counter, used in ((counter, counter.read_j() - began) for counter, began in self._began)
        )


def _packages(folder: Path) -> Iterator[Rapl]:
    # A zone with one colon is a whole package; those with two are its parts.
    for zone in sorted(folder.glob("intel-rapl:*")):
        if zone.name.count(":") == 1:
            try:
                wraps_j = int((zone / "max_energy_range_uj").read_text()) * _MICRO
            except OSError:
                continue
            yield Rapl(zone, wraps_j)


def _gpus() -> Iterator[Nvml]:
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return
    count = ctypes.c_uint()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return
    for index in range(count.value):
        device = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == _NVML_SUCCESS:
            yield Nvml(library, device)
