"""The programs that a run recorded for one task: of any run, also one that no task was solved in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.grid import printable
from isobudget.pipeline.prompts import RunPrograms
from isobudget.records.attempts import AttemptRow
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
    """

    model: str
    index: int
    outcome: str
    detail: str
    first_failing: str
    program: str


@dataclass(frozen=True, slots=True)
class ShownPrograms:
    """The programs of one task, by model and index."""

    run: Path
    task_id: str
    programs: tuple[ShownProgram, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"run": str(self.run), "task_id": self.task_id, "programs": [asdict(one) for one in self.programs]}

    def __str__(self) -> str:
        """Each program under a line that says whose it is and what the tests said."""
        parts = []
        for one in self.programs:
            said = f"{one.outcome or 'not judged'}{f': {one.detail}' if one.detail else ''}"
            parts.append(f"# {one.model} {one.index}, {said}\n{one.program.rstrip()}\n")
        return printable("\n".join(parts)) or "no program\n"


def show_programs(path: Path, task: str, *, passed: bool, model: str | None) -> ShownPrograms:
    """The programs of a task; see `isobudget.api.show`."""
    run = load_run(path)
    problems = {task_id: problem for (_, task_id), problem in run.problems().items()}
    task_id = _task_id(path, task, list(problems))
    models = list(run.facts.get("models", {}))
    if model is not None and model not in models:
        raise InputError(f"{path}: no model {model!r}.{did_you_mean(model, models)} It has: {', '.join(models)}")
    verdicts = {row.key: row for row in run.verdicts() if row.task_id == task_id}
    codes = {row.key: row.code for row in read_rows(run.path / "attempts", AttemptRow) if row.task_id == task_id}
    programs = RunPrograms(run)
    found = []
    for sample in run.samples():
        verdict = verdicts.get(sample.key)
        if sample.task_id != task_id or model not in (None, sample.model) or (passed and not _passed(verdict)):
            continue
        program = codes.get(sample.key) or _extracted(programs, problems[task_id], sample)
        said = ("", "", "") if verdict is None else (verdict.outcome, verdict.detail, verdict.first_failing)
        found.append(ShownProgram(sample.model, sample.index, *said, program))
    found.sort(key=lambda one: (one.model, one.index))
    return ShownPrograms(path, task_id, tuple(found))


def _passed(verdict: Any) -> bool:
    return verdict is not None and bool(verdict.passed)


def _extracted(programs: RunPrograms, problem: Any, sample: Any) -> str:
    try:
        return programs.program(problem, sample.model, sample.text)
    except KeyError:
        return str(sample.text)


def _task_id(path: Path, task: str, known: list[str]) -> str:
    if task in known:
        return task
    begins = [one for one in known if one.startswith(task)]
    if len(begins) == 1:
        return begins[0]
    if begins:
        raise InputError(f"{path}: {len(begins)} tasks begin with {task!r}: {', '.join(begins[:5])}; name one")
    raise InputError(f"{path}: no task {task!r}.{did_you_mean(task, known)} It has: {', '.join(known[:8])}")
