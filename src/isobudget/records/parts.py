"""Reads a table's parts one row group at a time, with only the requested columns and rows.

A run's manifest says which parts count (`records.manifest`); in a folder without a manifest all parts count. Rows are
frozen dataclasses, whose fields are the columns. A field that may be None may be missing from a part that an older
version wrote. The field then reads as null.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.errors import RunError
from isobudget.files.store_path import StorePath
from isobudget.records.manifest import read_manifest
from isobudget.records.part_names import places, visible_parts
from isobudget.records.schema import coded_schema, schema_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

_ROWS_READ_AT_ONCE = 1_000
#: if the manifest states this many rows of a part or more, the part itself is asked
_MANY_ROWS = 1_000_000
#: most bits of a sample's index, in rows and in keys
INDEX_BITS = 31


class DamagedPartError(RunError):
    """A part is damaged: its content is not as isobudget wrote it. `what` states the damage."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path}: not a whole part of this run: {what}. Put back an intact copy. If you have none, set the part "
            "aside with the following command; the next run then generates the missing rows again: "
            f"isobudget check {path.parent.parent} --repair"
        )
        self.what = what


def read_each(
    folder: Path,
    row_type: type[Any],
    columns: list[str] | None = None,
    where: ds.Expression | None = None,
    *,
    coded: bool = False,
) -> Iterator[pa.Table]:
    """The table's rows, one row group after the other; empty if there is no folder.

    Args:
        folder: folder of the table.
        row_type: dataclass of its rows.
        columns: columns to read; None for all.
        where: condition on rows; row groups without a match are not read.
        coded: return texts dictionary-encoded, which is much faster if there are few different ones. In this mode, all
            rows of a row group are returned if any of them matches `where`.

    Raises:
        RunError: a part is damaged or lacks a column.
    """
    for path in part_paths(folder):
        yield from read_part(path, row_type, columns, where, coded=coded)


def read_part(
    path: Path,
    row_type: type[Any],
    columns: list[str] | None = None,
    where: ds.Expression | None = None,
    *,
    coded: bool = False,
) -> Iterator[pa.Table]:
    """The rows of one part, see `read_each`."""
    import pyarrow.dataset as ds

    schema = schema_of(row_type)
    names = columns or schema.names
    with _opened(path, schema, names) as (part, file):
        blocks = part.split_by_row_group(where, schema=schema)
        if not coded:
            for block in blocks:
                yield _in_range(block.to_table(schema=schema, columns=names, filter=where))
            return
        shown = coded_schema(schema, names)
        texts = {one.name for one in shown if one.type != schema.field(one.name).type}
        as_numbers = ds.ParquetFileFormat(dictionary_columns=texts).make_fragment(file)  # of it, statistics do not tell
        for block in blocks:
            rows = as_numbers.subset(row_group_ids=[block.row_groups[0].id])
            yield _in_range(rows.to_table(schema=shown, columns=names))


def _in_range(block: pa.Table) -> pa.Table:
    """Return the block. An index that no sample can have is reported as damage, like a missing column."""
    import pyarrow.compute as pc

    if "index" in block.column_names and block.num_rows:
        ends = pc.min_max(block["index"]).as_py()
        for index in (ends["min"], ends["max"]):
            if not 0 <= index < 1 << INDEX_BITS:
                raise KeyError(f"a row with the index {index}, which no sample has")
    return block


def read_rows(folder: Path, row_type: type[Any], where: ds.Expression | None = None) -> Iterator[Any]:
    """The table's rows as objects, with one row group in memory at a time; with `where` only those that match."""
    for path in part_paths(folder):
        yield from read_part_rows(path, row_type, where)


def read_part_rows(path: Path, row_type: type[Any], where: ds.Expression | None = None) -> Iterator[Any]:
    """The rows of one part as objects. At most one row group, and a thousand objects, are in memory at a time."""
    for block in read_part(path, row_type, where=where):
        for batch in block.to_batches(max_chunksize=_ROWS_READ_AT_ONCE):
            for fields in batch.to_pylist():
                yield row_type(**fields)


def rows_in_table(folder: Path) -> int:
    """The number of rows of a table. Rows of a damaged part are not counted; reading the part reports the damage.

    Callers allocate memory for this number. If the manifest states very many rows, they are therefore counted in the
    part itself.
    """
    manifest = read_manifest(folder.parent)
    if manifest is not None:
        listed = {part.name: part.rows for part in manifest.table(folder.name).parts}
        stated = ((path, listed[path.name]) for path in part_paths(folder))
        return sum(rows if rows < _MANY_ROWS else min(rows, _rows_in(path)) for path, rows in stated)
    return sum(map(_rows_in, part_paths(folder)))


def _rows_in(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with contextlib.suppress(pa.ArrowException, OSError), open_part_file(path) as file:
        return int(pq.read_metadata(file).num_rows)
    return 0


def bytes_of_table(folder: Path) -> int:
    """Total size in bytes of a table's parts."""
    manifest = read_manifest(folder.parent)
    if manifest is not None:
        return sum(part.bytes for part in manifest.table(folder.name).parts)
    return sum(path.stat().st_size for path in part_paths(folder))


def part_paths(folder: Path) -> list[Path]:
    """The table's parts in order; empty if there is no folder or it was emptied by hand."""
    manifest = read_manifest(folder.parent)
    if manifest is None:
        return visible_parts(folder)
    listed = [folder / part.name for part in manifest.table(folder.name).parts]
    return [] if listed and is_gone(listed) else listed


def is_gone(listed: list[Path]) -> bool:
    """Whether all files of a table's parts are gone."""
    return not any(one.exists() for path in listed for one in places(path))


def dataset_of(folder: Path, row_type: type[Any]) -> ds.Dataset:
    """A table of a run as an Arrow dataset, which reads parts on demand."""
    import pyarrow.dataset as ds
    import pyarrow.fs as fs

    form, local = ds.ParquetFileFormat(), fs.LocalFileSystem()
    existing = [next((one for one in places(path) if one.exists()), path) for path in part_paths(folder)]
    fragments = [
        form.make_fragment(path.open("rb"))
        if isinstance(path, StorePath)
        else form.make_fragment(str(path), filesystem=local)
        for path in existing
    ]
    return ds.FileSystemDataset(fragments, schema_of(row_type), form, local)


def open_part_file(path: Path) -> Any:
    """Open a part's file, wherever the file is now; an open file stays readable when it is moved.

    Raises:
        FileNotFoundError: the file is in none of the possible places.
    """
    import pyarrow as pa

    for one in places(path):
        with contextlib.suppress(FileNotFoundError):
            return pa.PythonFile(one.open("rb"), "r") if isinstance(one, StorePath) else pa.OSFile(str(one))
    raise FileNotFoundError(f"{path}")


@contextlib.contextmanager
def _opened(path: Path, schema: pa.Schema, names: list[str]) -> Iterator[tuple[ds.ParquetFileFragment, Any]]:
    """Check that a part has the columns and open its file; a read error says which file is damaged.

    Reading a part raises the auditing event `isobudget.read_part`, which a test counts.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    sys.audit("isobudget.read_part", str(path))
    try:
        with open_part_file(path) as file:
            fragment = ds.ParquetFileFormat().make_fragment(file)
            there = fragment.physical_schema.names
            for name in names:
                if name not in there and not schema.field(name).nullable:
                    raise KeyError(f"no column {name!r}")
            yield fragment, file
    except FileNotFoundError:
        raise RunError(
            f"{path}: is missing, but the run's manifest lists it. Put the file back. If it is lost, remove it from "
            "the manifest with the following command; the next run then generates the missing rows again: "
            f"isobudget check {path.parent.parent} --repair"
        ) from None
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        if isinstance(error, PermissionError):  # nothing is known against the file
            raise RunError(f"{path}: cannot be read: {error.strerror or error}") from None
        what = "it is truncated, changed, or not a Parquet file"
        if isinstance(error, KeyError):
            what = f"it has {error.args[0]}"
        elif isinstance(error, OSError) and error.strerror:
            what = error.strerror
        raise DamagedPartError(path, what) from None
