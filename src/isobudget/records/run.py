"""The run folder: everything recorded, as Parquet and TOML that any other tool reads.

    RUN/
      run.toml             what was run: sampling, models, checksums, machine (see facts.py)
      problems/            the problems as they were
      samples/             one row a sample
      verdicts/            one row a verdict
      report/              tables and figures, made anew from the rest

Each of the three tables is a folder of part files (see parts.py). One process writes to a run at a time.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.errors import RunError
from isobudget.problems.problem import (
    AssertList,
    CallTests,
    CheckFunction,
    Problem,
    ProgramTests,
    PytestFile,
    ReferenceInputs,
    Tests,
)
from isobudget.records import facts as run_facts
from isobudget.records.parts import PartWriter, read_parts, read_rows
from isobudget.records.rows import KEY_COLUMNS, ProblemRow, SampleKey, SampleRow, VerdictRow
from isobudget.records.storage import locked, make_folder

if TYPE_CHECKING:
    import pyarrow as pa

#: what the kinds of tests are called in the problems table
_TEST_KINDS: dict[str, type[Any]] = {
    "check": CheckFunction,
    "asserts": AssertList,
    "reference": ReferenceInputs,
    "programs": ProgramTests,
    "calls": CallTests,
    "pytest": PytestFile,
}


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
        """The run in an existing folder.

        Raises:
            RunError: the folder holds no run, or one that cannot be read.
        """
        return cls(Path(path), run_facts.read_facts(Path(path)))

    @classmethod
    def create(cls, path: str | Path, name: str) -> Run:
        """The run in `path`, begun now if there is none. A folder that holds other things is refused.

        Raises:
            RunError: the folder holds something else.
            StorageError: the folder cannot be made.
        """
        folder = Path(path)
        if (folder / run_facts.FILE_NAME).exists():
            return cls.open(folder)
        make_folder(folder)
        strangers = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        if strangers:
            raise RunError(f"{folder}: the folder holds other things ({strangers[0]}); choose a new one for the run")
        run = cls(folder, run_facts.new_facts(name))
        run.save_facts()
        return run

    @contextlib.contextmanager
    def writing(self) -> Iterator[Run]:
        """Hold the run for writing. A second writer gets a `RunError`; facts are read again under the lock."""
        with locked(self.path / ".lock", str(self.path)):
            self.facts = run_facts.read_facts(self.path)
            yield self

    def state(self, kind: str, name: str, facts: dict[str, Any]) -> None:
        """State facts of a benchmark or model; they must agree with those stated before (see facts.merge)."""
        run_facts.merge(self.facts, kind, name, facts, self.path)

    def save_facts(self) -> None:
        """Write `run.toml`."""
        run_facts.write_facts(self.path, self.facts)

    # problems -----------------------------------------------------------------------------------------------------

    def problems(self) -> dict[tuple[str, str], Problem]:
        """The run's problems by benchmark and task_id, in their order."""
        rows = read_rows(self.path / "problems", ProblemRow)
        return {(row.benchmark, row.task_id): _problem(row) for row in rows}

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Record problems that are not recorded yet.

        Raises:
            RunError: a problem differs from the one recorded under its name.
        """
        known = self.problems()
        fresh = []
        for problem in problems:
            old = known.get((problem.benchmark, problem.task_id))
            if old is None:
                fresh.append(_problem_row(problem))
            elif old != problem:
                raise RunError(
                    f"{self.path}: the problem {problem.task_id} of {problem.benchmark} has changed since this run "
                    "began. Use another folder (--out)."
                )
        with PartWriter(self.path / "problems", ProblemRow) as writer:
            writer.add(fresh)

    # samples and verdicts -----------------------------------------------------------------------------------------

    def sample_writer(self) -> PartWriter:
        """Appends samples; use it under `writing`."""
        return PartWriter(self.path / "samples", SampleRow)

    def verdict_writer(self) -> PartWriter:
        """Appends verdicts; use it under `writing`."""
        return PartWriter(self.path / "verdicts", VerdictRow)

    def samples(self) -> Iterator[SampleRow]:
        """All samples, one part in memory at a time."""
        return read_rows(self.path / "samples", SampleRow)

    def samples_table(self, columns: list[str] | None = None) -> pa.Table:
        """All samples as an Arrow table."""
        return read_parts(self.path / "samples", SampleRow, columns)

    def verdicts_table(self, columns: list[str] | None = None) -> pa.Table:
        """All verdicts as an Arrow table."""
        return read_parts(self.path / "verdicts", VerdictRow, columns)

    def sample_keys(self) -> set[SampleKey]:
        """The keys of the samples recorded."""
        return _keys(self.samples_table(KEY_COLUMNS))

    def verdict_keys(self) -> set[SampleKey]:
        """The keys of the samples judged."""
        return _keys(self.verdicts_table(KEY_COLUMNS))

    def drop_verdicts(self) -> None:
        """Forget all verdicts, so that the samples are judged again."""
        shutil.rmtree(self.path / "verdicts", ignore_errors=True)


def load_run(path: str | Path) -> Run:
    """The run in an existing folder; see `Run.open`."""
    return Run.open(path)


def _keys(table: pa.Table) -> set[SampleKey]:
    return set(zip(*(table[name].to_pylist() for name in KEY_COLUMNS), strict=True))


def _problem_row(problem: Problem) -> ProblemRow:
    kind = next(kind for kind, test_type in _TEST_KINDS.items() if isinstance(problem.tests, test_type))
    return ProblemRow(
        benchmark=problem.benchmark,
        task_id=problem.task_id,
        prompt=problem.prompt,
        entry_point=problem.entry_point,
        tests=json.dumps({"kind": kind} | asdict(problem.tests)),
        reference=problem.reference,
    )


def _problem(row: ProblemRow) -> Problem:
    return Problem(
        task_id=row.task_id,
        benchmark=row.benchmark,
        prompt=row.prompt,
        entry_point=row.entry_point,
        tests=_tests(json.loads(row.tests)),
        reference=row.reference,
    )


def _tests(fields: dict[str, Any]) -> Tests:
    kind = fields.pop("kind")
    if kind not in _TEST_KINDS:
        raise RunError(f"tests of the kind {kind!r} are not known to this isobudget; use a newer one")
    tests: Tests = _TEST_KINDS[kind](
        **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    )
    return tests
