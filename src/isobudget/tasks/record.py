"""What a run folder keeps of tasks: every attempt as a sample with its verdict, its place, and why drawing stopped.

The samples of a task were drawn until one passed. Pooled as if they were drawn a fixed number of times they would
flatter the model: a true pass@1 of 0.25 reads 0.45 where drawing stops at the first pass, of eight at most. So the run
states `stopping` for its benchmark, and what pools samples takes those that were drawn regardless (`explored`), see
`isobudget.analysis.load_samples`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from isobudget.backends.base import Sampling
from isobudget.errors import RunError
from isobudget.pipeline.prompts import prompt_text
from isobudget.problems.problem import Problem
from isobudget.prompts import Rendered
from isobudget.records.attempts import AttemptRow, TaskRow
from isobudget.records.part_writer import PartWriter
from isobudget.records.rows import PromptRow, sample_row, verdict_row
from isobudget.records.run import Run
from isobudget.tasks.spending import Attempt

BENCHMARK = "solve"
#: what the run states of samples that were drawn until one passed
STOPPING = "first pass"


def short_digest(*texts: str) -> str:
    """Eight digits that tell tasks of one name apart: their prompt, their file and their tests."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


@dataclass(slots=True)
class Recorder:
    """Writes a task's attempts into a run; made by `recording`."""

    run: Run
    problem: Problem
    explored: bool
    _samples: PartWriter
    _verdicts: PartWriter
    _attempts: PartWriter
    _first: Mapping[str, int]

    def first_index(self, model: str) -> int:
        """How many samples of this task a model has in the run already."""
        return self._first.get(model, 0)

    def add(self, attempt: Attempt) -> None:
        """Record one attempt."""
        index = attempt.index + self.first_index(attempt.arm)
        key = (BENCHMARK, attempt.arm, self.problem.task_id, False, index)
        self._samples.add([sample_row(key, attempt.generation)])
        self._verdicts.add([verdict_row(key, attempt.verdict)])
        self._attempts.add([AttemptRow(*key, attempt.place, attempt.step, self.explored, attempt.text, None)])

    def end(self, row: TaskRow) -> None:
        """Record how the task ended."""
        with PartWriter(self.run.path / "tasks", TaskRow) as writer:
            writer.add([row])


@contextlib.contextmanager
def recording(
    run: Run,
    problem: Problem,
    models: Mapping[str, tuple[dict[str, Any], Rendered, Mapping[str, str], Sampling]],
    *,
    explored: bool,
) -> Iterator[Recorder]:
    """State what a task is made with, and record its attempts; the run is held for writing meanwhile.

    Args:
        run: the folder.
        problem: the task.
        models: by name: what the run states of the model, its prompt, the names of format, newline and extraction, and
            how it is sampled.
        explored: whether a fixed number of samples is drawn regardless of verdicts.

    Raises:
        RunError: the run is in use, or was made otherwise.
    """
    with run.writing():
        try:
            _state(run, problem, models)
        except RunError as error:  # what is used again is written with --out elsewhere
            raise RunError(str(error).replace("the study says", "now it is").replace("(--out)", "(--run)")) from None
        first: dict[str, int] = {}
        for sample in run.samples():
            if sample.task_id == problem.task_id:
                first[sample.model] = max(first.get(sample.model, 0), sample.index + 1)
        attempts = PartWriter(run.path / "attempts", AttemptRow)
        with run.sample_writer() as samples, run.verdict_writer() as verdicts, attempts:
            yield Recorder(run, problem, explored, samples, verdicts, attempts, first)


def now() -> str:
    """The time, as rows keep it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _state(
    run: Run,
    problem: Problem,
    models: Mapping[str, tuple[dict[str, Any], Rendered, Mapping[str, str], Sampling]],
) -> None:
    for name, (facts, rendered, names, sampling) in models.items():
        run.state("models", name, facts | {"prompts": {BENCHMARK: dict(names)}})
        text, chat = prompt_text(rendered.prompt)
        row = PromptRow(BENCHMARK, problem.task_id, names["format"], names["newline"], chat, text, rendered.head)
        run.add_prompts([row])
        facts = {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_tokens}
        run.state("benchmarks", BENCHMARK, facts | {"stop": [], "stopping": STOPPING})
    run.add_problems([problem])
    run.save_facts()
