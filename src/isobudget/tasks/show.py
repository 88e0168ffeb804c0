"""The programs that a run recorded for one task: of any run, also one that no task was solved in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.grid import printable
from isobudget.pipeline.prompts import RunPrograms
from isobudget.records.attempts import AttemptRow, TaskRow
from isobudget.records.parts import read_rows
from isobudget.records.run import load_run


@dataclass(frozen=True, slots=True)
class ShownProgram:
    """One recorded program.

    Attributes:
        model, index: whose, and its number.
        outcome: of its verdict; empty if it has none.
        detail, first_failing: of the verdict.
        program: what was judged; of a task of `solve`, the whole file with it.
        parent: the number of the sample that it repairs; None if it was drawn anew.
    """

    model: str
    index: int
    outcome: str
    detail: str
    first_failing: str
    program: str
    parent: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ShownPrograms:
    """The programs of one task, by model and index; `note` says which of several tasks of the name it is."""

    run: Path
    task_id: str
    programs: tuple[ShownProgram, ...]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        programs = [asdict(one) for one in self.programs]
        return {"run": str(self.run), "task_id": self.task_id, "programs": programs, "note": self.note}

    def __str__(self) -> str:
        """Each program under a line that says whose it is and what the tests said."""
        parts = [f"# {self.note}\n"] if self.note else []
        for one in self.programs:
            said = f"{one.outcome or 'not judged'}{f': {one.detail}' if one.detail else ''}"
            of = "" if one.parent is None else f", which repairs {one.parent}"
            parts.append(f"# {one.model} {one.index}{of}, {said}\n{one.program.rstrip()}\n")
        return printable("\n".join(parts if self.programs else [*parts, "no program\n"]))

    __repr__ = __str__


def show_programs(path: Path, task: str, *, passed: bool, model: str | None) -> ShownPrograms:
    """The programs of a task; see `isobudget.api.show`."""
    run = load_run(path)
    problems = {task_id: problem for (_, task_id), problem in run.problems().items()}
    task_id, note = _task_id(path, task, list(problems))
    models = list(run.facts.get("models", {}))
    if model is not None and model not in models:
        raise InputError(f"{path}: no model {model!r}.{did_you_mean(model, models)} It has: {', '.join(models)}")
    verdicts = {row.key: row for row in run.verdicts() if row.task_id == task_id}
    attempts = {row.key: row for row in read_rows(run.path / "attempts", AttemptRow) if row.task_id == task_id}
    programs = RunPrograms(run)
    found = []
    for sample in run.samples():
        verdict = verdicts.get(sample.key)
        if sample.task_id != task_id or model not in (None, sample.model) or (passed and not _passed(verdict)):
            continue
        attempt = attempts.get(sample.key)
        program = (attempt and attempt.code) or _extracted(programs, problems[task_id], sample)
        said = ("", "", "") if verdict is None else (verdict.outcome, verdict.detail, verdict.first_failing)
        found.append(ShownProgram(sample.model, sample.index, *said, program, attempt and attempt.parent))
    found.sort(key=lambda one: (one.model, one.index))
    return ShownPrograms(path, task_id, tuple(found), note)


def _passed(verdict: Any) -> bool:
    return verdict is not None and bool(verdict.passed)


def _extracted(programs: RunPrograms, problem: Any, sample: Any) -> str:
    try:
        return programs.program(problem, sample.model, sample.text)
    except KeyError:
        return str(sample.text)


def _task_id(path: Path, task: str, known: list[str]) -> tuple[str, str]:
    """The task that is meant, and which one that is where several have the name."""
    if task in known:
        return task, ""
    begins = [one for one in known if one.startswith(task)]
    named = [one for one in begins if one.rpartition("@")[0] == task] or begins
    if len({one.rpartition("@")[0] for one in named}) > 1:
        raise InputError(f"{path}: {len(named)} tasks begin with {task!r}: {', '.join(named[:5])}; name one")
    if not named:
        raise InputError(f"{path}: no task {task!r}.{did_you_mean(task, known)} It has: {', '.join(known[:8])}")
    newest = _newest(path, named)
    others = [one for one in named if one != newest]
    return newest, f"the newest of {len(named)} tasks of this name: {newest}, not {', '.join(others[-4:])}" * bool(
        others
    )


def _newest(path: Path, tasks: list[str]) -> str:
    """The task that ended last; of those without an end the one that was begun last."""
    ended = {row.task_id: row.date for row in read_rows(path / "tasks", TaskRow) if row.task_id in tasks}
    return max(tasks, key=lambda one: (ended.get(one, ""), tasks.index(one)))
