"""The judged samples of a run, by benchmark, model and problem.

Samples without a verdict are left out and counted. Greedy outputs are no draws: they stand apart.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.base import FinishReason
from isobudget.errors import RunError
from isobudget.records.rows import KEY_COLUMNS
from isobudget.records.run import Run

_SAMPLE_COLUMNS = [
    *KEY_COLUMNS,
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "mean_logprob",
    "seconds",
    "joules",
]


@dataclass(frozen=True, slots=True, eq=False)
class ProblemSamples:
    """The judged samples of one problem by one model, in the order of their index; all arrays have shape (n,).

    `seconds` and `joules` (NaN if not measured) are those of generating a sample, `judge_seconds` the CPU seconds of
    its tests.
    """

    passed: NDArray[np.bool_]
    prompt_tokens: int
    completion_tokens: NDArray[np.int64]
    mean_logprob: NDArray[np.float64]
    cut_off: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    joules: NDArray[np.float64]
    judge_seconds: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ModelSamples:
    """The judged samples of one benchmark by one model.

    Attributes:
        model: its name.
        task_ids: the problems with at least one judged sample, in the run's order.
        problems: their samples, in the same order.
        greedy_passed: share of problems whose greedy output passed; NaN if none was drawn.
        unjudged: samples that have no verdict.
    """

    model: str
    task_ids: tuple[str, ...]
    problems: tuple[ProblemSamples, ...]
    greedy_passed: float
    unjudged: int

    @property
    def n(self) -> NDArray[np.int64]:
        """Judged samples of each problem."""
        return np.array([len(problem.passed) for problem in self.problems], dtype=np.int64)

    @property
    def c(self) -> NDArray[np.int64]:
        """Passed samples of each problem."""
        return np.array([int(problem.passed.sum()) for problem in self.problems], dtype=np.int64)

    def only(self, task_ids: tuple[str, ...]) -> ModelSamples:
        """The same for fewer problems."""
        chosen = dict(zip(self.task_ids, self.problems, strict=True))
        problems = tuple(chosen[task_id] for task_id in task_ids)
        return ModelSamples(self.model, task_ids, problems, self.greedy_passed, self.unjudged)


def benchmarks_of(run: Run) -> list[str]:
    """The names of the benchmarks that the run states."""
    return list(run.facts.get("benchmarks", {}))


def model_samples(run: Run, benchmark: str) -> list[ModelSamples]:
    """The judged samples of a benchmark, one entry a model, in the run's order of models.

    Raises:
        RunError: the run has no such benchmark, or no judged samples of it.
    """
    if benchmark not in benchmarks_of(run):
        known = ", ".join(benchmarks_of(run)) or "none"
        raise RunError(f"{run.path}: no benchmark {benchmark!r} in this run; it has: {known}")
    order = [task_id for name, task_id in run.problems() if name == benchmark]
    rows = _joined_rows(run, benchmark)
    models = [_of_one_model(name, rows[name], order) for name in run.facts["models"] if name in rows]
    models = [one for one in models if one.task_ids]
    if not models:
        raise RunError(f"{run.path}: no judged samples of {benchmark}; judge them with: isobudget judge {run.path}")
    return models


def _joined_rows(run: Run, benchmark: str) -> dict[str, list[dict[str, Any]]]:
    """Samples of the benchmark with their verdicts (`passed` is None where there is none), by model."""
    samples = run.samples_table(_SAMPLE_COLUMNS)
    verdicts = run.verdicts_table([*KEY_COLUMNS, "passed", "cpu_seconds"])
    joined = samples.join(verdicts, keys=KEY_COLUMNS, join_type="left outer")
    rows = defaultdict(list)
    for row in joined.to_pylist():
        if row["benchmark"] == benchmark:
            rows[row["model"]].append(row)
    return rows


def _of_one_model(model: str, rows: list[dict[str, Any]], order: list[str]) -> ModelSamples:
    judged = [row for row in rows if row["passed"] is not None]
    greedy = [bool(row["passed"]) for row in judged if row["greedy"]]
    by_task = defaultdict(list)
    for row in judged:
        if not row["greedy"]:
            by_task[row["task_id"]].append(row)
    task_ids = tuple(task_id for task_id in order if task_id in by_task)
    return ModelSamples(
        model=model,
        task_ids=task_ids,
        problems=tuple(_of_one_problem(by_task[task_id]) for task_id in task_ids),
        greedy_passed=sum(greedy) / len(greedy) if greedy else math.nan,
        unjudged=len(rows) - len(judged),
    )


def _of_one_problem(rows: list[dict[str, Any]]) -> ProblemSamples:
    rows = sorted(rows, key=lambda row: row["index"])

    def column(name: str) -> list[Any]:
        return [row[name] for row in rows]

    return ProblemSamples(
        passed=np.array(column("passed"), dtype=bool),
        prompt_tokens=rows[0]["prompt_tokens"],
        completion_tokens=np.array(column("completion_tokens"), dtype=np.int64),
        mean_logprob=np.array(column("mean_logprob"), dtype=np.float64),
        cut_off=np.array([reason == FinishReason.LENGTH for reason in column("finish_reason")]),
        seconds=np.array(column("seconds"), dtype=np.float64),
        joules=np.array(column("joules"), dtype=np.float64),
        judge_seconds=np.array(column("cpu_seconds"), dtype=np.float64),
    )
