"""Metrics of a server for Prometheus: counters since its start, with names that clients cannot influence.

Keys and texts of requests are never labels, so that the metrics do not reveal them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from isobudget.gateway.amounts import Amounts

PREFIX = "isobudget_"


@dataclass(slots=True)
class Metrics:
    """Counters, and `gauges`, which are called when the metrics are read."""

    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=Counter)
    gauges: dict[str, Callable[[], float]] = field(default_factory=dict)

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Increase a counter."""
        self.counts[name, tuple(sorted(labels.items()))] += by  # type: ignore[assignment]

    def spent(self, amounts: Amounts) -> None:
        """Add the cost of a call."""
        for unit, amount in amounts.plain().items():
            if amount is not None:
                self.count("spent_total", amount, unit=unit)

    def text(self) -> str:
        """The metrics in Prometheus' text format."""
        lines, last = [], ""
        for (name, labels), value in sorted(self.counts.items()):
            if name != last:
                lines.append(f"# TYPE {PREFIX}{name} counter")
                last = name
            said = ",".join(f'{key}="{_escaped(one)}"' for key, one in labels)
            lines.append(f"{PREFIX}{name}{{{said}}} {value:.15g}" if said else f"{PREFIX}{name} {value:.15g}")
        for name, ask in sorted(self.gauges.items()):
            lines += [f"# TYPE {PREFIX}{name} gauge", f"{PREFIX}{name} {ask():.15g}"]
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
