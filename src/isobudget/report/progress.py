"""Reads the progress of a run that another process writes: samples, verdicts, spending, errors; for `isobudget view`.

Parts of a run's tables appear complete and do not change. So each part is read once and its sums are kept, until parts
are merged.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isobudget.grid import printable
from isobudget.records.parts import part_paths, read_part
from isobudget.records.rows import SampleRow, VerdictRow
from isobudget.records.run import Run

#: columns of the samples table that state spending
_SPENT = ("seconds", "prompt_tokens", "completion_tokens", "joules", "usd")
#: tables that are counted, with their row types and the columns that are read
_TABLES: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "samples": (SampleRow, ("model", "finish_reason", *_SPENT)),
    "verdicts": (VerdictRow, ("model", "greedy", "passed", "outcome")),
}
#: counts of a model; all but those with `sampled` include greedy outputs
_COUNTS = ("samples", "judged", "passed", "sampled_judged", "sampled_passed", "cut_off")
#: most failures that are listed
_MOST_FAILURES = 20


@dataclass(slots=True)
class _Sums:
    samples: int = 0
    judged: int = 0
    passed: int = 0
    sampled_judged: int = 0
    sampled_passed: int = 0
    cut_off: int = 0
    spent: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)


class RunProgress:
    """The current contents of a run folder; `state` reads only new parts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: set[Path] = set()
        self._sums: dict[str, _Sums] = defaultdict(_Sums)

    def version(self) -> str:
        """A text that changes whenever parts of problems, samples or verdicts are added or merged."""
        names = [f"{table}/{path.name}" for table in ("problems", *_TABLES) for path in part_paths(self.path / table)]
        return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]

    def state(self) -> dict[str, Any]:
        """The progress as plain values, with counts by model.

        Raises:
            RunError: the folder is no longer a run, or a part is damaged.
        """
        facts, version = Run.open(self.path).facts, self.version()
        there = {path: table for table in _TABLES for path in part_paths(self.path / table)}
        if self._seen - there.keys():  # parts were merged: their rows are in other parts now
            self._seen, self._sums = set(), defaultdict(_Sums)
        for path, table in there.items():
            if path not in self._seen:
                self._add(path, table)
                self._seen.add(path)
        names = dict.fromkeys([*facts.get("models", {}), *self._sums])
        failures = _failures(self.path)
        return {
            "version": version,
            "run": facts.get("name"),
            "problems": {name: stated.get("problems") for name, stated in facts.get("benchmarks", {}).items()},
            "models": {name: _plain(self._sums[name]) for name in names},
            "failed": len(failures),
            "failures": failures[:_MOST_FAILURES],
        }

    def _add(self, path: Path, table: str) -> None:
        row_type, columns = _TABLES[table]
        for part in read_part(path, row_type, list(columns)):
            add = self._add_samples if table == "samples" else self._add_verdicts
            add(part.to_pydict())

    def _add_samples(self, columns: dict[str, list[Any]]) -> None:
        for at, model in enumerate(columns["model"]):
            own = self._sums[model]
            own.samples += 1
            own.cut_off += columns["finish_reason"][at] == "length"
            for name in _SPENT:
                value = columns[name][at]
                if value is not None and value == value:  # NaN where it was not measured
                    own.spent[name] += value

    def _add_verdicts(self, columns: dict[str, list[Any]]) -> None:
        for model, greedy, passed, outcome in zip(*(columns[name] for name in _TABLES["verdicts"][1]), strict=True):
            own = self._sums[model]
            own.judged += 1
            own.passed += bool(passed)
            own.sampled_judged += not greedy
            own.sampled_passed += bool(passed and not greedy)
            own.outcomes[outcome] += 1


def _plain(sums: _Sums) -> dict[str, Any]:
    counts = {name: getattr(sums, name) for name in _COUNTS}
    return counts | {"spent": dict(sums.spent), "outcomes": dict(sums.outcomes)}


def _failures(run: Path) -> list[str]:
    """The problems whose generation failed last time, as texts; empty if the file is missing or incomplete."""
    try:
        failures = json.loads((run / "failures.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    rows = [row for row in failures if isinstance(row, dict)] if isinstance(failures, list) else []
    return [printable(": ".join(str(value) for value in row.values())[:500]) for row in rows]
