"""Tables that grow by whole Parquet part files.

A table is a folder of parts, ``part-000001.parquet`` and so on, which are read together. A writer collects rows and
writes them as one part every few seconds, so a killed process loses only seconds of work and never leaves half a part.
The interval grows with the age of the run, so that a run of several days does not make a hundred thousand files.

In a run, a part counts once the manifest lists it, which happens right after the part is written.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from isobudget.files.store_path import StorePath
from isobudget.files.whole import make_folder, write_whole
from isobudget.records.manifest import Part, change_manifest, part_of, read_manifest
from isobudget.records.part_names import hidden, next_number, number_of, part_name
from isobudget.records.schema import schema_of

if TYPE_CHECKING:
    import pyarrow as pa

_SHORTEST_INTERVAL_SECONDS = 5.0
_LONGEST_INTERVAL_SECONDS = 60.0
#: rows that are read at once, see `parts.read_each`
ROWS_PER_GROUP = 65_536
_ROWS_PER_PART = ROWS_PER_GROUP
#: approximate bytes of waiting rows after which they are written
_BYTES_PER_PART = 32 * 2**20
_BYTES_PER_NUMBER = 36


class PartWriter:
    """Appends rows to the table in `folder`.

    A context manager; on exit it writes the remaining rows, even after an error.

    Every row is written exactly once even if Ctrl-C interrupts a flush: the next flush leaves out the rows of a part
    that is already listed.

    Args:
        folder: folder of the table.
        row_type: dataclass of the rows.
        now: the clock, in seconds.
        on_part: called with the path of every part once the part is complete and listed.
        list_first: lists the first part in place of this writer, so that the part can replace other parts
            (`recover.replace_all`). It gets the part and the columns of the part's schema. The part is then written
            under its hidden name.

    Raises:
        RunError: another writer has taken the run over.
        StorageError: a part could not be written; earlier parts are complete.
    """

    def __init__(
        self,
        folder: Path,
        row_type: type[Any],
        now: Callable[[], float] = time.monotonic,
        on_part: Callable[[Path], None] | None = None,
        list_first: Callable[[Part, Mapping[str, str]], None] | None = None,
    ) -> None:
        self.folder = folder
        self._row_type = row_type
        self._schema = schema_of(row_type)
        self._now = now
        self._on_part = on_part
        self._list_first = list_first
        self._rows: list[Any] = []
        self._bytes = 0
        #: the part that was begun last, and the list of rows whose first ones it holds
        self._begun: tuple[Part, list[Any]] | None = None
        make_folder(folder)
        self._next = next_number(folder)
        self._started = self._flushed = now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, rows: list[Any]) -> None:
        """Add rows. They are on disk after the next flush, which happens by itself within seconds."""
        self._rows += rows
        self._bytes += sum(map(_weight, rows))
        age = self._now() - self._started
        interval = min(_LONGEST_INTERVAL_SECONDS, max(_SHORTEST_INTERVAL_SECONDS, age / 50))
        full = len(self._rows) >= _ROWS_PER_PART or self._bytes >= _BYTES_PER_PART
        if full or self._now() - self._flushed >= interval:
            self.flush()

    def flush(self) -> None:
        """Write the collected rows as one part."""
        self._leave_out_written()
        if self._rows:
            names = [field.name for field in dataclasses.fields(self._row_type)]
            self.add_columns({name: [getattr(row, name) for row in self._rows] for name in names})
            self._rows, self._bytes = [], 0
        self._flushed = self._now()

    def add_columns(self, columns: Mapping[str, Any]) -> None:
        """Write columns, lists or arrays of equal length, as one part; columns that are not given are null."""
        import pyarrow as pa

        rows = len(next(iter(columns.values())))
        whole = {name: columns[name] if name in columns else pa.nulls(rows) for name in self._schema.names}
        self.add_table(pa.table(whole, schema=self._schema))

    def add_table(self, table: pa.Table) -> None:
        """Write a table as one part. Its schema must be that of the row type."""
        path, data = placed(self.folder, self._next, encoded(table), hide=self._list_first is not None)
        part, columns = part_of(path.name, data, table.schema, table.num_rows)
        self._begun = part, self._rows
        if self._list_first is None:
            change_manifest(self.folder.parent, lambda manifest: manifest.adding(self.folder.name, part, columns))
        else:
            self._list_first(part, columns)
            self._list_first = None
        self._next = number_of(path) + 1
        if self._on_part is not None:
            self._on_part(path)

    def _leave_out_written(self) -> None:
        """Forget rows that are already in a listed part because their flush was interrupted afterwards."""
        if self._begun is None or self._begun[1] is not self._rows:
            return
        part, manifest = self._begun[0], read_manifest(self.folder.parent)
        path = self.folder / part.name
        if path.is_file() if manifest is None else part in manifest.table(self.folder.name).parts:
            self._next = number_of(path) + 1
            self._rows = self._rows[part.rows :]
            self._list_first = None
        self._begun = None


def placed(folder: Path, number: int, content: pa.Buffer, hide: bool = False) -> tuple[Path, bytes]:
    """Write a part under this number or the next unused one; returns its visible path and its content.

    In an object store, a writer that was locked out may have used a number. With `hide`, a part on a disk gets its
    hidden name.

    Raises:
        StorageError: the part cannot be written.
    """
    data = content.to_pybytes()
    path = folder / part_name(number)
    if not isinstance(path, StorePath):
        write_whole(hidden(path) if hide else path, data)
    elif path.put_new(data) is None:
        return placed(folder, number + 1, content)
    return path, data


def encoded(table: pa.Table) -> pa.Buffer:
    """The bytes of a part that holds this table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROWS_PER_GROUP)
    return sink.getvalue()


def _weight(row: Any) -> int:
    """Approximate memory in bytes of a row's texts and lists."""
    weight = 0
    for name in row.__match_args__:
        value = getattr(row, name)
        if isinstance(value, str):
            weight += len(value)
        elif isinstance(value, list):
            weight += _BYTES_PER_NUMBER * len(value)
    return weight
