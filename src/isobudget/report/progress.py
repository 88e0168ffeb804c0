"""How far a run is, for `isobudget view`: samples, verdicts, spending and errors, while another process writes it.

Parts of a run's tables appear whole and never change, so each is read once and its sums are kept.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isobudget.errors import RunError
from isobudget.grid import printable
from isobudget.records.parts import part_paths
from isobudget.records.run import Run

#: what a model's samples spent, by column of their table
_SPENT = ("seconds", "prompt_tokens", "completion_tokens", "joules", "usd")
#: failures that are listed
_MOST_FAILURES = 20


@dataclass(slots=True)
class _Sums:
    samples: int = 0
    judged: int = 0
    passed: int = 0
    cut_off: int = 0
    spent: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)


class RunProgress:
    """What a run folder holds so far; `state` reads only what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: set[Path] = set()
        self._sums: dict[str, _Sums] = defaultdict(_Sums)

    def version(self) -> str:
        """Changes whenever the run has another part of samples or verdicts."""
        return "-".join(str(len(part_paths(self.path / table))) for table in ("problems", "samples", "verdicts"))

    def state(self) -> dict[str, Any]:
        """Everything as plain values; counts by model.

        Raises:
            RunError: the folder is no run any more, or a part is damaged.
        """
        facts = Run.open(self.path).facts
        for table, add in (("samples", self._add_samples), ("verdicts", self._add_verdicts)):
            for path in part_paths(self.path / table):
                if path not in self._seen:
                    add(_columns(path))
                    self._seen.add(path)
        names = dict.fromkeys([*facts.get("models", {}), *self._sums])
        return {
            "version": self.version(),
            "run": facts.get("name"),
            "problems": {name: stated.get("problems") for name, stated in facts.get("benchmarks", {}).items()},
            "models": {name: _plain(self._sums[name]) for name in names},
            "failures": _failures(self.path),
        }

    def _add_samples(self, columns: dict[str, list[Any]]) -> None:
        for at, model in enumerate(columns["model"]):
            own = self._sums[model]
            own.samples += 1
            own.cut_off += columns["finish_reason"][at] == "length"
            for name in _SPENT:
                value = columns.get(name, [None] * (at + 1))[at]
                if value is not None and value == value:  # NaN where it was not measured
                    own.spent[name] += value

    def _add_verdicts(self, columns: dict[str, list[Any]]) -> None:
        for model, passed, outcome in zip(columns["model"], columns["passed"], columns["outcome"], strict=True):
            own = self._sums[model]
            own.judged += 1
            own.passed += bool(passed)
            own.outcomes[outcome] += 1


def _columns(path: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = {"model", "finish_reason", "passed", "outcome", *_SPENT}
    try:
        with pq.ParquetFile(path) as file:
            return dict(file.read(columns=[name for name in file.schema_arrow.names if name in wanted]).to_pydict())
    except (OSError, pa.ArrowInvalid) as error:
        raise RunError(f"{path}: cannot be read: {error}") from error


def _plain(sums: _Sums) -> dict[str, Any]:
    counts = {name: getattr(sums, name) for name in ("samples", "judged", "passed", "cut_off")}
    return counts | {"spent": dict(sums.spent), "outcomes": dict(sums.outcomes)}


def _failures(run: Path) -> list[str]:
    """The problems whose generation failed last time, as texts; none where the file is not there or not whole."""
    try:
        found = json.loads((run / "failures.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return [printable(": ".join(str(value) for value in row.values())[:500]) for row in rows[:_MOST_FAILURES]]
