"""A file, folder or data frame to import, in the form that its importer needs: records, a document, a zip, a table.

Sources are not trusted: a line may have at most `MAX_LINE_BYTES`, an unpacked JSON document at most
`MAX_DOCUMENT_BYTES`; nothing is written, and no name inside a file is used as a path.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from isobudget.errors import InputError
from isobudget.files.csv_text import LEADING_COLUMNS, unguarded
from isobudget.files.jsonl import MAX_LINE_BYTES, parse_json, read_numbered
from isobudget.files.store_path import StorePath, place
from isobudget.files.whole import check_regular, decode, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

#: maximum size of a JSON document, which must fit into memory as a whole
MAX_DOCUMENT_BYTES = 2**30
_HEAD_BYTES = 64 * 2**10
#: columns of a CSV file whose cells are numbers, truth values, or lists written as JSON
_TYPED = frozenset(
    ("n", "c", "passed", "index", "greedy", "completion_tokens", "prompt_tokens", "seconds", "usd", "cut_off")
)

_COUNTED = _TYPED - {"seconds", "usd"}

#: an example of a line, for messages
_EXAMPLE = '{"model": "7b", "task_id": "t1", "n": 10, "c": 3}'


#: columns of texts, where an empty cell is an empty text; in other columns it is a missing value
TEXT_COLUMNS = frozenset(("completion", "solution", "output"))


#: file name endings of tables in text form
_TABLES = (".csv", ".tsv")


class Shape(StrEnum):
    """The kind of data in a source."""

    LINES = "lines"
    DOCUMENT = "document"
    CSV = "csv"
    TABLE = "table"
    ZIP = "zip"
    FOLDER = "folder"


class Source:
    """A file, folder or data frame; it is read on demand.

    Attributes:
        path: the path of the file or folder; for a data frame, the name that messages use.
    """

    def __init__(self, path: Path | str, table: pa.Table | None = None) -> None:
        self.path = place(path)
        self._table = table

    @cached_property
    def shape(self) -> Shape:
        """The kind of data, detected from the first bytes.

        Raises:
            InputError: the source cannot be read, or has none of these shapes.
        """
        if self._table is not None:
            return Shape.TABLE
        if self.path.is_dir():
            return Shape.FOLDER
        check_regular(self.path)
        head = self._head
        if head.startswith(b"PAR1"):
            return Shape.TABLE
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return Shape.ZIP
        text = head.decode("utf-8-sig", "ignore").lstrip()
        if text.startswith("["):
            return Shape.DOCUMENT
        first = text.split("\n", 1)[0].rstrip()
        if text.startswith("{"):
            return Shape.DOCUMENT if first.endswith(("{", "[")) and _goes_on(text) else Shape.LINES
        if _is_csv_heading(first):
            return Shape.CSV
        if first and is_text_table(self.path):
            raise InputError(f"{self.path}, line 1: no column is called `task_id`; the first line is {first[:80]!r}")
        return Shape.LINES

    @cached_property
    def first(self) -> dict[str, Any]:
        """The first record; for a document that is a single object, the object itself; empty if there is none.

        Raises:
            InputError: the source is damaged, or not JSON.
        """
        if self.shape is Shape.FOLDER or self.shape is Shape.ZIP:
            return {}
        if self.shape is Shape.DOCUMENT:
            document = self.document
            first = document[0] if isinstance(document, list) and document else document
            return first if isinstance(first, dict) else {}
        return next((record for _, record in self.records()), {})

    @cached_property
    def document(self) -> Any:
        """The value of a JSON document; of JSON lines, the first record. None if the source has another shape.

        Raises:
            InputError: the source is not JSON, not UTF-8, too large, or damaged compressed data.
        """
        if self.shape is Shape.LINES:
            return self.first
        if self.shape is not Shape.DOCUMENT:
            return None
        try:
            with self._open() as stream:
                data = stream.read(MAX_DOCUMENT_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self.path}: the gzip data is damaged or cut off ({error})") from error
        except OSError as error:
            raise unreadable(error, self.path) from error
        if len(data) > MAX_DOCUMENT_BYTES:
            raise InputError(f"{self.path}: has more than {MAX_DOCUMENT_BYTES // 2**30} GiB of JSON in one document")
        return parse_json(decode(data, str(self.path)), str(self.path))

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Every line, row or list entry: its number, from 1, and its fields.

        Raises:
            InputError: the file is damaged, or an entry is not an object.
        """
        if self.shape is Shape.LINES:
            yield from read_numbered(self.path, example=_EXAMPLE, once=True)
        elif self.shape is Shape.CSV:
            yield from self._csv()
        elif self.shape is Shape.TABLE:
            yield from self._rows()
        elif isinstance(self.document, list):
            for number, entry in enumerate(self.document, start=1):
                if not isinstance(entry, dict):
                    raise InputError(f"{self.where(number)}: must be a JSON object")
                yield number, entry

    def where(self, number: int) -> str:
        """File and place, for messages."""
        what = {Shape.DOCUMENT: "entry", Shape.TABLE: "row"}.get(self.shape, "line")
        return f"{self.path}, {what} {number}"

    def columns(self) -> list[str]:
        """The names of a table's columns."""
        if self._table is not None:
            return list(self._table.column_names)
        with self._parquet() as file:
            return list(file.schema_arrow.names)

    @cached_property
    def _head(self) -> bytes:
        try:
            with self._open() as stream:
                return stream.read(_HEAD_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self.path}, after line 0: the gzip data is damaged or cut off ({error})") from error
        except (OSError, ValueError) as error:
            raise unreadable(error, self.path, runs=True) from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        with self.path.open("rb") as raw:
            packed = raw.peek(2).startswith(b"\x1f\x8b")
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw

    def _csv(self) -> Iterator[tuple[int, dict[str, Any]]]:
        lines = 0
        csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))  # the module's own is 128 KiB
        try:
            with self._open() as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
                heading = text.readline(MAX_LINE_BYTES)
                names = [name.strip() for name in next(csv.reader([heading], delimiter=_delimiter(heading)))]
                _check_columns(names, f"{self.path}, line 1")
                ours = tuple(names[: len(LEADING_COLUMNS)]) == LEADING_COLUMNS
                reader = csv.reader(text, delimiter=_delimiter(heading))
                for cells in reader:
                    lines = reader.line_num + 1
                    if not any(cells):
                        continue
                    if len(cells) != len(names):
                        raise InputError(
                            f"{self.path}, line {lines}: has {len(cells)} cells, but the table has {len(names)} columns"
                        )
                    yield lines, {name: _cell(name, cell, ours) for name, cell in zip(names, cells, strict=True)}
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}, after line {lines}: is not UTF-8 ({error}); save it as UTF-8") from error
        except (csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self.path}, after line {lines}: is damaged ({error})") from error
        except OSError as error:
            raise unreadable(error, self.path) from error

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        import pyarrow as pa

        numbers = itertools.count(1)
        _check_columns(self.columns(), str(self.path))
        try:
            if self._table is not None:
                batches = iter(self._table.to_batches(max_chunksize=1000))
                for batch in batches:
                    yield from zip(numbers, _without_nulls(batch.to_pylist()), strict=False)
                return
            with self._parquet() as file:
                for batch in file.iter_batches(batch_size=1000):
                    yield from zip(numbers, _without_nulls(batch.to_pylist()), strict=False)
        except (pa.ArrowException, OSError) as error:
            what = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{self.path}: is not a whole Parquet file ({what})") from error

    def _parquet(self) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path.open("rb") if isinstance(self.path, StorePath) else self.path)
        except (pa.ArrowException, OSError) as error:
            what = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{self.path}: is not a whole Parquet file ({what})") from error


def is_text_table(path: Path | StorePath) -> bool:
    """Whether the file's name says that it is a table in text form."""
    return path.name.removesuffix(".gz").lower().endswith(_TABLES)


def _goes_on(text: str) -> bool:
    """Whether the JSON value of the first line continues in the following text, which is then not JSON lines."""
    rest = text.split("\n", 1)[1:]
    return bool(rest) and not rest[0].lstrip().startswith("{")


def _is_csv_heading(line: str) -> bool:
    return "task_id" in [cell.strip().strip('"') for cell in line.split(_delimiter(line))]


def _check_columns(names: list[str], where: str) -> None:
    """Refuse a table with columns whose names would silently replace each other."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{where}: the column {twice[:80]!r} occurs twice; keep one of them, or rename it")


def _delimiter(heading: str) -> str:
    return max(",;\t", key=heading.count)


def _cell(name: str, text: str, ours: bool) -> Any:
    """A cell as the JSON value for which it stands.

    An empty cell is an empty text in the columns of samples' texts (`TEXT_COLUMNS`), else None. Only in known columns
    cells become numbers, truth values or lists.

    The guard character against spreadsheet formulas is removed. In the columns of samples' texts it is removed only if
    isobudget wrote the table (`ours`), because in other tables a program may begin with `'='`.
    """
    if text == "":
        return text if name in TEXT_COLUMNS else None
    if ours or name not in TEXT_COLUMNS:
        text = unguarded(text)
    if name not in _TYPED:
        return text
    try:
        return _whole(name, json.loads(text.lower() if text.lower() in ("true", "false") else text))
    except (ValueError, RecursionError):
        return text


def _without_nulls(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows without null and NaN values: a table has every column in every row, and pandas fills gaps with NaN."""
    for row in rows:
        yield {name: _whole(name, value) for name, value in row.items() if value is not None and value == value}


def _whole(name: str, value: Any) -> Any:
    """A cell of an integer column as an integer: if the column has gaps, pandas stores floats, with 10.0 for 10."""
    if isinstance(value, list):
        return [_whole(name, one) for one in value]
    return int(value) if name in _COUNTED and isinstance(value, float) and value.is_integer() else value
