"""A run, loaded once: its problems and judged samples, by benchmark, model and problem.

Samples without a verdict are left out and counted. Greedy outputs are kept apart from the sampled ones.

A run may have millions of samples: they are read part by part into arrays, and joined with their verdicts by numbers
that stand for their keys. What follows (prices, comparisons, reports, rankings) reads no file again.
"""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.left_out import LeftOut
from isobudget.analysis.run_columns import (
    Column,
    Columns,
    Keys,
    Places,
    first_of_equal,
    groups_of,
    indexes_of,
    join_columns,
    read_columns,
)
from isobudget.backends.base import FinishReason
from isobudget.errors import RunError
from isobudget.judge.verdict import Outcome, Trust
from isobudget.problems.problem import NoTests, Problem
from isobudget.records.attempts import AttemptRow
from isobudget.records.facts import IMPORTED
from isobudget.records.rows import SampleRow, VerdictRow
from isobudget.records.run import Run, load_run

_APART = ["prompt_seconds", "prompt_joules", "idle_tokens", "idle_seconds", "billed_prompt_tokens", "cached_tokens"]
_MEASURED = ["mean_logprob", "sum_logprob", "seconds", "joules", "usd", *_APART]
_TEXTS = ["text", "token_ids"]
_AS_THEY_ARE = ["passed", "completion_tokens", "tests_passed", *_MEASURED]


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


def benchmarks_of(run: Run) -> list[str]:
    """The names of the benchmarks that the run states."""
    return list(run.facts.get("benchmarks", {}))


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


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The samples of a run with their verdicts, in the order of their keys.

    Attributes:
        models: in the run's order.
        tasks: benchmark and task_id of each problem, ordered by benchmark.
        places: the numbers of models and problems.
        columns: the columns of all samples.
        doubled: keys of the rows that are left out because an earlier row has the same key.
    """

    models: tuple[str, ...]
    tasks: tuple[tuple[str, str], ...]
    places: Places
    columns: Columns
    doubled: Keys

    def rows(self, model: str, benchmark: str) -> Columns:
        """The samples of one model and benchmark."""
        return _rows(self.columns, self._own(self.columns["key"], model, benchmark))

    def left_out(self, model: str, benchmark: str) -> LeftOut:
        """What of one model and benchmark is left out."""
        doubled = self.doubled[self._own(self.doubled, model, benchmark)]
        rows = self.rows(model, benchmark)
        judged = rows["judged"]
        groups = np.unique(groups_of(rows["key"][judged]))
        sampled = int((groups & 1 == 0).sum())
        problems = sum(name == benchmark for name, _ in self.tasks)
        return LeftOut(int((~judged).sum()), len(doubled), problems - sampled if sampled else 0, problems)

    def _own(self, keys: Keys, model: str, benchmark: str) -> slice:
        own = [at for at, (name, _) in enumerate(self.tasks) if name == benchmark]
        if not own:
            return slice(0, 0)
        number = self.places.models[model]
        bounds = [self.places.first_key(number, at) for at in (own[0], own[-1] + 1)]
        return slice(*np.searchsorted(keys, bounds).tolist())


def read_judged(
    run: Run,
    benchmarks: Sequence[str],
    tasks: Sequence[tuple[str, str]],
    *,
    texts: bool = False,
    repairs: bool = False,
    counts_only: bool = False,
) -> Judged:
    """Read the samples of these problems, and their verdicts; with `counts_only`, only whether they passed.

    Other arguments are as in `load_samples`.

    Raises:
        RunError: a part is damaged, or no sample may be pooled.
    """
    names = list(run.facts.get("models", {}))
    places = Places.of(names, tasks)
    where = None if len(benchmarks) == len(benchmarks_of(run)) else _of_any("benchmark", benchmarks)
    own = {} if counts_only else _sample_columns(texts)
    verdict_columns = {"passed": Column(np.bool_)} if counts_only else _verdict_columns()
    columns = read_columns(run.path / "samples", SampleRow, places, own, where)
    columns = _poolable(run, benchmarks, places, columns, repairs)
    columns, doubled = first_of_equal(columns)
    columns |= join_columns(columns["key"], run.path / "verdicts", VerdictRow, places, verdict_columns, where)
    return Judged(tuple(names), tuple(tasks), places, columns, doubled)


def _of_any(column: str, texts: Sequence[str]) -> Any:
    """A filter for rows with one of a few texts in a column; Arrow can skip row groups by their statistics."""
    import pyarrow.compute as pc

    return functools.reduce(operator.or_, (pc.field(column) == text for text in texts)) if texts else pc.scalar(False)


def _sample_columns(texts: bool) -> dict[str, Column]:
    return {
        "prompt_tokens": Column(np.int32),
        "completion_tokens": Column(np.int64),
        **{name: Column() for name in _MEASURED},
        "finish_reason": Column(np.int8, {FinishReason.LENGTH.value: 1}),
        **({name: Column(np.object_) for name in _TEXTS} if texts else {}),
    }


def _verdict_columns() -> dict[str, Column]:
    return {
        "passed": Column(np.bool_),
        "cpu_seconds": Column(),
        "tests_passed": Column(),
        "outcome": Column(np.int8, {outcome.value: at for at, outcome in enumerate(Outcome)}),
        "trust": Column(np.int8, {Trust.SHARED.value: 1, IMPORTED: 2}),
    }


def _poolable(
    run: Run, benchmarks: Sequence[str], places: Places, samples: dict[str, NDArray[Any]], repairs: bool
) -> dict[str, NDArray[Any]]:
    """The samples that may be pooled. For tasks sampled until one passed, only samples drawn regardless of verdicts.

    With `repairs`, only samples that repair others are returned; without it, only the others.

    Raises:
        RunError: no sample may be pooled, because all tasks were sampled until one sample passed.
    """
    stopped = [name for name in benchmarks if run.facts["benchmarks"][name].get("stopping")]
    if not stopped and not repairs:
        return samples
    attempts = read_columns(
        run.path / "attempts", AttemptRow, places, {"explored": Column(np.bool_), "parent": Column(np.int64)}
    )
    keep = np.isin(samples["key"], attempts["key"][attempts["explored"] & ((attempts["parent"] >= 0) == repairs)])
    if repairs:
        return {name: values[keep] for name, values in samples.items()}
    others = [at for name, at in places.benchmarks.items() if name not in stopped]
    unstopped = np.unique(places.tasks[others]) if others else np.zeros(0, dtype=np.int64)
    keep |= np.isin(places.task_of(groups_of(samples["key"])), unstopped)
    if not keep.any():
        raise RunError(
            f"{run.path}: its samples were drawn until one passed, so pass@k would be too high (a true pass@1 "
            "of 0.25 would read 0.45 with at most eight draws). To draw N samples whether or not one passes: isobudget "
            "solve TARGET --explore N"
        )
    return {name: values[keep] for name, values in samples.items()}


def _rows(columns: Columns, rows: Any) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def _of_model(model: str, judged_columns: Judged, columns: Columns, left_out: LeftOut) -> ModelSamples:
    judged = columns["judged"]
    whole = columns if judged.all() else _rows(columns, judged)
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
        **{name: columns[name][rows] if name in columns else none for name in _TEXTS},
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
