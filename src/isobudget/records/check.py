"""Checks whether a run folder is complete and undamaged, for `isobudget check`, and says what to do about faults.

Every part that the manifest lists is read and hashed. Each fault is a `Finding`, which also states the remedy.
`records.repair` makes the repairs that are safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.files.lease import release_other
from isobudget.files.near import RUN_FILE
from isobudget.grid import counted
from isobudget.progress import SILENT, Progress
from isobudget.records import facts as run_facts
from isobudget.records.example import run_folder
from isobudget.records.findings import REPAIR, Finding, check_part, left_over
from isobudget.records.keys import SampleKeys
from isobudget.records.manifest import (
    FILE_NAME,
    PART_NAME,
    SUPERSEDED,
    Manifest,
    ManifestError,
    Part,
    TableParts,
    described,
    read_manifest,
)
from isobudget.records.newcomers import Newcomers, Stated
from isobudget.records.part_names import numbered_parts, visible_parts
from isobudget.records.parts import is_gone
from isobudget.records.recover import check_is_of, unlisted
from isobudget.records.repair import repair_run
from isobudget.records.tables import TABLES, table_folders

_WRITER = "nothing: the next command that writes to the run repairs it; to repair it now, use --repair"


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check.

    Attributes:
        run: the folder.
        format: format version in ``run.toml``.
        tables: number of rows and parts by table.
        bytes: total size of the listed parts.
        samples: number of samples.
        judged: number of samples with a verdict.
        findings: the faults; empty if the run is complete.
        notes: other information for the user.
        repaired: repairs that were made, one sentence each.
    """

    run: Path
    format: int
    tables: Mapping[str, tuple[int, int]]
    bytes: int
    samples: int
    judged: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """The dict that `isobudget check --json` prints."""
        return {
            "run": str(self.run),
            "format": self.format,
            "whole": self.whole,
            "tables": {name: {"rows": rows, "parts": parts} for name, (rows, parts) in self.tables.items()},
            "bytes": self.bytes,
            "samples": self.samples,
            "judged": self.judged,
            "findings": [asdict(one) | {"where": str(one.where)} for one in self.findings],
            "notes": list(self.notes),
            "repaired": list(self.repaired),
        }

    def __str__(self) -> str:
        tables = ", ".join(
            f"{name} {rows:,} in {counted(parts, 'part')}" for name, (rows, parts) in self.tables.items()
        )
        lines = [f"{self.run}: format {self.format}; {tables or 'no rows'}; {self.bytes / 2**20:,.1f} MiB"]
        lines += [f"repaired: {one}" for one in self.repaired]
        lines += [f"note: {one}" for one in self.notes]
        lines += [f"{one.kind}: {one}" for one in self.findings]
        return "\n".join([*lines, "whole" if self.whole else f"faults: {len(self.findings)}"])


def check_run(
    run: str | Path, *, repair: bool = False, take_over: bool = False, progress: Progress = SILENT
) -> Checked:
    """Check a run folder.

    Args:
        run: the folder.
        repair: first make the safe repairs, see `records.repair`.
        take_over: first end the lease that another writer holds on a run in an object store.
        progress: shows the progress.

    Raises:
        RunError: the folder is not a run, was made by a newer isobudget, or (with `repair`) is in use.
        StorageError: the folder cannot be reached, or repairs cannot be written.
    """
    folder = run_folder(run)
    run_facts.read_facts(folder)  # says what is not a run, or newer
    done = []
    if take_over and (holder := release_other(folder)):
        done.append(f"ended the lease of {holder}: anything that {holder} still writes does not count")
    if repair:
        done += repair_run(folder, progress)
    return _look(folder, tuple(done), progress)


def _look(folder: Path, done: tuple[str, ...], progress: Progress) -> Checked:
    facts = run_facts.read_facts(folder)
    notes: list[str] = []
    findings: list[Finding] = []
    try:
        manifest = read_manifest(folder)
        if manifest is not None:
            check_is_of(folder, manifest)
    except ManifestError as error:
        return _without_manifest(folder, facts["format"], error, done)
    if manifest is None:
        notes.append(
            "the run was made by an older version, without a manifest, so hashes are not known; the next command that "
            "writes to the run adds a manifest"
        )
        manifest = _all_parts(folder)
    if unfinished := facts.get(run_facts.UNFINISHED):
        what = f"the {unfinished} into this run was stopped before its end"
        findings.append(Finding(folder, "unfinished", what, f"run the same {unfinished} again, which starts over"))
    progress.start("parts", sum(len(table.parts) for table in manifest.tables.values()))
    for name, table in manifest.tables.items():
        findings += _of_table(folder / name, table, manifest, progress)
    for path in table_folders(folder):
        findings += _beside(path, manifest)
    findings += _strange(folder)
    samples = judged = 0
    if not any(one.kind in ("damaged", "misstated", "missing") for one in findings):
        keys = {name: SampleKeys.of_table(folder / name, TABLES[name].row_type) for name in ("samples", "verdicts")}
        samples, judged = len(keys["samples"]), len(keys["verdicts"])
        findings += [] if unfinished else _of_keys(folder, manifest, keys)
        findings += [] if unfinished else _unstated(folder, facts, keys["samples"], findings)
        if samples > judged:
            have = "has" if samples - judged == 1 else "have"
            without = f"{counted(samples - judged, 'sample')} {have} no verdict"
            notes.append(f"{without}; judge with: isobudget judge {folder}")
    if old := sum(len(numbered_parts(folder / SUPERSEDED / name)) for name in TABLES):
        parts = f"{counted(old, 'part')} in {folder / SUPERSEDED}"
        notes.append(f"{parts}: no longer needed, so you can delete that folder")
    return Checked(
        folder,
        facts["format"],
        *_size(manifest),
        samples,
        judged,
        tuple(findings),
        tuple(notes),
        done,
    )


def _size(manifest: Manifest) -> tuple[dict[str, tuple[int, int]], int]:
    """Rows and parts of each table that has any, and the total size in bytes."""
    parts = {name: table.parts for name, table in manifest.tables.items() if table.parts}
    tables = {name: (sum(part.rows for part in own), len(own)) for name, own in parts.items()}
    return tables, sum(part.bytes for own in parts.values() for part in own)


def _without_manifest(folder: Path, form: int, error: ManifestError, done: tuple[str, ...]) -> Checked:
    """The result for a run whose manifest cannot be used: the contents of its folder."""
    anew = f"use {REPAIR} to rebuild the manifest from the parts in the folder"
    remedy = anew if error.kind == "damaged" else "use a newer isobudget, because this one does not change the run"
    finding = Finding(folder / FILE_NAME, error.kind, error.what, remedy)
    note = "the manifest cannot say which parts belong to the run: the numbers above count all parts in the folder"
    return Checked(folder, form, *_size(_all_parts(folder)), 0, 0, (finding,), (note,), done)


def _all_parts(folder: Path) -> Manifest:
    """A manifest of all parts in the folder, for a run without a readable one."""
    manifest = Manifest()
    for table in table_folders(folder):
        newcomers = Newcomers(table, (), Stated.of(folder, manifest))
        for path in visible_parts(table):
            part_and_schema = described(path) or (Part(path.name, 0, 0, "", ""), {})
            if newcomers.foreign(path) is None:
                manifest = manifest.adding(table.name, *part_and_schema)
    return manifest


def _of_table(folder: Path, table: TableParts, manifest: Manifest, progress: Progress) -> Iterator[Finding]:
    """Faults of the parts that the manifest lists."""
    if table.parts and is_gone([folder / part.name for part in table.parts]):
        yield Finding(folder, "missing", f"all {counted(len(table.parts), 'part')} of the table are gone", _WRITER)
        return
    if table.superseded:
        what = "the merging of this table's parts was interrupted, but nothing is lost"
        yield Finding(folder, "unfinished", what, _WRITER)
    for part in table.parts:
        finding = check_part(folder, part, manifest)
        if finding is not None:
            yield finding
        progress.advance("parts", 1)


def _beside(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Files in a table's folder that the manifest does not list."""
    table = manifest.table(folder.name)
    if paths := unlisted(folder, table):
        newcomers = Newcomers(folder, table.parts, Stated.of(folder.parent, manifest))
        for path in paths:
            yield _unlisted(path, newcomers)
    for path in left_over(folder, table):
        what = "an interrupted writer left this file, which is not needed"
        yield Finding(path, "left over", what, f"{REPAIR} moves it")
    for path in sorted(folder.glob("*.parquet")):
        if not path.name.startswith(".") and not PART_NAME.fullmatch(path.name):
            what = "its name is not a part's name, so isobudget ignores it; but globs and other tools read it"
            yield Finding(path, "unknown", what, "move it out of the table's folder")


def _unlisted(path: Path, newcomers: Newcomers) -> Finding:
    if described(path) is None:
        return Finding(path, "damaged", "it is not a whole Parquet file, and is ignored", f"{REPAIR} moves it")
    why = newcomers.refused(path)
    if why is None:
        what = "the part is whole, but the writer was stopped before it listed the part"
        return Finding(path, "unlisted", what, _WRITER)
    remedy = f"nothing is necessary, but {REPAIR} moves the part, so that globs do not read it"
    return Finding(path, why.kind, f"{why.what}. The part is ignored", remedy)


def _strange(folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.iterdir()):
        if path.name not in TABLES and not path.name.startswith(".") and path.is_dir() and numbered_parts(path):
            what = "a table that this isobudget does not know"
            remedy = "use the isobudget that wrote the table, because this one does not change the table"
            yield Finding(path, "unknown", what, remedy)


def _unstated(
    folder: Path, facts: Mapping[str, Any], samples: SampleKeys, findings: Sequence[Finding]
) -> Iterator[Finding]:
    """Models and benchmarks with samples that the lists in run.toml lack, so that no command shows them."""
    if any(one.kind == "foreign" for one in findings):
        return  # a part of another run, which is reported
    groups = list(samples.groups())
    for kind, there in (("benchmark", {one[0] for one in groups}), ("model", {one[1] for one in groups})):
        stated = facts.get(f"{kind}s")
        if stated != {} and (unstated := sorted(there - set(stated or ()))):
            named = ", ".join(unstated[:5]) + ", ..." * (len(unstated) > 5)
            what = f"there are samples of {kind} {named}, which this file does not list, so commands leave them out"
            remedy = "if the file was edited or cut, put back the original"
            yield Finding(folder / RUN_FILE, "unstated", what, remedy)


def _of_keys(folder: Path, manifest: Manifest, keys: Mapping[str, SampleKeys]) -> Iterator[Finding]:
    """Duplicate rows, and verdicts on samples that do not exist."""
    for name, own in keys.items():
        rows = sum(part.rows for part in manifest.table(name).parts)
        if rows > len(own):
            what = f"{counted(rows - len(own), 'row')} too many: the same key occurs more than once"
            remedy = "remove parts that were copied into the table, or make the run again"
            yield Finding(folder / name, "twice", what, remedy)
    if lacking := keys["samples"].lacks(keys["verdicts"]):
        what = f"{counted(lacking, 'verdict')} on samples that are missing"
        yield Finding(
            folder / "verdicts", "missing", what, f"put the samples back, or use {REPAIR} to set the verdicts aside"
        )
