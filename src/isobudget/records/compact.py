"""Merges many small parts into few large ones, for `isobudget compact`, while the run is locked for writing.

For each table, in this order:

    1. the rows of the old parts are written into new parts, whose names begin with a dot
    2. the manifest is switched: from now on, readers use the new parts
    3. the old parts are moved to `.superseded/TABLE/`
    4. the new parts get their final names

Wherever this is interrupted, the manifest lists a complete table, and the next writer continues with steps 3 and 4
(`records.recover`). On a disk, a glob over the folder sees every row once before step 3 and after step 4. Between
these steps the glob may miss rows, but it never sees a row twice. An object store cannot rename. So the new parts have
their final names there from step 1 on, and a glob sees rows twice until step 3 is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.grid import counted
from isobudget.progress import SILENT, Progress
from isobudget.records.manifest import Manifest, Part
from isobudget.records.new_parts import NewParts
from isobudget.records.parts import read_part
from isobudget.records.run import Run, load_run
from isobudget.records.schema import schema_of
from isobudget.records.tables import TABLES

#: approximate size of merged parts; larger parts are left as they are
PART_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Compacted:
    """The result of compacting a run.

    Attributes:
        run: the folder.
        tables: for each table, by name, the numbers of parts before and after.
        bytes_before, bytes_after: total size of the listed parts.
    """

    run: Path
    tables: dict[str, tuple[int, int]]
    bytes_before: int
    bytes_after: int

    def to_dict(self) -> dict[str, Any]:
        """The dict that `isobudget compact --json` prints."""
        tables = {name: {"parts_before": was, "parts_after": now} for name, (was, now) in self.tables.items()}
        return {
            "run": str(self.run),
            "tables": tables,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
        }

    def __str__(self) -> str:
        if all(was == now for was, now in self.tables.values()):
            return f"{self.run}: nothing to merge"
        lines = [f"{name}: {counted(was, 'part')} -> {now}" for name, (was, now) in self.tables.items() if was != now]
        size = f"{self.bytes_before / 2**20:,.1f} MiB -> {self.bytes_after / 2**20:,.1f} MiB"
        kept = f"The old parts are in {self.run}/.superseded. Delete that folder when no process reads them any more."
        return "\n".join([*lines, size, kept])


def compact(run: Run | str | Path, *, part_bytes: int = PART_BYTES, progress: Progress = SILENT) -> Compacted:
    """Merge the parts of every table of a run into few large ones.

    Args:
        run: the run or its folder.
        part_bytes: approximate size of the new parts.
        progress: shows the progress.

    Raises:
        RunError: the run does not exist or is in use, or a part is damaged.
        StorageError: a part cannot be written; existing parts are intact.
    """
    run = run if isinstance(run, Run) else load_run(run)
    with run.writing():
        before = run.manifest()
        progress.start("parts", sum(len(table.parts) for table in before.tables.values()))
        for name, table in before.tables.items():
            _compact_table(run.path / name, before, part_bytes)
            progress.advance("parts", len(table.parts))
        after = run.manifest()
    tables = {name: (len(table.parts), len(after.table(name).parts)) for name, table in before.tables.items()}
    return Compacted(run.path, tables, _size(before), _size(after))


def _size(manifest: Manifest) -> int:
    return sum(part.bytes for table in manifest.tables.values() for part in table.parts)


def groups(parts: Iterable[Part], part_bytes: int, known: Callable[[Part], bool]) -> list[list[Part]]:
    """A table's parts in order, grouped by the new part that they go into; a part that is not `known` stays alone."""
    grouped: list[list[Part]] = []
    for part in parts:
        together = grouped and known(part) and known(grouped[-1][0])
        if together and sum(one.bytes for one in grouped[-1]) + part.bytes <= part_bytes:
            grouped[-1].append(part)
        else:
            grouped.append([part])
    return grouped


def _compact_table(folder: Path, manifest: Manifest, part_bytes: int) -> None:
    """Compact one table. The order of rows is kept; a part that is merged with no other stays as it is."""
    row_type = TABLES[folder.name].row_type
    columns = set(schema_of(row_type).names)
    new = NewParts(folder)
    parts = manifest.table(folder.name).parts
    for group in groups(parts, part_bytes, lambda part: columns >= set(manifest.schemas.get(part.schema, "?"))):
        if len(group) == 1:
            new.keep(group[0])
        else:
            new.put(group, (block for part in group for block in read_part(folder / part.name, row_type)))
    new.switch()
