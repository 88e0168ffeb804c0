"""The first step of every writer: bring the manifest in line with the folder, however the last writer ended.

    no manifest                          -> made from all parts (the run is from an older version)
    complete parts that are not listed   -> added, if they belong to this run and repeat none of its rows
    superseded parts                     -> moved to `.superseded/`
    a part under its hidden name         -> gets its final name, once the parts that it replaces are moved
    a table whose parts are all gone     -> forgotten: somebody removed it on purpose

Nothing is deleted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from isobudget.files.store_path import StorePath
from isobudget.files.whole import make_folder, storage_error
from isobudget.records.manifest import (
    FILE_NAME,
    Manifest,
    Part,
    TableParts,
    change_manifest,
    damaged,
    described,
    read_manifest,
    write_manifest,
)
from isobudget.records.newcomers import Newcomers, Stated
from isobudget.records.part_names import free_name, numbered_parts, places, superseded, visible_parts
from isobudget.records.parts import is_gone
from isobudget.records.tables import table_folders


def recover(run: Path) -> Manifest:
    """Bring the manifest of a run in line with its folder. The run must be locked for writing.

    In an object store the manifest is rewritten even without a change, to lock out a writer whose lease has expired.

    Raises:
        RunError: the manifest is damaged, or another writer has taken over.
        StorageError: the manifest cannot be written.
    """
    before = read_manifest(run)
    if before is not None:
        check_is_of(run, before)
    manifest = Manifest() if before is None else before
    manifest = _without_removed(run, manifest)
    for name in list(manifest.tables):
        settle(run / name, manifest.table(name))
        manifest = manifest.having(name, replace(manifest.table(name), superseded=()))
    for folder in table_folders(run):
        manifest = _with_unlisted(folder, manifest, begins=before is None)
    if manifest != before or isinstance(run, StorePath):
        write_manifest(run, manifest)
    return manifest


def check_is_of(run: Path, manifest: Manifest) -> None:
    """Raise a `ManifestError` if the manifest belongs to another run: parts have the names in it, but none matches.

    If there is only one part and it does not match, the part is assumed to have changed.
    """
    others = 0
    for name, table in manifest.tables.items():
        for part in table.parts:
            there = next((one for one in places(run / name / part.name) if one.is_file()), None)
            if there is None:
                continue
            if not part.sha256 or there.stat().st_size == part.bytes:
                return
            actual = described(there)
            if actual is not None and actual[0].sha256 == part.sha256:
                return
            others += actual is not None
    if others > 1:
        raise damaged(run / FILE_NAME, "is of another run: it matches none of the parts that it lists")


def settle(folder: Path, table: TableParts) -> None:
    """Move superseded parts away, and give their replacements the final names.

    Raises:
        StorageError: a file cannot be moved.
    """
    for name in table.superseded:
        set_aside(folder / name)
    listed = {part.name for part in table.parts}
    for _, path in numbered_parts(folder):
        if path.name.removeprefix(".") in listed and path.name.startswith("."):
            _move(path, path.with_name(path.name.removeprefix(".")))


def replace_all(folder: Path, part: Part, columns: Mapping[str, str]) -> None:
    """Let a part with a hidden name replace all listed parts in one step, then move the replaced parts away.

    Raises:
        RunError: another writer has taken the run over.
        StorageError: a file cannot be moved; the next writer will continue.
    """
    name = folder.name

    def switched(now: Manifest) -> Manifest:
        old = now.table(name)
        table = TableParts((part,), (*old.superseded, *(one.name for one in old.parts)))
        return replace(now.having(name, table), schemas={**now.schemas, part.schema: columns})

    made = change_manifest(folder.parent, switched)
    if made is not None:
        settle(folder, made.table(name))
        change_manifest(folder.parent, lambda now: now.having(name, replace(now.table(name), superseded=())))


def set_aside(path: Path) -> None:
    """Move a part to `.superseded/`, if it still exists. A part of the same name that is already there is renamed."""
    aside = superseded(path)
    make_folder(aside.parent)
    with contextlib.suppress(FileNotFoundError):
        if path.exists() and aside.exists():
            _move(aside, free_name(aside))
        _move(path, aside)


def _move(path: Path, to: Path) -> None:
    try:
        path.rename(to)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise storage_error(error, to) from error


def _without_removed(run: Path, manifest: Manifest) -> Manifest:
    for name, table in manifest.tables.items():
        if table.parts and is_gone([run / name / part.name for part in table.parts]):
            manifest = manifest.having(name, replace(table, parts=()))
    return manifest


def unlisted(folder: Path, table: TableParts) -> list[Path]:
    """The parts of a table that a glob sees but its manifest does not list."""
    known = {*(part.name for part in table.parts), *table.superseded}
    return [path for path in visible_parts(folder) if path.name not in known]


def _with_unlisted(folder: Path, manifest: Manifest, begins: bool) -> Manifest:
    """The manifest with the table's unlisted parts added.

    A new manifest lists even damaged parts, so that reading them fails.
    """
    if not (paths := unlisted(folder, manifest.table(folder.name))):
        return manifest
    newcomers = Newcomers(folder, manifest.table(folder.name).parts, Stated.of(folder.parent, manifest))
    for path in paths:
        part = described(path)
        if part is None and begins:
            part = Part(path.name, 0, 0, "", ""), {}
        if part is not None and not (newcomers.foreign(path) if begins else newcomers.refused(path)):
            manifest = manifest.adding(folder.name, *part)
    return manifest
