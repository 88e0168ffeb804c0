"""Decides which parts of a run's folder that are missing from its manifest may be added to the manifest.

Such a part may come from an interrupted writer, be a copy of a listed part, or belong to another run. The key columns
of every part are read once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.errors import RunError
from isobudget.records.facts import UNFINISHED, read_facts
from isobudget.records.keys import bits_of
from isobudget.records.manifest import Manifest, Part
from isobudget.records.parts import read_part
from isobudget.records.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a part may not be added: a kind, ``damaged``, ``foreign`` or ``twice``, and a sentence."""

    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Stated:
    """What the rows of a run may belong to. If the run states nothing yet, any row is accepted.

    Attributes:
        benchmarks, models: names of the run's benchmarks and models.
        tasks: task ids by benchmark, for the benchmarks that have recorded problems.
    """

    benchmarks: frozenset[str]
    models: frozenset[str]
    tasks: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, run: Path, manifest: Manifest) -> Stated:
        """What a run states in run.toml and in its listed problems."""
        facts = read_facts(run)
        names = [frozenset(facts.get(kind, {})) for kind in ("benchmarks", "models")]
        if facts.get(UNFINISHED) or not all(names):
            return cls(frozenset(), frozenset(), {})
        tasks: dict[str, set[str]] = {}
        for part in manifest.table("problems").parts:
            with contextlib.suppress(RunError):  # the error is raised when the problems are read
                for block in _keys(run / "problems", part.name):
                    for row in block.to_pylist():
                        tasks.setdefault(row["benchmark"], set()).add(row["task_id"])
        return cls(names[0], names[1], {name: frozenset(own) for name, own in tasks.items()})

    def foreign(self, table: str, keys: pa.Table) -> str:
        """The first benchmark, model or problem of these rows that the run does not state; empty if there is none."""
        if not self.benchmarks:
            return ""
        columns = [name for name in ("benchmark", "model", "task_id") if name in keys.column_names]
        for row in keys.group_by(columns).aggregate([]).to_pylist():
            benchmark, task = row["benchmark"], row["task_id"]
            if benchmark not in self.benchmarks:
                return f"the benchmark {benchmark}"
            if row.get("model", next(iter(self.models))) not in self.models:
                return f"the model {row['model']}"
            if table != "problems" and task not in self.tasks.get(benchmark, {task}):
                return f"the problem {task} of {benchmark}"
        return ""


class Newcomers:
    """Unlisted parts of one table, checked one after the other.

    Args:
        folder: folder of the table.
        parts: the listed parts.
        stated: what rows of the run may belong to.
    """

    def __init__(self, folder: Path, parts: Iterable[Part], stated: Stated) -> None:
        self._folder = folder
        self._waiting = [part.name for part in parts]
        self._stated = stated
        self._rows: dict[tuple[Any, ...], int] = {}

    def foreign(self, path: Path) -> Refusal | None:
        """The refusal if a part belongs to another run. A part that cannot be read is not refused."""
        with contextlib.suppress(RunError):
            return self._foreign(list(_keys(self._folder, path.name)))
        return None

    def refused(self, path: Path) -> Refusal | None:
        """Why a part may not be added. None if it may be added; later parts may then not repeat its rows."""
        for name in self._waiting:  # not before the first newcomer: most tables have none
            with contextlib.suppress(RunError):  # it is damaged or gone; the error is raised when it is read
                self._have(_rows(_keys(self._folder, name)))
        self._waiting = []
        try:
            blocks = list(_keys(self._folder, path.name))
            rows = list(_rows(blocks))
        except (RunError, ValueError):
            return Refusal("damaged", "it is not a whole part of this table")
        if why := self._foreign(blocks):
            return why
        if any(self._rows.get(group, 0) & bits for group, bits in rows):
            return Refusal("twice", "it holds rows that the run already has")
        self._have(rows)
        return None

    def _foreign(self, blocks: Iterable[pa.Table]) -> Refusal | None:
        unstated = (self._stated.foreign(self._folder.name, block) for block in blocks)
        what = next(filter(None, unstated), "")
        return Refusal("foreign", f"it is of another run: this run does not state {what}") if what else None

    def _have(self, rows: Iterable[tuple[tuple[Any, ...], int]]) -> None:
        for group, bits in rows:
            self._rows[group] = self._rows.get(group, 0) | bits


def _keys(folder: Path, name: str) -> Iterator[pa.Table]:
    table = TABLES[folder.name]
    return read_part(folder / name, table.row_type, list(table.key))


def _rows(blocks: Iterable[pa.Table]) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Each key without its index, and an integer whose bit i says whether the key occurs with index i.

    Keys of tables without an index have the integer 1.

    Raises:
        ValueError: an index is negative.
    """
    for block in blocks:
        columns = [name for name in block.column_names if name != "index"]
        if len(columns) == len(block.column_names):
            yield from ((tuple(row.values()), 1) for row in block.to_pylist())
            continue
        grouped = block.group_by(columns).aggregate([("index", "list")])
        names = zip(*(grouped[name].to_pylist() for name in columns), strict=True)
        for group, indexes in zip(names, grouped["index_list"], strict=True):
            yield group, bits_of(indexes.values.to_numpy())
