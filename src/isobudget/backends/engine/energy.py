"""Energy measured by the machine: processor packages by RAPL, NVIDIA graphics cards by NVML.

Linux's powercap counters (RAPL) count the microjoules of each processor package. NVML (`nvidia-ml-py`) counts the
millijoules of each card since the card's driver was loaded. The energy that other programs use at the same time is
counted too. Where there are no counters, or no permission to read them (most virtual machines, most users), there is no
meter, and joules are unknown rather than 0.

Not covered: the rest of the machine, other makers' cards.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

_ROOT = Path("/sys/class/powercap")
_PACKAGE = re.compile(r"intel-rapl:\d+")
_MICROJOULES = 1e-6
_MILLIJOULES = 1e-3


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter that only grows, until it wraps around.

    Attributes:
        read: returns the current count.
        joules: energy of one count.
        whole: number of counts before the counter wraps to 0; None if it never wraps, so that a lower reading means a
            reset.
    """

    read: Callable[[], int]
    joules: float
    whole: int | None = None


class EnergyMeter:
    """The total joules of several counters since the meter was made.

    Raises:
        LookupError: there is no counter, or one cannot be read.
    """

    def __init__(self, counters: Sequence[Counter]) -> None:
        if not counters:
            raise LookupError("this machine has no energy counters")
        self._counters = counters
        self._joules = 0.0
        self._last = self._read()

    def __call__(self) -> float:
        """Joules since the meter was made; NaN for good once a counter was reset or cannot be read.

        A counter may wrap around once between two calls.
        """
        try:
            now = self._read()
        except LookupError:
            self._joules = math.nan
            return self._joules
        for counter, before, after in zip(self._counters, self._last, now, strict=True):
            counts = (after - before) % counter.whole if counter.whole else after - before
            self._joules += counts * counter.joules if counts >= 0 else math.nan
        self._last = now
        return self._joules

    def _read(self) -> list[int]:
        try:
            return [counter.read() for counter in self._counters]
        except Exception as error:  # NVML's own errors have no common root that could be named without it
            raise LookupError(f"the energy counters cannot be read: {error}") from None


def package_counters(root: Path = _ROOT) -> list[Counter]:
    """The counters of the processor packages below a powercap folder.

    The counters of a package's parts, such as its cores, are left out, because the package's counter includes them.

    Raises:
        LookupError: a counter does not state its range.
    """
    folders = sorted(path for path in root.glob("intel-rapl:*") if _PACKAGE.fullmatch(path.name))
    try:
        wholes = [int((folder / "max_energy_range_uj").read_text()) + 1 for folder in folders]
    except (OSError, ValueError) as error:
        raise LookupError(f"the energy counters cannot be read: {error}") from None
    readers = [partial(_read_number, folder / "energy_uj") for folder in folders]
    return [Counter(read, _MICROJOULES, whole) for read, whole in zip(readers, wholes, strict=True)]


def _read_number(file: Path) -> int:
    return int(file.read_text())


def card_counters(devices: Sequence[int] | None = None, nvml: Any = None) -> list[Counter]:
    """The counters of NVIDIA cards.

    Args:
        devices: NVML's numbers of the cards to count; None for all.
        nvml: the module `pynvml`; None imports it.

    Raises:
        LookupError: NVML is not installed, there is no driver, or a card has no counter (cards before Volta).
    """
    try:
        nvml = nvml or importlib.import_module("pynvml")
        nvml.nvmlInit()
        numbers = range(nvml.nvmlDeviceGetCount()) if devices is None else devices
        handles = [nvml.nvmlDeviceGetHandleByIndex(number) for number in numbers]
        readers = [partial(nvml.nvmlDeviceGetTotalEnergyConsumption, handle) for handle in handles]
        for read in readers:
            read()
    except Exception as error:  # no module, no driver, no permission, an old card: all mean that there is no counter
        raise LookupError(f"the GPUs do not report energy: {error}") from None
    return [Counter(read, _MILLIJOULES) for read in readers]


def find_meter(cards: bool | Sequence[int] = False) -> EnergyMeter | None:
    """A meter for the devices in use; None if their energy cannot be measured.

    Without graphics cards, only the processor packages are measured. With graphics cards, every card must have a
    counter, and the processor packages are added if their counters can be read.

    Args:
        cards: NVML's numbers of the cards that are used; True for all that `CUDA_VISIBLE_DEVICES` leaves, False for
            none.
    """
    packages: list[Counter] = []
    with contextlib.suppress(LookupError):
        EnergyMeter(readable := package_counters())
        packages = readable
    with contextlib.suppress(LookupError):
        used = [] if cards is False else card_counters(visible_cards() if cards is True else cards)
        return EnergyMeter(used + packages)
    return None


def used_cards(*places: int) -> list[int]:
    """Translate a program's numbers of cards into NVML's. A program counts only the visible cards, from 0."""
    visible = visible_cards()
    return [visible[place] if visible is not None and place < len(visible) else place for place in places]


def visible_cards() -> list[int] | None:
    """The cards that `CUDA_VISIBLE_DEVICES` names by number.

    None means all cards: the variable is not set, or does not name the cards by number.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [int(number) for number in named] if all(number.strip().isdigit() for number in named) else None
