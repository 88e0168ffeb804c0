"""Replaces parts of a table in one step: whenever the process is interrupted, each row counts exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.records.manifest import Manifest, Part, TableParts, change_manifest, part_of
from isobudget.records.part_names import next_number
from isobudget.records.part_writer import ROWS_PER_GROUP, placed
from isobudget.records.recover import settle
from isobudget.records.schema import schema_of
from isobudget.records.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa


class NewParts:
    """Collects the new parts of a table whose run is locked for writing.

    Call `keep` and `put` for each part, in order; `switch` then puts them into effect. See `records.compact` for what a
    glob sees meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: list[Part] = []
        self._old: list[str] = []
        self._schemas: dict[str, dict[str, str]] = {}

    def keep(self, part: Part) -> None:
        """Keep an existing part."""
        self._listed.append(part)

    def put(self, old: Iterable[Part], blocks: Iterator[pa.Table]) -> None:
        """Write rows as one part that replaces old parts. Without rows no part is written.

        On a disk the new part gets its hidden name.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._old += [part.name for part in old]
        schema = schema_of(TABLES[self._folder.name].row_type)
        sink, rows = pa.BufferOutputStream(), 0
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for block in _even(blocks):
                rows += block.num_rows
                writer.write_table(block, row_group_size=ROWS_PER_GROUP)
        if rows:
            path, data = placed(self._folder, next_number(self._folder), sink.getvalue(), hide=True)
            part, columns = part_of(path.name, data, schema, rows)
            self._listed.append(part)
            self._schemas[part.schema] = columns

    def switch(self) -> None:
        """Replace the old parts by the new parts in the manifest. Nothing happens if all parts were kept.

        Raises:
            RunError: another writer has taken the run over.
            StorageError: a file cannot be moved; the next writer will continue.
        """
        if not self._old:
            return
        name, table = self._folder.name, TableParts(tuple(self._listed), tuple(self._old))

        def switched(now: Manifest) -> Manifest:
            return replace(now.having(name, table), schemas={**now.schemas, **self._schemas})

        change_manifest(self._folder.parent, switched)
        settle(self._folder, table)
        change_manifest(self._folder.parent, lambda now: now.having(name, replace(table, superseded=())))


def _even(blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in blocks of the read size, so that merged small parts do not stay small row groups."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for block in blocks:
        waiting.append(block)
        while sum(one.num_rows for one in waiting) >= ROWS_PER_GROUP:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, ROWS_PER_GROUP)
            waiting = [whole.slice(ROWS_PER_GROUP)]
    if waiting:
        yield pa.concat_tables(waiting)
