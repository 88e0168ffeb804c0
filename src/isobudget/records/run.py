"""The run folder: everything that is recorded, as Parquet and TOML that other tools can read.

    RUN/
      run.toml             what was run: sampling, models, checksums, machine (see facts.py)
      manifest.json        which parts count, with their hashes (see manifest.py)
      problems/            the problems as used
      prompts/             the prompts of the models
      samples/             one row per sample
      verdicts/            one row per verdict
      failures.json        problems whose generation failed last time, if any did
      report/              tables and figures, rebuilt from the rest

Each of the tables is a folder of part files (see part_writer.py). One process writes to a run at a time. The folder may
be in an object store (``s3://BUCKET/RUN``).
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.errors import InputError, RunError, RunMismatchError
from isobudget.files.lease import held
from isobudget.files.near import RUN_FILE
from isobudget.files.store_path import place
from isobudget.files.whole import make_folder, mended
from isobudget.problems.problem import Problem
from isobudget.records import facts as run_facts
from isobudget.records.example import run_folder
from isobudget.records.keys import SampleKeys
from isobudget.records.manifest import Manifest, Part, TableParts, change_manifest, read_manifest, write_manifest
from isobudget.records.part_writer import PartWriter
from isobudget.records.parts import part_paths, read_each, read_rows
from isobudget.records.recover import recover, replace_all
from isobudget.records.rows import (
    ProblemRow,
    PromptKey,
    PromptRow,
    SampleRow,
    VerdictRow,
    recorded_problem,
    row_of,
    same_problem,
)
from isobudget.records.schema import schema_of

if TYPE_CHECKING:
    import pyarrow as pa


class Run:
    """A run folder.

    Attributes:
        path: the folder.
        facts: what `run.toml` states; change it through `state` and `save_facts`.
    """

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path = path
        self.facts = facts

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open the run in an existing folder.

        Raises:
            RunError: the folder is not a run, cannot be read, or holds an unfinished import.
        """
        facts = run_facts.read_facts(place(path))
        if facts.get(run_facts.UNFINISHED):
            raise RunError(
                f"{path}: the {facts[run_facts.UNFINISHED]} into this run was stopped before its end. Run the same "
                "command again, which starts over"
            )
        return cls(place(path), facts)

    @classmethod
    def create(cls, path: str | Path, name: str, unfinished: str = "") -> Run:
        """Open the run in `path`, or create it if there is none. A folder with other contents is refused.

        `unfinished` names an operation that must end before the run can be used. At its end, the operation removes this
        field from the facts.

        Raises:
            RunError: the folder holds something else.
            StorageError: the folder cannot be created.
        """
        folder = place(path)
        if (folder / RUN_FILE).exists():
            return cls.open(folder)
        if mended(str(folder)) != str(folder):
            raise RunError(f"{folder}: its name is not UTF-8, so other tools cannot open it; choose another one")
        make_folder(folder)
        strangers = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        if strangers:
            raise RunError(f"{folder}: the folder holds other files ({strangers[0]}); choose a new folder for the run")
        run = cls(folder, run_facts.new_facts(name) | ({run_facts.UNFINISHED: unfinished} if unfinished else {}))
        run.save_facts()
        write_manifest(folder, Manifest())
        return run

    @contextlib.contextmanager
    def writing(self) -> Iterator[Run]:
        """Lock the run for writing. A second writer gets a `RunError`.

        Under the lock, facts are read again, and the work of a killed writer is put in order (`records.recover`).
        """
        with held(self.path):
            self.facts = run_facts.begin_writing(self.path)
            recover(self.path)
            self.settle_anew()
            yield self

    def manifest(self) -> Manifest:
        """The manifest; an empty one if an older version made the run."""
        return read_manifest(self.path) or Manifest()

    def state(self, kind: str, name: str, facts: dict[str, Any]) -> None:
        """State facts about a benchmark or model. They must agree with existing facts about it (see `facts.merge`)."""
        self.facts["format"] = run_facts.FORMAT  # what follows may be samples that older versions would misread
        run_facts.merge(self.facts, kind, name, facts, self.path)

    def settle_anew(self) -> None:
        """Settle facts about new verdicts: keep the facts if these verdicts replaced the old ones, else drop them."""
        stated = self.facts.pop(run_facts.ANEW, None)
        if stated is None:
            return
        now = {part.name for part in self.manifest().table("verdicts").parts}
        if now.isdisjoint(stated.pop("parts")):
            kept = {name: fact for name, fact in self.facts.items() if name not in run_facts.OF_VERDICTS}
            self.facts = kept | stated
        self.save_facts()

    def save_facts(self) -> None:
        """Write `run.toml`."""
        run_facts.write_facts(self.path, self.facts)

    # problems -----------------------------------------------------------------------------------------------------

    def problems(self) -> dict[tuple[str, str], Problem]:
        """The run's problems by benchmark and task_id, in order."""
        return {row.key: recorded_problem(row) for row in read_rows(self.path / "problems", ProblemRow)}

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Record problems that are not recorded yet.

        Raises:
            RunError: a problem differs from the one recorded under its name.
        """
        what = "the problem {0.task_id} of {0.benchmark} has changed since"
        self._add("problems", ProblemRow, map(row_of, problems), same_problem, what)

    # prompts ------------------------------------------------------------------------------------------------------

    def prompts(self, benchmark: str | None = None) -> dict[PromptKey, PromptRow]:
        """The prompts of one benchmark or of all; empty in runs made by older versions."""
        rows = read_rows(self.path / "prompts", PromptRow)
        return {row.key: row for row in rows if benchmark is None or row.benchmark == benchmark}

    def add_prompts(self, prompts: Iterable[PromptRow]) -> None:
        """Record prompts that are not recorded yet.

        Raises:
            RunError: a prompt differs from the one recorded for its problem and format.
        """
        what = "the prompt format {0.format} gives another prompt for {0.task_id} of {0.benchmark} than when"
        self._add("prompts", PromptRow, prompts, operator.eq, what)

    def _add(
        self, table: str, row_type: Any, rows: Iterable[Any], same: Callable[[Any, Any], bool], changed: str
    ) -> None:
        recorded = {row.key: row for row in read_rows(self.path / table, row_type)}
        fresh = []
        for row in rows:
            if row.key not in recorded:
                fresh.append(row)
            elif not same(recorded[row.key], row):
                raise RunMismatchError(
                    f"{self.path}: {changed.format(row)} this run began. Use another folder (--out)."
                )
        with PartWriter(self.path / table, row_type) as writer:
            writer.add(fresh)

    # samples and verdicts -----------------------------------------------------------------------------------------

    def sample_writer(self, on_part: Callable[[Path], None] | None = None) -> PartWriter:
        """A writer that appends samples; use it inside `writing`. `on_part` is called with every written part."""
        return PartWriter(self.path / "samples", SampleRow, on_part=on_part)

    def verdict_writer(self, state: Callable[[], None] | None = None) -> PartWriter:
        """A writer that appends verdicts; use it inside `writing`.

        With `state`, the new verdicts replace the old ones when the first part is written. Just before that, `state` is
        called; it must state in the facts how the new verdicts are made (see `settle_anew`).
        """
        folder = self.path / "verdicts"

        def replacing(part: Part, columns: Mapping[str, str]) -> None:
            assert state is not None
            state()
            replace_all(folder, part, columns)
            self.settle_anew()

        return PartWriter(folder, VerdictRow, list_first=None if state is None else replacing)

    def samples(self) -> Iterator[SampleRow]:
        """All samples; at most a thousand are in memory at a time."""
        return read_rows(self.path / "samples", SampleRow)

    def verdicts(self) -> Iterator[VerdictRow]:
        """All verdicts; at most a thousand are in memory at a time."""
        return read_rows(self.path / "verdicts", VerdictRow)

    def table(self, name: str) -> pa.Table:
        """A table of the run as Arrow, for pandas and polars: ``samples``, ``verdicts`` or ``problems``.

        Raises:
            InputError: there is no such table.
            RunError: a part is damaged.
        """
        import pyarrow as pa

        known = {"samples": SampleRow, "verdicts": VerdictRow, "problems": ProblemRow}
        if name not in known:
            raise InputError(f"no table {name!r}; choose one of: {', '.join(known)}")
        parts = list(read_each(self.path / name, known[name]))
        return pa.concat_tables(parts) if parts else schema_of(known[name]).empty_table()

    def sample_keys(self) -> SampleKeys:
        """The keys of the recorded samples."""
        return SampleKeys.of_table(self.path / "samples", SampleRow)

    def verdict_keys(self) -> SampleKeys:
        """The keys of the judged samples."""
        return SampleKeys.of_table(self.path / "verdicts", VerdictRow)

    def drop(self, *tables: str) -> None:
        """Remove tables: their parts are unlisted and deleted. Use it inside `writing`."""
        gone = [path for name in tables for path in part_paths(self.path / name)]

        def without(manifest: Manifest, superseded: bool) -> Manifest:
            for name in tables:
                old = tuple(part.name for part in manifest.table(name).parts) if superseded else ()
                manifest = manifest.having(name, TableParts((), old))
            return manifest

        change_manifest(self.path, lambda manifest: without(manifest, True))
        for path in gone:
            path.unlink(missing_ok=True)
        change_manifest(self.path, lambda manifest: without(manifest, False))


def load_run(path: str | Path) -> Run:
    """Open the run that a user names: an existing folder, see `Run.open`, or the example run."""
    return Run.open(run_folder(path))
