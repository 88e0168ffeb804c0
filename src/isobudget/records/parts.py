"""Tables that grow by whole Parquet part files.

A table is a folder of parts, ``part-000001.parquet`` and so on, read together. A writer gathers rows and writes them as
one part every few seconds, so a killed process loses seconds of work and never leaves half a part. The interval grows
with the age of the run, so that a run of days does not end up with a hundred thousand files.

Rows are frozen dataclasses; their fields are the columns.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from isobudget.errors import RunError
from isobudget.records.storage import make_folder, write_whole

if TYPE_CHECKING:
    import pyarrow as pa

_PART = re.compile(r"part-(\d+)\.parquet")
_SHORTEST_INTERVAL_SECONDS = 5.0
_LONGEST_INTERVAL_SECONDS = 60.0
_ROWS_PER_PART = 20_000

_ARROW_TYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "bool_"}


def schema_of(row_type: type[Any]) -> pa.Schema:
    """The Arrow schema of a row dataclass whose fields are str, int, float or bool, or one of those or None."""
    import pyarrow as pa

    fields = []
    for field in dataclasses.fields(row_type):
        plain = str(field.type).removesuffix(" | None")
        fields.append(pa.field(field.name, getattr(pa, _ARROW_TYPES[plain])(), nullable="None" in str(field.type)))
    return pa.schema(fields)


class PartWriter:
    """Appends rows to the table in `folder`. Used as a context manager, which writes what is left even after an error.

    Raises:
        StorageError: a part could not be written; the parts before it are whole.
    """

    def __init__(self, folder: Path, row_type: type[Any], now: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._row_type = row_type
        self._now = now
        self._rows: list[Any] = []
        make_folder(folder)
        self._next = 1 + max((number for number, _ in _numbered_parts(folder)), default=0)
        self._started = self._flushed = now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, rows: list[Any]) -> None:
        """Take rows; they are on disk after the next flush, which comes by itself within seconds."""
        self._rows += rows
        age = self._now() - self._started
        interval = min(_LONGEST_INTERVAL_SECONDS, max(_SHORTEST_INTERVAL_SECONDS, age / 50))
        if len(self._rows) >= _ROWS_PER_PART or self._now() - self._flushed >= interval:
            self.flush()

    def flush(self) -> None:
        """Write the rows taken so far as one part."""
        if self._rows:
            write_whole(self.folder / f"part-{self._next:06d}.parquet", self._encode())
            self._next += 1
            self._rows = []
        self._flushed = self._now()

    def _encode(self) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = schema_of(self._row_type)
        columns = {name: [getattr(row, name) for row in self._rows] for name in schema.names}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns, schema=schema), sink, compression="zstd")
        return bytes(sink.getvalue())


def read_parts(folder: Path, row_type: type[Any], columns: list[str] | None = None) -> pa.Table:
    """The whole table in `folder` (empty if there is none), with the given columns or all.

    Raises:
        RunError: a part is damaged or lacks a column.
    """
    import pyarrow as pa

    schema = schema_of(row_type)
    names = columns or schema.names
    wanted = pa.schema([schema.field(name) for name in names])
    tables = [_read_part(path, wanted) for _, path in sorted(_numbered_parts(folder))]
    return pa.concat_tables(tables) if tables else wanted.empty_table()


def read_rows(folder: Path, row_type: type[Any]) -> Iterator[Any]:
    """The table's rows, one part in memory at a time."""
    schema = schema_of(row_type)
    for _, path in sorted(_numbered_parts(folder)):
        for fields in _read_part(path, schema).to_pylist():
            yield row_type(**fields)


def _read_part(path: Path, wanted: pa.Schema) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=wanted.names).select(wanted.names).cast(wanted)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise RunError(
            f"{path}: not a whole part of this run: {str(error).splitlines()[0]}. "
            "Delete it, and the verdicts folder if it held samples, and run again: what is missing is made anew."
        ) from None


def _numbered_parts(folder: Path) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    found = ((_PART.fullmatch(path.name), path) for path in folder.iterdir())
    return [(int(match[1]), path) for match, path in found if match]
