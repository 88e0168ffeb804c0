"""Tables that grow by whole Parquet part files.

A table is a folder of parts, ``part-000001.parquet`` and so on, read together. A writer gathers rows and writes them as
one part every few seconds, so a killed process loses seconds of work and never leaves half a part. The interval grows
with the age of the run, so that a run of days does not end up with a hundred thousand files.

Rows are frozen dataclasses; their fields are the columns. A field that may be None may be missing from a part that an
older version wrote: it reads as null.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from isobudget.errors import RunError
from isobudget.files.whole import make_folder, write_whole

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_PART = re.compile(r"part-(\d+)\.parquet")
_SHORTEST_INTERVAL_SECONDS = 5.0
_LONGEST_INTERVAL_SECONDS = 60.0
_ROWS_PER_PART = 20_000
#: about the bytes of rows that wait to be written, at most
_BYTES_PER_PART = 32 * 2**20
_BYTES_PER_NUMBER = 36
_ROWS_READ_AT_ONCE = 1_000

_ARROW_TYPES = {"str": "string", "int": "int64", "float": "float64", "bool": "bool_"}
#: items of lists: token ids have 32 bits
_ARROW_ITEMS = {"list[str]": "string", "list[int]": "int32"}


def schema_of(row_type: type[Any]) -> pa.Schema:
    """The Arrow schema of a row dataclass: fields are str, int, float, bool, list[str] or list[int], or that or None.

    Lists of whole numbers have 32 bits each.
    """
    import pyarrow as pa

    fields = []
    for field in dataclasses.fields(row_type):
        plain = str(field.type).removesuffix(" | None")
        item = _ARROW_ITEMS.get(plain)
        kind = pa.list_(getattr(pa, item)()) if item else getattr(pa, _ARROW_TYPES[plain])()
        fields.append(pa.field(field.name, kind, nullable="None" in str(field.type)))
    return pa.schema(fields)


class PartWriter:
    """Appends rows to the table in `folder`. Used as a context manager, which writes what is left even after an error.

    `on_part` is called with every part once it is whole.

    Raises:
        StorageError: a part could not be written; the parts before it are whole.
    """

    def __init__(
        self,
        folder: Path,
        row_type: type[Any],
        now: Callable[[], float] = time.monotonic,
        on_part: Callable[[Path], None] | None = None,
    ) -> None:
        self.folder = folder
        self._row_type = row_type
        self._now = now
        self._on_part = on_part
        self._rows: list[Any] = []
        self._bytes = 0
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
        self._bytes += sum(map(_weight, rows))
        age = self._now() - self._started
        interval = min(_LONGEST_INTERVAL_SECONDS, max(_SHORTEST_INTERVAL_SECONDS, age / 50))
        full = len(self._rows) >= _ROWS_PER_PART or self._bytes >= _BYTES_PER_PART
        if full or self._now() - self._flushed >= interval:
            self.flush()

    def flush(self) -> None:
        """Write the rows taken so far as one part."""
        if self._rows:
            names = [field.name for field in dataclasses.fields(self._row_type)]
            self.add_columns({name: [getattr(row, name) for row in self._rows] for name in names})
            self._rows, self._bytes = [], 0
        self._flushed = self._now()

    def add_columns(self, columns: Mapping[str, Any]) -> None:
        """Write columns, each a list or an array of equal length, as one part; columns that are not given are null."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = schema_of(self._row_type)
        rows = len(next(iter(columns.values())))
        whole = {name: columns[name] if name in columns else [None] * rows for name in schema.names}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(whole, schema=schema), sink, compression="zstd")
        path = self.folder / f"part-{self._next:06d}.parquet"
        write_whole(path, bytes(sink.getvalue()))
        self._next += 1
        if self._on_part is not None:
            self._on_part(path)


def read_each(folder: Path, row_type: type[Any], columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The table's parts one after the other, with the given columns or all; nothing if there is no folder.

    Raises:
        RunError: a part is damaged or lacks a column.
    """
    import pyarrow as pa

    schema = schema_of(row_type)
    wanted = pa.schema([schema.field(name) for name in columns or schema.names])
    for path in part_paths(folder):
        with _opened(path, wanted) as (file, there):
            part = _fitted(file.read(columns=there), wanted)
        yield part


def read_rows(folder: Path, row_type: type[Any]) -> Iterator[Any]:
    """The table's rows, a thousand of them in memory at a time."""
    for path in part_paths(folder):
        yield from read_part_rows(path, row_type)


def read_part_rows(path: Path, row_type: type[Any]) -> Iterator[Any]:
    """The rows of one part, a thousand of them in memory at a time."""
    import pyarrow as pa

    schema = schema_of(row_type)
    with _opened(path, schema) as (file, there):
        for batch in file.iter_batches(batch_size=_ROWS_READ_AT_ONCE, columns=there):
            for fields in _fitted(pa.Table.from_batches([batch]), schema).to_pylist():
                yield row_type(**fields)


def rows_in_part(path: Path) -> int:
    """How many rows a part has; 0 for a damaged one, since reading it says so."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return 0


def part_paths(folder: Path) -> list[Path]:
    """The table's parts in their order; none if the folder is not there."""
    return [path for _, path in sorted(_numbered_parts(folder))]


@contextlib.contextmanager
def _opened(path: Path, wanted: pa.Schema) -> Iterator[tuple[pq.ParquetFile, list[str]]]:
    """A part and which of the wanted columns it has; an error on reading it says which file is damaged.

    Every part that is read raises the auditing event `isobudget.read_part`: a test counts them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sys.audit("isobudget.read_part", str(path))
    try:
        with pq.ParquetFile(path) as file:
            yield file, [name for name in wanted.names if name in file.schema_arrow.names]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        what = (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, PermissionError):  # nothing is known against the file
            raise RunError(f"{path}: may not be read: {error.strerror or what}") from None
        raise RunError(
            f"{path}: not a whole part of this run: {what}. "
            "Delete it, and the verdicts folder if it held samples, and run again: what is missing is made anew."
        ) from None


def _fitted(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """The table in the wanted form: columns that may be null and are missing are null."""
    import pyarrow as pa

    for field in wanted:
        if field.name not in table.schema.names:
            if not field.nullable:
                raise KeyError(f"no column {field.name}")
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(wanted.names).cast(wanted)


def _weight(row: Any) -> int:
    """About the bytes that a row's texts and lists take in memory."""
    weight = 0
    for name in row.__match_args__:
        value = getattr(row, name)
        if isinstance(value, str):
            weight += len(value)
        elif isinstance(value, list):
            weight += _BYTES_PER_NUMBER * len(value)
    return weight


def _numbered_parts(folder: Path) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    try:
        found = [(_PART.fullmatch(path.name), path) for path in folder.iterdir()]
    except OSError as error:
        raise RunError(f"{folder}: cannot be read: {error.strerror or error}") from None
    return [(int(match[1]), path) for match, path in found if match]
