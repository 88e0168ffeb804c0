"""Which parts a run consists of: ``manifest.json`` beside ``run.toml``.

    {"format": 1, "nonce": "...",
     "schemas": {"5b0c...": {"benchmark": "string", ...}},
     "tables": {"samples": {"parts": [{"name": "part-000001.parquet", "rows": 20000, "bytes": 81920, "sha256": "...",
                                       "schema": "5b0c..."}],
                            "superseded": []}}}

Readers use the parts that the manifest lists, in its order. The manifest is replaced atomically: by a rename on a
disk, by a conditional put in an object store. A part counts once it is listed. If a killed writer left complete parts
unlisted, the next writer adds them (`records.recover`). `superseded` lists parts whose rows are now in other parts, but
which have not been moved to ``.superseded/`` yet.

A run made by an older version has no manifest: all of its parts count. A folder that is not a run has no manifest
either.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.errors import RunError
from isobudget.files.lease import fresh_nonce, put_held
from isobudget.files.store_path import StorePath

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
FILE_NAME = "manifest.json"
SUPERSEDED = ".superseded"
PART_NAME = re.compile(r"part-([0-9]{1,18})\.parquet")

_TABLE = re.compile(r"[A-Za-z0-9_]+")
#: a hash; or its beginning, which names a schema; or nothing, if the hash is not known
_HASH = re.compile(r"[0-9a-f]{0,64}")
#: most rows or bytes of a part
_MOST = 2**53

#: locks by run, so that the threads of a process change a manifest one after the other
_GUARDS: dict[str, threading.Lock] = defaultdict(threading.Lock)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the manifest lists.

    Attributes:
        name: file name in the table's folder.
        rows, bytes: number of rows and bytes.
        sha256: checksum of the file.
        schema: name of its schema in the manifest.
    """

    name: str
    rows: int
    bytes: int
    sha256: str
    schema: str


_OF_PART = tuple(one.name for one in fields(Part))


@dataclass(frozen=True, slots=True)
class TableParts:
    """The parts of one table in order, and the names of superseded parts."""

    parts: tuple[Part, ...] = ()
    superseded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All tables of a run.

    Attributes:
        tables: the parts of each table, by its name.
        schemas: by name, the Arrow type of each column.
    """

    tables: Mapping[str, TableParts] = field(default_factory=dict)
    schemas: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def table(self, name: str) -> TableParts:
        """The parts of a table; empty if it has none."""
        return self.tables.get(name, TableParts())

    def having(self, name: str, table: TableParts) -> Manifest:
        """A manifest with the parts of one table replaced."""
        return replace(self, tables={**self.tables, name: table})

    def adding(self, name: str, part: Part, columns: Mapping[str, str]) -> Manifest:
        """A manifest with one part added, which has these columns."""
        table = self.table(name)
        grown = self.having(name, replace(table, parts=(*table.parts, part)))
        return replace(grown, schemas={**self.schemas, part.schema: columns})

    def to_json(self) -> bytes:
        """The file's content, with a fresh nonce."""
        tables = {
            name: {"parts": [_plain(part) for part in table.parts], "superseded": list(table.superseded)}
            for name, table in self.tables.items()
            if table.parts or table.superseded
        }
        used = {part.schema for table in self.tables.values() for part in table.parts}
        schemas = {name: dict(columns) for name, columns in self.schemas.items() if name in used}
        whole = {"format": FORMAT, "nonce": fresh_nonce(), "schemas": schemas, "tables": tables}
        return (json.dumps(whole) + "\n").encode()


class ManifestError(RunError):
    """A manifest cannot be used.

    `what` is the fault. `kind` is ``newer`` if a newer isobudget made the manifest, else ``damaged``.
    """

    def __init__(self, path: Path, what: str, remedy: str, kind: str) -> None:
        super().__init__(f"{path}: {what}{remedy}")
        self.what = what
        self.kind = kind


def read_manifest(run: Path) -> Manifest | None:
    """The manifest of the run in `run`; None if it has none.

    Raises:
        RunError: the manifest cannot be read; a `ManifestError` if it is damaged or was made by a newer isobudget.
    """
    path = run / FILE_NAME
    try:
        if not (isinstance(path, StorePath) or stat.S_ISREG(path.stat().st_mode)):
            raise damaged(path, "is not a file")
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise damaged(path, "has an unexpected structure") from None
    except ValueError as error:
        raise damaged(path, f"is not JSON ({error})") from None
    return _checked(path, content)


def _checked(path: Path, content: Any) -> Manifest:
    stated = content.get("format") if isinstance(content, dict) else None
    if type(stated) is int and stated > FORMAT:
        what = f"format {str(stated)[:20]} of the manifest is newer than this isobudget knows (format {FORMAT})"
        raise ManifestError(path, what, "; use a newer isobudget", "newer")
    try:
        _require(type(stated) is int and stated == FORMAT)
        tables = {name: _table(name, table) for name, table in content["tables"].items()}
        schemas = {name: _columns(columns) for name, columns in content["schemas"].items()}
        return Manifest(tables, schemas)
    except KeyError as error:
        raise damaged(path, f"lacks {error}") from None
    except (TypeError, ValueError, AttributeError):
        raise damaged(path, "has an unexpected structure") from None


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError


def _plain(part: Part) -> dict[str, Any]:
    return {name: getattr(part, name) for name in _OF_PART}


def _table(name: str, stated: Mapping[str, Any]) -> TableParts:
    """A table's parts as the manifest states them, checked: no part may be named twice."""
    _require(_TABLE.fullmatch(name) is not None)
    parts, old = stated["parts"], stated["superseded"]
    _require(isinstance(parts, list) and isinstance(old, list))
    table = TableParts(tuple(map(_part, parts)), tuple(old))
    names = [*(part.name for part in table.parts), *old]
    _require(all(PART_NAME.fullmatch(one) for one in names) and len(set(names)) == len(names))
    return table


def _part(stated: Mapping[str, Any]) -> Part:
    part = Part(**{name: stated[name] for name in _OF_PART})
    _require(len(stated) == len(_OF_PART))
    _require(all(type(number) is int and 0 <= number <= _MOST for number in (part.rows, part.bytes)))
    _require(_HASH.fullmatch(part.sha256) is not None and _HASH.fullmatch(part.schema) is not None)
    return part


def _columns(stated: Mapping[str, str]) -> Mapping[str, str]:
    _require(all(name.isprintable() and kind.isprintable() for name, kind in stated.items()))
    return stated


def damaged(path: Path, what: str) -> ManifestError:
    """The error for a damaged manifest."""
    remedy = f"Rebuild the manifest from the parts in the folder with: isobudget check {path.parent} --repair"
    return ManifestError(path, what, f"; was the file edited or cut? {remedy}", "damaged")


def change_manifest(run: Path, change: Callable[[Manifest], Manifest]) -> Manifest | None:
    """Replace a run's manifest by the result of `change`; a run without a manifest stays as it is.

    Raises:
        RunError: the manifest cannot be read, or another writer has taken over.
        StorageError: the manifest cannot be written; the old one still applies.
    """
    with _GUARDS[str(run)]:
        manifest = read_manifest(run)
        return None if manifest is None else write_manifest(run, change(manifest))


def write_manifest(run: Path, manifest: Manifest) -> Manifest:
    """Write a manifest over the one that this process last wrote or read."""
    put_held(run / FILE_NAME, manifest.to_json())
    return manifest


def part_of(name: str, data: bytes, schema: pa.Schema, rows: int) -> tuple[Part, dict[str, str]]:
    """The manifest's entry for a part with this content, and the columns of its schema."""
    columns = columns_of(schema)
    known = hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:12]
    return Part(name, rows, len(data), hashlib.sha256(data).hexdigest(), known), columns


def columns_of(schema: pa.Schema) -> dict[str, str]:
    """The type of each column. For lists only the item type: Parquet and Arrow name the items differently."""
    import pyarrow as pa

    return {one.name: f"list<{one.type.value_type}>" if pa.types.is_list(one.type) else str(one.type) for one in schema}


def described(path: Path) -> tuple[Part, dict[str, str]] | None:
    """The manifest's entry for an existing file; None if the file is not a complete part.

    Raises:
        RunError: the file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not (isinstance(path, StorePath) or path.is_file()):
            return None
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        with pq.ParquetFile(io.BytesIO(data)) as file:
            return part_of(path.name, data, file.schema_arrow, file.metadata.num_rows)
    except (pa.ArrowException, OSError):
        return None
