"""Lists a run's tasks, and the programs recorded for one task; works for any run, not only for runs of `solve`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isobudget.errors import InputError
from isobudget.files.hints import did_you_mean
from isobudget.grid import counted, printable
from isobudget.judge.verdict import Outcome
from isobudget.pipeline.prompts import RunPrograms
from isobudget.records.attempts import AttemptRow, TaskRow
from isobudget.records.parts import read_rows
from isobudget.records.run import Run, load_run


@dataclass(frozen=True, slots=True)
class ShownProgram:
    """One recorded program.

    Attributes:
        model, index: the model, and the sample's number.
        outcome: outcome of the sample's verdict; empty if the sample has no verdict.
        detail, first_failing: fields of the verdict.
        program: the program that was judged; for a task of `solve`, the whole file.
        parent: the number of the sample that this sample repairs; None if it was sampled from scratch.
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
    """The programs of one task, by model and index.

    `note` says which task is shown, if several have this name. If no program fits the choice, `note` says this.

    `has_texts` is false if results were imported without the texts of the samples.
    """

    run: Path
    task_id: str
    programs: tuple[ShownProgram, ...]
    note: str = ""
    has_texts: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The programs as a dict for JSON."""
        programs = [asdict(one) for one in self.programs]
        return {"run": str(self.run), "task_id": self.task_id, "programs": programs, "note": self.note}

    def __str__(self) -> str:
        """Each program under a line that names its model and what the tests reported."""
        parts = [f"# {self.note}\n"] if self.note else []
        if not self.has_texts and self.programs:
            passed = sum(one.outcome == Outcome.PASSED for one in self.programs)
            what = f"{counted(len(self.programs), 'sample')}, {passed} passed"
            return printable(
                f"{self.task_id}: {what}; the results were imported without programs, so none can be shown\n"
            )
        for one in self.programs:
            said = f"{one.outcome or 'not judged'}{f': {one.detail}' if one.detail else ''}"
            of = "" if one.parent is None else f", which repairs {one.parent}"
            parts.append(f"# {one.model} {one.index}{of}, {said}\n{one.program.rstrip()}\n")
        return printable("\n".join(parts))

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task of a run, with its numbers of samples, judged samples and passing samples."""

    task_id: str
    samples: int
    judged: int
    passed: int


@dataclass(frozen=True, slots=True, repr=False)
class ShownTasks:
    """The tasks of a run, in order."""

    run: Path
    tasks: tuple[ShownTask, ...]

    def to_dict(self) -> dict[str, Any]:
        """The tasks as a dict for JSON."""
        return {"run": str(self.run), "tasks": [asdict(one) for one in self.tasks]}

    def __str__(self) -> str:
        """One line per task."""
        lines = []
        for one in self.tasks:
            waiting = one.samples - one.judged
            rest = f", {waiting} not judged" if waiting > 0 else ""
            rest += f", {counted(-waiting, 'verdict')} on missing samples" if waiting < 0 else ""
            lines.append(f"{one.task_id}: {counted(one.samples, 'sample')}, {one.passed} passed{rest}\n")
        return printable("".join(lines or ["no task\n"]))

    __repr__ = __str__


def show_tasks(path: Path, *, passed: bool, failed: bool, model: str | None) -> ShownTasks:
    """The tasks of a run; see `isobudget.api.show`."""
    run = load_run(path)
    _check_choice(run, passed=passed, failed=failed, model=model)
    samples = Counter(one.task_id for one in run.samples() if model in (None, one.model))
    verdicts = Counter((one.task_id, one.passed) for one in run.verdicts() if model in (None, one.model))
    known = dict.fromkeys([task_id for _, task_id in run.problems()] + list(samples))
    counts = [(task, samples[task], verdicts[task, True], verdicts[task, False]) for task in known]
    tasks = [ShownTask(task, drawn, good + bad, good) for task, drawn, good, bad in counts]
    chosen = [one for one in tasks if not (passed and not one.passed) and not (failed and one.passed)]
    return ShownTasks(path, tuple(chosen))


def _check_choice(run: Run, *, passed: bool, failed: bool, model: str | None) -> None:
    if passed and failed:
        raise InputError("--passed and --failed cannot be combined; leave out both for all")
    models = list(run.facts.get("models", {}))
    if model is not None and model not in models:
        raise InputError(f"{run.path}: no model {model!r}.{did_you_mean(model, models)} It has: {', '.join(models)}")


def show_programs(path: Path, task: str, *, passed: bool, failed: bool, model: str | None) -> ShownPrograms:
    """The programs of a task; see `isobudget.api.show`."""
    run = load_run(path)
    _check_choice(run, passed=passed, failed=failed, model=model)
    problems = {task_id: problem for (_, task_id), problem in run.problems().items()}
    task_id, note = _task_id(path, task, list(problems))
    verdicts = {row.key: row for row in run.verdicts() if row.task_id == task_id}
    attempts = {row.key: row for row in read_rows(run.path / "attempts", AttemptRow) if row.task_id == task_id}
    programs = RunPrograms(run)
    found, others = [], 0
    for sample in run.samples():
        verdict = verdicts.get(sample.key)
        if sample.task_id != task_id or model not in (None, sample.model):
            continue
        if (passed or failed) and (verdict is None or verdict.passed != passed):
            others += 1
            continue
        attempt = attempts.get(sample.key)
        program = (attempt and attempt.code) or _extracted(programs, problems[task_id], sample)
        said = ("", "", "") if verdict is None else (verdict.outcome, verdict.detail, verdict.first_failing)
        found.append(ShownProgram(sample.model, sample.index, *said, program, attempt and attempt.parent))
    if not found:
        kind = "passed" if passed else "failed"
        none = f"{counted(others, 'sample')}, none of which {kind}" if others else "no sample"
        note = f"{note}; {none}" if note else none
    found.sort(key=lambda one: (one.model, one.index))
    has_texts = "imported" not in run.facts or any(one.program for one in found)
    return ShownPrograms(path, task_id, tuple(found), note, has_texts)


def _extracted(programs: RunPrograms, problem: Any, sample: Any) -> str:
    try:
        return programs.program(problem, sample.model, sample.text)
    except KeyError:
        return str(sample.text)


def _task_id(path: Path, task: str, known: list[str]) -> tuple[str, str]:
    """The id of the meant task, and a note on which one it is if several have the name."""
    if task in known:
        return task, ""
    begins = [one for one in known if one.startswith(task) and _ends_a_word(task, one)]
    ends = [one for one in known if one.rpartition("@")[0].endswith((f"::{task}", f".{task}", f"/{task}"))]
    named = [one for one in begins if one.rpartition("@")[0] == task] or begins or ends
    if len({one.rpartition("@")[0] for one in named}) > 1:
        raise InputError(
            f"{path}: {len(named)} tasks begin or end with {task!r}: {', '.join(named[:5])}; name one of them"
        )
    if not named:
        raise InputError(f"{path}: no task {task!r}.{did_you_mean(task, known)} It has: {', '.join(known[:8])}")
    newest = _newest(path, named)
    others = [one for one in named if one != newest]
    return newest, f"the newest of {len(named)} tasks of this name: {newest}, not {', '.join(others[-4:])}" * bool(
        others
    )


def _ends_a_word(beginning: str, task_id: str) -> bool:
    """Whether the beginning of a task's id ends with a whole word: `HumanEval/16` is not meant as `HumanEval/163`.

    The hash after the @ may be cut anywhere.
    """
    rest = task_id[len(beginning) :]
    return "@" in beginning or not (rest[:1].isalnum() and beginning[-1:].isalnum())


def _newest(path: Path, tasks: list[str]) -> str:
    """The task that ended last; if none has ended, the one that began last."""
    ended = {row.task_id: row.date for row in read_rows(path / "tasks", TaskRow) if row.task_id in tasks}
    return max(tasks, key=lambda one: (ended.get(one, ""), tasks.index(one)))
