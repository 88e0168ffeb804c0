"""Records tasks in a run folder: every attempt as a sample with its verdict and place, and why drawing stopped.

The samples of a task are drawn until one passes. Pooling them as if their number were fixed would flatter the model: if
drawing stops at the first pass or after eight samples, a true pass@1 of 0.25 reads 0.45. So the run states `stopping`
for its benchmark. Analyses that pool samples use only samples that were drawn regardless of verdicts (`explored`), see
`isobudget.analysis.load_samples`.

Several tasks may be solved in one run at the same time. A process locks the run only while it writes rows, every few
seconds. Each process numbers its samples in a range of its own, so their seeds differ too.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isobudget.backends.base import Sampling
from isobudget.errors import RunError, RunMismatchError, StorageError
from isobudget.files.whole import locked
from isobudget.pipeline.prompts import prompt_text
from isobudget.problems.problem import Problem
from isobudget.prompts import Rendered
from isobudget.records.attempts import AttemptRow, TaskRow
from isobudget.records.part_writer import PartWriter
from isobudget.records.rows import PromptRow, SampleRow, VerdictRow, sample_row, verdict_row
from isobudget.records.run import Run
from isobudget.tasks.spending import Attempt

BENCHMARK = "solve"
#: what the run states of samples that were drawn until one passed
STOPPING = "first pass"


def short_digest(*texts: str) -> str:
    """Eight hexadecimal digits that distinguish tasks with the same name, from their prompt, file and tests."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


#: how long to wait for another process that writes to the run, and how often rows are written
_PATIENCE_SECONDS, _INTERVAL_SECONDS = 30.0, 5.0
#: processes that may solve tasks of one run at the same time, and how many samples of a task each may number
_MOST_AT_ONCE, _RANGE = 64, 1_000_000
#: most folders beside each other for tasks with different settings
_MOST_BESIDE = 1000


@dataclass(slots=True)
class Recorder:
    """Writes a task's attempts into a run; created by `recording`."""

    run: Run
    problem: Problem
    explored: bool
    _first: Mapping[str, int]
    _start: int
    _rows: dict[type[Any], list[Any]] = field(default_factory=dict)
    _written: float = field(default_factory=time.monotonic)
    _failure: str = ""

    def first_index(self, model: str) -> int:
        """The number of this model's next sample for this task."""
        return self._first.get(model, self._start)

    def add(self, attempt: Attempt, seconds_left: float = math.inf) -> None:
        """Record one attempt. The attempt is on disk within seconds, at the latest when the task ends."""
        before = self.first_index(attempt.arm)
        parent = None if attempt.parent is None else attempt.parent + before
        key = (BENCHMARK, attempt.arm, self.problem.task_id, False, attempt.index + before)
        place = (attempt.place, attempt.step, self.explored, attempt.text, parent)
        self._take(sample_row(key, attempt.generation), verdict_row(key, attempt.verdict), AttemptRow(*key, *place))
        if time.monotonic() - self._written >= _INTERVAL_SECONDS <= seconds_left:
            self.flush(patience_seconds=0.1)

    def end(self, row: TaskRow) -> None:
        """Record how the task ended."""
        self._take(row)

    def flush(self, patience_seconds: float = math.inf) -> None:
        """Write the collected rows.

        If another process locks the run for longer than the patience, the rows wait for the next flush.

        If the run cannot be written any more, as on a full disk, solving goes on: `close` reports the error.
        """
        self._written = time.monotonic()
        if not self._rows:
            return
        try:
            with contextlib.suppress(_BusyError), _writing(self.run, patience_seconds):
                for kind in list(self._rows):
                    with PartWriter(self.run.path / _TABLES[kind], kind) as writer:
                        writer.add(self._rows.pop(kind))
        except (StorageError, RunError) as error:
            self._failure = self._failure or str(error)

    def close(self) -> str:
        """Write the remaining rows; returns why not all could be written, else an empty string."""
        self.flush()
        self._rows.clear()
        return self._failure

    def _take(self, *rows: Any) -> None:
        for row in rows:
            self._rows.setdefault(type(row), []).append(row)


_TABLES: dict[type[Any], str] = {
    SampleRow: "samples",
    VerdictRow: "verdicts",
    AttemptRow: "attempts",
    TaskRow: "tasks",
}


#: what is stated of a model: facts, its prompt, the names of format, newline and extraction, and how it is sampled
StatedFacts = tuple[dict[str, Any], Rendered, Mapping[str, str], Sampling]


def run_in(folder: str | Path, problem: Problem, models: Mapping[str, StatedFacts]) -> Run:
    """The run in a folder, checked or created with the settings of this task.

    Raises:
        RunMismatchError: the run was made with other settings.
        RunError: another command writes to the run, or the folder holds something other than a run.
    """
    run = Run.create(folder, BENCHMARK)
    with _writing(run):
        try:
            _state(run, problem, models)
        except RunMismatchError as error:  # what is used again is written with --out elsewhere
            said = str(error).replace("but the study says", "now it is").replace("(--out)", "(--run)")
            raise RunMismatchError(said) from None
    return run


def run_beside(folder: Path, problem: Problem, models: Mapping[str, StatedFacts]) -> tuple[Run, str]:
    """The run in a folder; if its settings differ, the run in the first sibling folder with the same settings.

    Siblings have the folder's name with ``-2``, ``-3`` and so on. Also returns a note on the settings that differ. The
    note is empty if the settings are the same.

    Raises:
        RunError: see `run_in`; or all of `_MOST_BESIDE` folders have other settings.
    """
    first = ""
    for number in range(1, _MOST_BESIDE + 1):
        place = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            return run_in(place, problem, models), first and f"recorded apart, in {place}: {first}"
        except RunMismatchError as error:
            first = first or str(error).partition(". ")[0]
    raise RunError(
        f"{folder} and {_MOST_BESIDE - 1} folders beside it were made with other settings; name a new one with --run"
    )


@contextlib.contextmanager
def recording(run: Run, problem: Problem, *, explored: bool) -> Iterator[Recorder]:
    """Record a task's attempts.

    Args:
        run: the run, which states the settings of the task, see `run_in`.
        problem: the task.
        explored: whether the number of samples is fixed, regardless of verdicts.

    Raises:
        RunError: another command writes to the run.
    """
    with _own_range(run) as start:
        with _writing(run):
            first: dict[str, int] = {}
            for sample in run.samples():
                if sample.task_id == problem.task_id and start <= sample.index < start + _RANGE:
                    first[sample.model] = max(first.get(sample.model, start), sample.index + 1)
        recorder = Recorder(run, problem, explored, first, start)
        try:
            yield recorder
        finally:
            recorder.flush()


class _BusyError(Exception):
    """Another process locks the run for longer than the caller wanted to wait."""


@contextlib.contextmanager
def _writing(run: Run, patience_seconds: float = math.inf) -> Iterator[None]:
    """Lock the run for writing, waiting for other processes that lock it briefly.

    Raises:
        RunError: another process still locked the run after a long wait.
        _BusyError: another process still locked the run after `patience_seconds`.
    """
    deadline = time.monotonic() + min(patience_seconds, _PATIENCE_SECONDS)
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(run.writing())
                break
            except RunError as error:
                if time.monotonic() > deadline and patience_seconds < _PATIENCE_SECONDS:
                    raise _BusyError from error
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)
        yield


@contextlib.contextmanager
def _own_range(run: Run) -> Iterator[int]:
    """The first number of a range that no other process is using."""
    with contextlib.ExitStack() as stack:
        for place in range(_MOST_AT_ONCE):
            try:
                stack.enter_context(locked(run.path / f".solving-{place}", str(run.path)))
            except RunError:
                continue
            yield place * _RANGE
            return
        raise RunError(
            f"{run.path}: {_MOST_AT_ONCE} tasks are being solved in this run, the maximum; use another folder (--run)"
        )


def now() -> str:
    """The current time, in the format of the rows."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _state(run: Run, problem: Problem, models: Mapping[str, StatedFacts]) -> None:
    prompts: list[PromptRow] = []
    for name, (facts, rendered, names, sampling) in models.items():
        run.state("models", name, facts | {"prompts": {BENCHMARK: dict(names)}})
        facts = {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_tokens}
        run.state("benchmarks", BENCHMARK, facts | {"stop": [], "stopping": STOPPING})
        text, chat = prompt_text(rendered.prompt)
        what = (names["format"], names["newline"], chat, text, rendered.head)
        prompts.append(PromptRow(BENCHMARK, problem.task_id, *what))
    for row in prompts:
        run.add_prompts([row])
    run.add_problems([problem])
    run.save_facts()
