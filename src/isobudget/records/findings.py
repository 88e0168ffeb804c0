"""Finds the faults of a part, and says what to do about each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from isobudget.grid import counted
from isobudget.records.manifest import Manifest, Part, TableParts, described
from isobudget.records.part_names import hidden, places
from isobudget.records.parts import DamagedPartError, read_part
from isobudget.records.schema import schema_of
from isobudget.records.tables import TABLES

#: the option of `isobudget check` that makes the safe repairs
REPAIR = "--repair"
_SET_ASIDE = f"put back an intact copy, or use {REPAIR} to set the file aside"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that a check found.

    Attributes:
        where: the file or table.
        kind: the kind of the fault: ``missing``, ``damaged``, ``misstated``, ``newer``, ``unlisted``, ``twice``,
            ``foreign``, ``left over``, ``unfinished``, ``unstated``, ``unknown``.
        what: what is wrong, and what is lost because of it.
        remedy: what to do.
    """

    where: Path
    kind: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. What to do: {self.remedy}"


def check_part(folder: Path, part: Part, manifest: Manifest) -> Finding | None:
    """The fault of one listed part; None if it has none."""
    path = folder / part.name
    lost = f"{counted(part.rows, 'row')} of {folder.name} are lost unless you put the file back"
    there = next((one for one in places(path) if one.is_file()), None)
    if there is None:
        remedy = f"put the file back, or use {REPAIR} to go on without it"
        return Finding(path, "missing", f"the file is gone: {lost}", remedy)
    if part.sha256 and hashlib.sha256(there.read_bytes()).hexdigest() != part.sha256:
        return Finding(path, "damaged", f"its content has changed since it was written: {lost}", _SET_ASIDE)
    if (described_part := described(there)) is None:
        return Finding(path, "damaged", "it is not a whole Parquet file", _SET_ASIDE)
    for stated, actual, unit in (
        (part.rows, described_part[0].rows, "rows"),
        (part.bytes, described_part[0].bytes, "bytes"),
    ):
        if part.sha256 and stated != actual:
            what = f"it has {actual:,} {unit}, but the manifest states {stated:,}"
            return Finding(path, "misstated", what, f"use {REPAIR} to correct the manifest; nothing is lost")
    columns = manifest.schemas.get(part.schema, {})
    return _of_columns(path, columns) or _of_values(path, columns)


def as_it_is(folder: Path, part: Part) -> Part:
    """A listed part with its actual number of rows and bytes; unchanged if the file is not a valid part."""
    there = next((one for one in places(folder / part.name) if one.is_file()), None)
    actual = described(there) if there is not None else None
    return part if actual is None else replace(part, rows=actual[0].rows, bytes=actual[0].bytes)


def _of_columns(path: Path, columns: Mapping[str, str]) -> Finding | None:
    schema = schema_of(TABLES[path.parent.name].row_type) if path.parent.name in TABLES else None
    if schema is None:
        return None
    if less := [one.name for one in schema if not one.nullable and one.name not in columns]:
        return Finding(path, "damaged", f"it has no column {less[0]!r}", _SET_ASIDE)
    if more := [name for name in columns if name not in schema.names]:
        what = f"a newer isobudget wrote the part: this one does not know the column {more[0]!r}"
        return Finding(path, "newer", what, "use a newer isobudget, because this one reads only the other columns")
    return None


def _of_values(path: Path, columns: Mapping[str, str]) -> Finding | None:
    """The fault of a part whose file is whole, but whose rows commands cannot read."""
    if path.parent.name not in TABLES:
        return None
    table = TABLES[path.parent.name]
    as_written = all(columns.get(one.name, str(one.type)) == str(one.type) for one in schema_of(table.row_type))
    try:
        for _ in read_part(path, table.row_type, list(table.key) if as_written else None):
            pass
    except DamagedPartError as error:
        return Finding(path, "damaged", error.what, _SET_ASIDE)
    return None


def left_over(folder: Path, table: TableParts) -> list[Path]:
    """Files left by interrupted writers: half-written files, and parts under hidden names that are not listed."""
    listed = {hidden(folder / part.name).name for part in table.parts}
    dotted = (path for path in folder.iterdir() if path.name.startswith(".part-"))
    return sorted(path for path in dotted if path.name not in listed)
