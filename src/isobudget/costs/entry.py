"""Known values about one model's costs, each with its origin: a file's entry, its defaults, or the command line.

A price is often made of several figures, such as a rate from an option and a length from a file. Each figure keeps its
origin, so that the price's source names where every number came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from isobudget.costs.cost import SampleCost
from isobudget.costs.prices import GpuHour, TokenPrice
from isobudget.models.architecture import Architecture

#: the table of a costs file that holds for every model
DEFAULTS = "[defaults]"


@dataclass(frozen=True, slots=True)
class Entry:
    """The costs file's values for one model.

    Attributes:
        where: file and table, for messages; empty if there is no file.
        values: key -> value, defaults filled in.
        prices, gpu_hours: prices in the file, then the shipped examples.
        folder: folder for relative paths.
        architecture, seconds: values recorded by a run, used if the file does not state them.
        devices: number of GPUs that the model held in the run, 1 for a processor; None if no run states it.
        when: the run's date, for prices of several dates; None for today.
        origins: by key, the source of the key's value, if it differs from `source`.
    """

    where: str
    values: Mapping[str, Any]
    prices: tuple[TokenPrice, ...] = ()
    gpu_hours: tuple[GpuHour, ...] = ()
    folder: Path = field(default_factory=Path)
    architecture: Architecture | None = None
    seconds: SampleCost | None = None
    devices: int | None = None
    when: date | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where the entry's own figures come from, with their date: in the user's words, else the name of the file."""
        return origin_of(self.values, self.where)

    def source_of(self, *keys: str) -> str:
        """Where the values of these keys come from: one source for all, or each source after its keys."""
        by_source: dict[str, list[str]] = {}
        for key in keys:
            by_source.setdefault(self.origins.get(key, self.source), []).append(key)
        if len(by_source) == 1:
            return next(iter(by_source))
        return "; ".join(f"{', '.join(stated)}: {source}" for source, stated in by_source.items())

    def stated(self, *keys: str) -> list[str]:
        """Which of the keys have values."""
        return [key for key in keys if key in self.values]


def origin_of(values: Mapping[str, Any], where: str) -> str:
    """The source that a table states, else the name of its file, followed by `[defaults]` for that table.

    The table's date is added if it states one.
    """
    path, _, table = where.partition(", [")
    named = Path(path).name or "not stated"
    source = str(values.get("source", f"{named}, {DEFAULTS}" if f"[{table}" == DEFAULTS else named))
    return f"{source}, {values['date']}" if "date" in values else source
