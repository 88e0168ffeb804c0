"""Energy that the processor says it used: Linux's powercap counters (RAPL), package domains only.

Each counter counts microjoules since some time and wraps around at its range. What other programs use meanwhile is
counted too. Where there are no counters, or no permission to read them (most virtual machines, most users), there is no
meter, and joules are unknown rather than 0.

Not covered: graphics cards and the rest of the machine.
"""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path("/sys/class/powercap")
_PACKAGE = re.compile(r"intel-rapl:\d+")
_MICROJOULES = 1e-6


class PackageEnergy:
    """Joules used by the processor packages since the meter was made.

    Args:
        root: the powercap folder.

    Raises:
        LookupError: there is no counter that can be read.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        folders = sorted(path for path in root.glob("intel-rapl:*") if _PACKAGE.fullmatch(path.name))
        self._counters = [path / "energy_uj" for path in folders]
        if not self._counters:
            raise LookupError(f"{root} has no energy counters")
        try:
            self._ranges = [int((path / "max_energy_range_uj").read_text()) for path in folders]
            self._last = self._read()
        except (OSError, ValueError) as error:
            raise LookupError(f"the energy counters cannot be read: {error}") from None
        self._joules = 0.0

    def __call__(self) -> float:
        """Joules since the meter was made. A counter that wrapped around once since the last call is understood."""
        now = self._read()
        for before, after, whole in zip(self._last, now, self._ranges, strict=True):
            self._joules += ((after - before) % (whole + 1)) * _MICROJOULES
        self._last = now
        return self._joules

    def _read(self) -> list[int]:
        return [int(counter.read_text()) for counter in self._counters]


def find_meter() -> PackageEnergy | None:
    """The processor's energy meter, or None where it has none that can be read."""
    try:
        return PackageEnergy()
    except LookupError:
        return None
