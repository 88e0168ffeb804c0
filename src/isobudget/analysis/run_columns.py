"""The samples of a run as columns, joined with their verdicts, in little memory.

Samples are read a row group at a time into arrays that grow to their size once; they are sorted by a number that stands
for model, problem, greedy or not, and index. Verdicts are read a row group at a time and put where their samples are,
so that they are never in memory as a whole. A column of which nothing is known takes no memory: it is one NaN.

    key = ((model x problems + problem) x 2 + greedy) x 2^31 + index
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isobudget.records.parts import INDEX_BITS, read_each, rows_in_table
from isobudget.records.rows import KEY_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

Keys = NDArray[np.int64]
#: columns by name
Columns = Mapping[str, NDArray[Any]]

#: numbers that are not known are -1 in columns of whole numbers, NaN in others
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Places:
    """Numbers for the models and problems of a run.

    `tasks` has shape (benchmarks, task ids): the place of each problem in the run, -1 where there is none.
    """

    models: dict[str, int]
    benchmarks: dict[str, int]
    task_ids: dict[str, int]
    tasks: Keys

    @classmethod
    def of(cls, models: Sequence[str], problems: Sequence[tuple[str, str]]) -> Places:
        """Number a run's models and problems, in their order."""
        benchmarks, task_ids = (_numbered(key[part] for key in problems) for part in (0, 1))
        tasks = np.full((len(benchmarks), len(task_ids)), -1, dtype=np.int64)
        for place, (benchmark, task_id) in enumerate(problems):
            tasks[benchmarks[benchmark], task_ids[task_id]] = place
        return cls(_numbered(models), benchmarks, task_ids, tasks)

    def keys(self, block: pa.Table) -> tuple[Keys, NDArray[np.bool_] | None]:
        """The keys of the rows of these models and problems, and a mask of these rows (None if it keeps all rows)."""
        model, benchmark, task_id = (
            codes(block[name], numbers)
            for name, numbers in (
                ("model", self.models),
                ("benchmark", self.benchmarks),
                ("task_id", self.task_ids),
            )
        )
        known = (model >= 0) & (benchmark >= 0) & (task_id >= 0)
        task = np.full(len(known), -1, dtype=np.int64)
        task[known] = self.tasks[benchmark[known], task_id[known]]
        known &= task >= 0
        greedy = block["greedy"].to_numpy().astype(np.int64)
        key = (((model * self.tasks.size + task) * 2 + greedy) << INDEX_BITS) + block["index"].to_numpy()
        return (key, None) if known.all() else (key[known], known)

    def first_key(self, model: int, task: int = 0) -> int:
        """A lower bound of all keys of the model and the problems from `task` on."""
        return ((model * self.tasks.size + task) * 2) << INDEX_BITS

    def task_of(self, groups: Keys) -> Keys:
        """The number of each group's problem, for groups that `groups_of` returned."""
        return (groups >> 1) % self.tasks.size


def groups_of(keys: Keys) -> Keys:
    """A number for each key's model, problem, and greedy or not (the last bit)."""
    return keys >> INDEX_BITS


def indexes_of(keys: Keys) -> NDArray[np.int32]:
    """The indexes in keys: a view of their lower halves."""
    return np.ascontiguousarray(keys).view(np.int32)[int(sys.byteorder == "big") :: 2]


def _numbered(texts: Any) -> dict[str, int]:
    return {text: at for at, text in enumerate(dict.fromkeys(texts))}


def codes(column: pa.ChunkedArray, places: Mapping[str, int]) -> Keys:
    """Each text's number; -1 for a text without a number."""
    numbers = [np.zeros(0, dtype=np.int64)]
    for chunk in column.chunks:
        table = np.array([places.get(text, -1) for text in chunk.dictionary.to_pylist()] or [-1], dtype=np.int64)
        numbers.append(table[chunk.indices.to_numpy(zero_copy_only=False)])
    return np.concatenate(numbers)


class Column:
    """A column that is filled a block at a time, and takes no memory until something is known.

    Args:
        kind: data type of the array.
        places: for a column of texts, the number of each text.
    """

    def __init__(self, kind: type[Any] = np.float64, places: Mapping[str, int] | None = None) -> None:
        self.kind, self.places = kind, places
        self._values: NDArray[Any] | None = None

    def put(self, where: slice | Keys, block: pa.ChunkedArray, only: Any, size: int) -> None:
        """Copy the rows `only` of a block (all if None) to `where` in a column of `size` rows."""
        if block.null_count == len(block):
            return
        if self.places is not None:
            values: NDArray[Any] = codes(block, self.places)
        elif self.kind in (np.int64, np.int32):
            values = block.fill_null(_UNKNOWN).to_numpy()
        else:
            values = block.to_numpy()
        if self._values is None:
            self._values = np.full(size, self._unknown(), dtype=self.kind)
        elif len(self._values) < size:
            more = np.full(size - len(self._values), self._unknown(), dtype=self.kind)
            self._values = np.concatenate([self._values, more])
        self._values[where] = values if only is None else values[only]

    def _unknown(self) -> Any:
        if self.kind is np.bool_:
            return False
        return _UNKNOWN if np.issubdtype(self.kind, np.integer) else None if self.kind is np.object_ else np.nan

    def done(self, size: int, order: Keys | None = None) -> NDArray[Any]:
        """The first `size` values, in `order` if it is given; call this once, since the column is empty afterwards."""
        if self._values is None:
            return np.broadcast_to(np.array(self._unknown(), dtype=self.kind), (size,))
        values = self._values[:size]
        self._values = None
        return values if order is None else values[order]


def read_columns(
    folder: Path, row_type: type[Any], places: Places, columns: Mapping[str, Column], where: Any = None
) -> dict[str, NDArray[Any]]:
    """The rows of these models and problems, in the order of their `key`; `where` is the filter of `read_each`.

    Rows with equal keys stay, in the order in which they were read; see `first_of_equal`.

    Raises:
        RunError: a part is damaged.
    """
    size = rows_in_table(folder)
    key, at = np.empty(size, dtype=np.int64), 0
    for block in read_each(folder, row_type, [*KEY_COLUMNS, *columns], where, coded=True):
        own, only = places.keys(block)
        end = at + len(own)
        if end > len(key):  # a part that was changed by hand
            key = np.concatenate([key, np.empty(end - len(key), dtype=np.int64)])
        key[at:end] = own
        for name, column in columns.items():
            column.put(slice(at, end), block[name], only, len(key))
        at = end
    key = key[:at]
    order = None if (key[1:] >= key[:-1]).all() else np.argsort(key, kind="stable")
    done = {name: column.done(at, order) for name, column in columns.items()}
    return {"key": key if order is None else key[order]} | done


def first_of_equal(columns: Columns) -> tuple[dict[str, NDArray[Any]], Keys]:
    """The columns with the first of the rows that have equal keys, and the keys of the rows that are left out."""
    key = columns["key"]
    again = np.zeros(len(key), dtype=np.bool_)
    again[1:] = key[1:] == key[:-1]
    if not again.any():
        return dict(columns), key[:0]
    return {name: values[~again] for name, values in columns.items()}, key[again]


def join_columns(
    keys: Keys, folder: Path, row_type: type[Any], places: Places, columns: Mapping[str, Column], where: Any = None
) -> dict[str, NDArray[Any]]:
    """The columns of another table in the order of these keys, which are sorted and distinct.

    The column `judged` is whether the table has the key. Of rows with equal keys the first one counts.

    Raises:
        RunError: a part is damaged.
    """
    judged = np.zeros(len(keys), dtype=np.bool_)
    for block in read_each(folder, row_type, [*KEY_COLUMNS, *columns], where, coded=True):
        own, only = places.keys(block)
        at = _rows_of(keys, own)
        new = np.flatnonzero(at >= 0)[::-1]
        new = new[~judged[at[new]]]
        judged[at[new]] = True
        chosen = new if only is None else np.flatnonzero(only)[new]
        for name, column in columns.items():
            column.put(at[new], block[name], chosen, len(keys))
    return {"judged": judged} | {name: column.done(len(keys)) for name, column in columns.items()}


def _rows_of(keys: Keys, wanted: Keys) -> Keys:
    """The position of each wanted key; -1 if it is missing."""
    if not len(keys):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)
