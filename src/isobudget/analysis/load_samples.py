"""A run, loaded once: its problems and judged samples, by benchmark, model and problem.

Samples without a verdict are left out and counted. Greedy outputs are kept apart from the sampled ones.

A run may have millions of samples: they are read part by part into arrays, and joined with their verdicts by numbers
that stand for their keys. What follows (prices, comparisons, reports, rankings) reads no file again.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.judged import MEASURED, TEXTS, Judged, benchmarks_of, chosen_rows, read_judged
from isobudget.analysis.left_out import LeftOut
from isobudget.analysis.run_columns import (
    Columns,
    groups_of,
    indexes_of,
)
from isobudget.errors import RunError
from isobudget.judge.verdict import Outcome
from isobudget.problems.problem import NoTests, Problem
from isobudget.records.run import Run, load_run

_AS_THEY_ARE = ["passed", "completion_tokens", "tests_passed", *MEASURED]


@dataclass(frozen=True, slots=True, eq=False)
class ProblemSamples:
    """The judged samples of one problem by one model, in the order of their index; all arrays have shape (n,).

    Unless stated otherwise, a value that is not known is NaN.

    Attributes:
        prompt_tokens, completion_tokens: token counts; -1 if not known.
        mean_logprob, sum_logprob: log-probability under the model that generated the sample.
        cut_off: whether the sample ended at the token limit.
        seconds, joules: of generating the sample.
        usd: what others billed for the sample.
        judge_seconds: CPU seconds of the sample's tests.
        tests_passed: how many tests passed before the first that did not.
        prompt_seconds, prompt_joules, idle_tokens, idle_seconds, billed_prompt_tokens, cached_tokens: as in
            `Generation`; `analysis.measured` and `costs.bills` compute prices from them.
        text: empty unless requested.
        token_ids: empty unless requested; None for a sample if the backend gave none.
    """

    passed: NDArray[np.bool_]
    prompt_tokens: int
    completion_tokens: NDArray[np.int64]
    mean_logprob: NDArray[np.float64]
    sum_logprob: NDArray[np.float64]
    cut_off: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    joules: NDArray[np.float64]
    usd: NDArray[np.float64]
    judge_seconds: NDArray[np.float64]
    tests_passed: NDArray[np.float64]
    prompt_seconds: NDArray[np.float64]
    prompt_joules: NDArray[np.float64]
    idle_tokens: NDArray[np.float64]
    idle_seconds: NDArray[np.float64]
    billed_prompt_tokens: NDArray[np.float64]
    cached_tokens: NDArray[np.float64]
    index: NDArray[np.int32]
    text: NDArray[Any]
    token_ids: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class ModelSamples:
    """The judged samples of one benchmark by one model.

    Attributes:
        model: name of the model.
        task_ids: the problems with at least one judged sample, in the run's order.
        problems: their samples, in the same order.
        greedy: the judged greedy outputs, one sample a problem; None if these samples are greedy outputs.
        left_out: samples that are left out.
    """

    model: str
    task_ids: tuple[str, ...]
    problems: tuple[ProblemSamples, ...]
    greedy: ModelSamples | None
    left_out: LeftOut

    @property
    def n(self) -> NDArray[np.int64]:
        """Judged samples of each problem."""
        return np.array([len(problem.passed) for problem in self.problems], dtype=np.int64)

    @property
    def c(self) -> NDArray[np.int64]:
        """Passed samples of each problem."""
        return np.array([int(problem.passed.sum()) for problem in self.problems], dtype=np.int64)

    def only(self, task_ids: tuple[str, ...]) -> ModelSamples:
        """The samples of these problems alone."""
        chosen = dict(zip(self.task_ids, self.problems, strict=True))
        problems = tuple(chosen[task_id] for task_id in task_ids)
        return ModelSamples(self.model, task_ids, problems, self.greedy, self.left_out)


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """What became of one model's samples on one benchmark, greedy outputs included.

    Attributes:
        model: name of the model.
        samples, judged: recorded samples, and how many of them have a verdict.
        outcomes: verdicts by outcome.
        cut_off: samples that ended at the token limit.
        shared: verdicts whose sample could have reached its tests.
        imported: verdicts that came with the samples, from another tool.
    """

    model: str
    samples: int
    judged: int
    outcomes: dict[Outcome, int]
    cut_off: int
    shared: int
    imported: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class LoadedRun:
    """A run with what it recorded, in memory.

    Attributes:
        run: the folder and its facts.
        problems: by benchmark and task_id, in the run's order.
        models: by benchmark, the models that have judged samples, in the run's order of models.
        counts: by benchmark, one entry for every model that has samples.
    """

    run: Run
    problems: Mapping[tuple[str, str], Problem]
    models: Mapping[str, list[ModelSamples]]
    counts: Mapping[str, tuple[VerdictCounts, ...]]

    def samples(self, benchmark: str) -> list[ModelSamples]:
        """The judged samples of a benchmark, one entry per model.

        Raises:
            RunError: the run has no such benchmark, or no judged samples of it.
        """
        where = self.run.path
        if benchmark not in self.models:
            known = ", ".join(benchmarks_of(self.run)) or "none"
            raise RunError(f"{where}: no benchmark {benchmark!r} in this run; it has: {known}")
        if not self.models[benchmark]:
            raise none_judged(self.run, benchmark)
        return self.models[benchmark]


def none_judged(run: Run, benchmarks: str) -> RunError:
    """The error for a run without judged samples of these benchmarks."""
    return RunError(f"{run.path}: no judged samples of {benchmarks}; {judge_remedy(run)}")


def judge_remedy(run: Run) -> str:
    """How a run's samples get verdicts: by `isobudget judge`, or by an import if the run does not know the tests."""
    if all(isinstance(one.tests, NoTests) for one in run.problems().values()) and "imported" in run.facts:
        return (
            "the run does not have the tests; import the samples again with: isobudget import FILE --rejudge "
            "--problems PROBLEMS (the benchmark, or a JSONL file with the tests)"
        )
    return f"judge them with: isobudget judge {run.path}"


def load_samples(
    run: LoadedRun | Run | str | Path,
    benchmarks: Sequence[str] | None = None,
    *,
    texts: bool = False,
    repairs: bool = False,
) -> LoadedRun:
    """Read a run: each of its tables once. A loaded run is returned unchanged.

    Args:
        run: the run or its folder.
        benchmarks: only these; by default all that the run states.
        texts: whether to read the samples' texts and token ids, too.
        repairs: whether to read only samples that repair others, instead of only samples drawn from the prompt.

    Raises:
        RunError: there is no such run, or a part is damaged.
    """
    if isinstance(run, LoadedRun):
        return run
    run = run if isinstance(run, Run) else load_run(run)
    chosen = [name for name in benchmarks_of(run) if benchmarks is None or name in benchmarks]
    problems = {key: problem for key, problem in run.problems().items() if key[0] in chosen}
    tasks = sorted(problems, key=lambda key: chosen.index(key[0]))
    columns = read_judged(run, chosen, tasks, texts=texts, repairs=repairs)
    models: dict[str, list[ModelSamples]] = {name: [] for name in chosen}
    counts: dict[str, list[VerdictCounts]] = {name: [] for name in chosen}
    for model in columns.models:
        for name in chosen:
            rows = columns.rows(model, name)
            if len(rows["key"]):
                counts[name].append(_counted(model, rows))
                models[name].append(_of_model(model, columns, rows, columns.left_out(model, name)))
    judged = {name: [one for one in own if one.task_ids] for name, own in models.items()}
    return LoadedRun(run, problems, judged, {name: tuple(own) for name, own in counts.items()})


def _of_model(model: str, judged_columns: Judged, columns: Columns, left_out: LeftOut) -> ModelSamples:
    judged = columns["judged"]
    whole = columns if judged.all() else chosen_rows(columns, judged)
    groups, starts = np.unique(groups_of(whole["key"]), return_index=True)
    ends = np.append(starts[1:], len(whole["key"]))
    tasks, greedy = judged_columns.places.task_of(groups), (groups & 1).astype(bool)

    def cut(chosen: NDArray[np.bool_], most: int) -> tuple[tuple[str, ...], tuple[ProblemSamples, ...]]:
        pairs = zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True)
        problems = tuple(_of_problem(whole, slice(start, min(end, start + most))) for start, end in pairs)
        return tuple(judged_columns.tasks[task][1] for task in tasks[chosen].tolist()), problems

    outputs = ModelSamples(model, *cut(greedy, 1), None, LeftOut())
    return ModelSamples(model, *cut(~greedy, sys.maxsize), outputs, left_out)


def _of_problem(columns: Columns, rows: slice) -> ProblemSamples:
    none = np.zeros(0, dtype=object)
    return ProblemSamples(
        prompt_tokens=int(columns["prompt_tokens"][rows.start]),
        cut_off=columns["finish_reason"][rows] == 1,
        judge_seconds=columns["cpu_seconds"][rows],
        index=indexes_of(columns["key"][rows]),
        **{name: columns[name][rows] for name in _AS_THEY_ARE},
        **{name: columns[name][rows] if name in columns else none for name in TEXTS},
    )


def _counted(model: str, columns: Columns) -> VerdictCounts:
    judged = columns["judged"]
    outcomes = columns["outcome"][judged]
    return VerdictCounts(
        model=model,
        samples=len(judged),
        judged=int(judged.sum()),
        outcomes={outcome: int((outcomes == at).sum()) for at, outcome in enumerate(Outcome)},
        cut_off=int((columns["finish_reason"] == 1).sum()),
        shared=int((columns["trust"][judged] == 1).sum()),
        imported=int((columns["trust"][judged] == 2).sum()),
    )
