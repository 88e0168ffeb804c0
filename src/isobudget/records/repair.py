"""Makes those repairs of a damaged run folder that are safe. Nothing is deleted: files move to `.superseded/`.

- Work of an interrupted writer is put in order, as every later writer does it, see `records.recover`.
- A manifest that cannot be read or is of another run is set aside, and rebuilt from the existing parts.
- Wrong rows or bytes in the manifest are corrected.
- A damaged or missing part is no longer listed: the next run regenerates what is missing.
- Rows about missing samples no longer count, so that samples which are generated again get new verdicts.
- Parts of other runs or with duplicate rows, and files of interrupted writers, are set aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from isobudget.files.lease import held
from isobudget.files.store_path import StorePath
from isobudget.files.whole import make_folder
from isobudget.grid import counted
from isobudget.progress import SILENT, Progress
from isobudget.records.facts import begin_writing
from isobudget.records.findings import as_it_is, check_part, left_over
from isobudget.records.keys import SampleKeys
from isobudget.records.manifest import (
    FILE_NAME,
    SUPERSEDED,
    Manifest,
    ManifestError,
    described,
    read_manifest,
    write_manifest,
)
from isobudget.records.new_parts import NewParts
from isobudget.records.newcomers import Newcomers, Stated
from isobudget.records.part_names import free_name, numbered_parts
from isobudget.records.parts import read_part
from isobudget.records.recover import check_is_of, recover, set_aside, settle, unlisted
from isobudget.records.rows import KEY_COLUMNS, SampleRow
from isobudget.records.tables import TABLES, table_folders

if TYPE_CHECKING:
    import pyarrow as pa

#: tables whose rows are about a sample of the run
OF_SAMPLES = ("verdicts", "scores", "observations", "attempts")


def repair_run(folder: Path, progress: Progress = SILENT) -> list[str]:
    """Repair a run; returns one sentence for each repair.

    Raises:
        RunError: the run is in use, or a newer isobudget made its manifest.
        StorageError: a file cannot be moved or written.
    """
    done: list[str] = []
    with held(folder):
        try:
            before = read_manifest(folder)
            if before is not None:
                check_is_of(folder, before)
        except ManifestError as error:
            if error.kind != "damaged":
                raise
            done += _set_manifest_aside(folder)
            before = None
        begin_writing(folder)
        manifest = _made_anew(folder, progress) if done else recover(folder)
        done += _differences(before, manifest) if not done else []
        done += _mend_listed(folder, progress)
        samples = SampleKeys.of_table(folder / "samples", SampleRow)
        for name in OF_SAMPLES:
            done += _drop_without_samples(folder / name, samples)
        done += _set_rest_aside(folder)
    return done


def _differences(before: Manifest | None, after: Manifest) -> Iterator[str]:
    for name, table in after.tables.items():
        old = None if before is None else before.table(name)
        listed = set() if old is None else {part.name for part in old.parts}
        if come := [part for part in table.parts if part.name not in listed]:
            yield f"{name}: {counted(len(come), 'part')} with {sum(part.rows for part in come):,} rows added"
        if old is not None and old.superseded:
            yield f"{name}: completed the interrupted merging of parts"
        if old is not None and old.parts and not table.parts:
            yield f"{name}: removed from the manifest, since all of its parts are gone"


def _set_manifest_aside(folder: Path) -> list[str]:
    path = folder / FILE_NAME
    aside = free_name(folder / SUPERSEDED / FILE_NAME)
    make_folder(aside.parent)
    if isinstance(path, StorePath) or path.is_file():
        aside.write_bytes(path.read_bytes())
    else:
        path.rename(aside)
    return [f"{path} rebuilt from the parts in the folder; the damaged manifest is now {aside}"]


def _made_anew(folder: Path, progress: Progress) -> Manifest:
    """A manifest of all complete parts. A part with rows that an earlier part has is left out.

    Parts under hidden names come first, because a writer made them to replace other parts.
    """
    manifest = Manifest()
    parts_by_table = {table: numbered_parts(table) for table in table_folders(folder)}
    progress.start("reading parts", sum(map(len, parts_by_table.values())))
    for table, parts in parts_by_table.items():
        newcomers = Newcomers(table, (), Stated.of(folder, manifest))
        for _, path in sorted(parts, key=lambda one: (not one[1].name.startswith("."), one[0])):
            actual = described(path)
            if actual is not None and newcomers.refused(path) is None:
                part = replace(actual[0], name=path.name.removeprefix("."))
                manifest = manifest.adding(table.name, part, actual[1])
            progress.advance("reading parts", 1)
        settle(table, manifest.table(table.name))
    return write_manifest(folder, manifest)


def _set_rest_aside(folder: Path) -> Iterator[str]:
    """Set aside files in table folders that the manifest does not list."""
    manifest = read_manifest(folder) or Manifest()
    for table in table_folders(folder):
        listed = manifest.table(table.name)
        paths = [*unlisted(table, listed), *left_over(table, listed)]
        newcomers = Newcomers(table, (), Stated.of(folder, manifest)) if paths else None
        for path in paths:
            why = newcomers.foreign(path) if newcomers and described(path) else None
            set_aside(path)
            yield f"{path} moved to {SUPERSEDED}" + (f": {why.what}" if why else "")


def _mend_listed(folder: Path, progress: Progress) -> Iterator[str]:
    """Remove damaged or missing parts from the manifest, and correct what it states about the others."""
    manifest = read_manifest(folder) or Manifest()
    progress.start("listed parts", sum(len(table.parts) for table in manifest.tables.values()))
    for name, table in manifest.tables.items():
        progress.advance("listed parts", len(table.parts))
        findings = {part: check_part(folder / name, part, manifest) for part in table.parts}
        kinds = {part: one.kind for part, one in findings.items() if one is not None}
        bad = [part for part, kind in kinds.items() if kind in ("damaged", "missing")]
        true = {part: as_it_is(folder / name, part) for part, kind in kinds.items() if kind == "misstated"}
        if not bad and not true:
            continue
        kept = tuple(true.get(part, part) for part in table.parts if part not in bad)
        manifest = manifest.having(name, replace(table, parts=kept))
        write_manifest(folder, manifest)
        for part, now in true.items():
            yield f"the manifest now states {folder / name / part.name} as it is: {counted(now.rows, 'row')}"
        for part in bad:
            set_aside(folder / name / part.name)
            yield f"{folder / name / part.name} no longer counts: {counted(part.rows, 'row')} to be regenerated"


def _drop_without_samples(folder: Path, samples: SampleKeys) -> Iterator[str]:
    """Drop rows about samples that the run does not have. The parts that held such rows are set aside."""
    manifest = read_manifest(folder.parent) or Manifest()
    new, dropped = NewParts(folder), False
    for part in manifest.table(folder.name).parts:
        blocks = [
            (block, _known(block, samples)) for block in read_part(folder / part.name, TABLES[folder.name].row_type)
        ]
        if all(all(known) for _, known in blocks):
            new.keep(part)
        else:
            dropped = True
            new.put([part], (block.filter(known) for block, known in blocks))
    new.switch()
    if dropped:
        yield f"{folder}: rows on samples that are gone no longer count"


def _known(block: pa.Table, samples: SampleKeys) -> list[bool]:
    columns = [block[name].to_pylist() for name in KEY_COLUMNS]
    return [key in samples for key in zip(*columns, strict=True)]
