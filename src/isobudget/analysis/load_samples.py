"""A run, loaded once: its problems and judged samples, by benchmark, model and problem.

Samples without a verdict are left out and counted. Greedy outputs stand apart from the sampled ones.

A run may have millions of samples: they are read part by part into arrays, and joined with their verdicts by numbers
that stand for their keys. What follows (prices, comparisons, reports, rankings) reads no file again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.base import FinishReason
from isobudget.errors import RunError
from isobudget.judge.verdict import Outcome, Trust
from isobudget.problems.problem import Problem
from isobudget.records.attempts import AttemptRow
from isobudget.records.facts import IMPORTED
from isobudget.records.parts import read_each
from isobudget.records.rows import KEY_COLUMNS, SampleRow, VerdictRow
from isobudget.records.run import Run, load_run

if TYPE_CHECKING:
    import pyarrow as pa

_APART = ["prompt_seconds", "prompt_joules", "idle_tokens", "idle_seconds", "billed_prompt_tokens", "cached_tokens"]
_MEASURED = ["mean_logprob", "sum_logprob", "seconds", "joules", "usd", *_APART]
#: token counts that are not known are -1 in arrays, null in tables
_TOKENS = ["prompt_tokens", "completion_tokens"]
_NUMBERS = [*_TOKENS, *_MEASURED]
_TEXTS = ["text", "token_ids"]
_VERDICT = ["passed", "cpu_seconds", "outcome", "trust", "tests_passed"]
#: columns whose few texts are kept as numbers, and the number of each text; other texts have -1
_CODES = {
    "finish_reason": {FinishReason.LENGTH.value: 1},
    "outcome": {outcome.value: at for at, outcome in enumerate(Outcome)},
    "trust": {Trust.SHARED.value: 1, IMPORTED: 2},
}

#: columns of a table, by name, and under `key` the numbers that stand for the rows' keys
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class ProblemSamples:
    """The judged samples of one problem by one model, in the order of their index; all arrays have shape (n,).

    Token counts are -1 where they are not known, `usd` (what others billed) is NaN there.
    `seconds` and `joules` (NaN if not measured) are those of generating a sample, `judge_seconds` the CPU seconds of
    its tests, `tests_passed` how many tests passed before the first that did not (NaN where that is not known).
    `prompt_seconds`, `prompt_joules`, `idle_tokens`, `idle_seconds`, `billed_prompt_tokens` and `cached_tokens` are as
    in `Generation`, NaN where they are not known; `analysis.measured` and `costs.bills` make prices of them. `text` and
    `token_ids` (None where the backend gave none) are empty unless they were asked for.
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
    index: NDArray[np.int64]
    text: NDArray[Any]
    token_ids: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class ModelSamples:
    """The judged samples of one benchmark by one model.

    Attributes:
        model: its name.
        task_ids: the problems with at least one judged sample, in the run's order.
        problems: their samples, in the same order.
        greedy: the judged greedy outputs, as one sample a problem; None of greedy outputs themselves.
        unjudged: samples that have no verdict.
    """

    model: str
    task_ids: tuple[str, ...]
    problems: tuple[ProblemSamples, ...]
    greedy: ModelSamples | None
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
        return ModelSamples(self.model, task_ids, problems, self.greedy, self.unjudged)


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """What became of one model's samples on one benchmark, greedy outputs included.

    Attributes:
        model: its name.
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
        """The judged samples of a benchmark, one entry a model.

        Raises:
            RunError: the run has no such benchmark, or no judged samples of it.
        """
        where = self.run.path
        if benchmark not in self.models:
            known = ", ".join(benchmarks_of(self.run)) or "none"
            raise RunError(f"{where}: no benchmark {benchmark!r} in this run; it has: {known}")
        if not self.models[benchmark]:
            raise RunError(f"{where}: no judged samples of {benchmark}; judge them with: isobudget judge {where}")
        return self.models[benchmark]


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
    """Read a run: each of its tables once. One that is loaded is given back as it is.

    Args:
        run: the run or its folder.
        benchmarks: only these; by default all that the run states.
        texts: whether the samples' texts and token ids are wanted too.
        repairs: read the samples that repair others, which are left out else: they were not drawn from the prompt.

    Raises:
        RunError: no such run, or a part is damaged.
    """
    if isinstance(run, LoadedRun):
        return run
    run = run if isinstance(run, Run) else load_run(run)
    stated = benchmarks_of(run)
    chosen = [name for name in stated if benchmarks is None or name in benchmarks]
    problems = {key: problem for key, problem in run.problems().items() if key[0] in chosen}
    names = list(run.facts.get("models", {}))
    places = _Places.of(names, list(problems))
    samples = places.read(run.path / "samples", SampleRow, [*_NUMBERS, "finish_reason", *(_TEXTS if texts else [])])
    samples = _poolable(run, chosen, places, samples, repairs)
    verdicts = places.read(run.path / "verdicts", VerdictRow, _VERDICT)
    joined = _joined(samples, verdicts)
    del samples, verdicts
    tasks, whose = list(problems), np.array([chosen.index(name) for name, _ in problems], dtype=np.int64)
    models: dict[str, list[ModelSamples]] = {name: [] for name in chosen}
    counts: dict[str, list[VerdictCounts]] = {name: [] for name in chosen}
    for at, model in enumerate(names):
        own = _rows(joined, slice(*np.searchsorted(joined["model"], [at, at + 1])))  # sorted by model first
        for number, name in enumerate(chosen):
            rows = own if len(chosen) == 1 else _rows(own, whose[own["task"]] == number)
            if len(rows["key"]):
                counts[name].append(_counted(model, rows))
                models[name].append(_of_model(model, tasks, rows))
    judged = {name: [one for one in found if one.task_ids] for name, found in models.items()}
    return LoadedRun(run, problems, judged, {name: tuple(found) for name, found in counts.items()})


def _poolable(
    run: Run, benchmarks: Sequence[str], places: _Places, samples: dict[str, NDArray[Any]], repairs: bool
) -> dict[str, NDArray[Any]]:
    """The samples that may be pooled: of tasks that were drawn until one passed, those that were drawn regardless.

    Samples that repair others stand apart: only they are given with `repairs`, and all others without.

    Raises:
        RunError: there are none of a benchmark whose samples were drawn until one passed.
    """
    stopped = [name for name in benchmarks if run.facts["benchmarks"][name].get("stopping")]
    if not stopped and not repairs:
        return samples
    attempts = places.read(run.path / "attempts", AttemptRow, ["explored", "parent"])
    of_others = ~np.isnan(attempts["parent"].astype(np.float64))
    keep = np.isin(samples["key"], attempts["key"][attempts["explored"].astype(bool) & (of_others == repairs)])
    if repairs:
        return {name: values[keep] for name, values in samples.items()}
    others = [at for at, name in enumerate(places.benchmarks) if name not in stopped]
    unstopped = np.unique(places.tasks[others]) if others else np.zeros(0, dtype=np.int64)
    keep |= np.isin(samples["task"], unstopped)
    if not keep.any():
        raise RunError(
            f"{run.path}: its samples were drawn until one passed, so that pass@k of them would be too high (a true "
            "pass@1 of 0.25 reads 0.45 where at most eight are drawn). Draw some regardless: isobudget solve TARGET "
            "--explore N"
        )
    return {name: values[keep] for name, values in samples.items()}


@dataclass(frozen=True, slots=True)
class _Places:
    """Numbers for the models and problems of a run.

    `tasks` has shape (benchmarks, task ids): the place of each problem in the run, -1 where there is none.
    """

    models: dict[str, int]
    benchmarks: dict[str, int]
    task_ids: dict[str, int]
    tasks: NDArray[np.int64]

    @classmethod
    def of(cls, models: Sequence[str], problems: Sequence[tuple[str, str]]) -> _Places:
        benchmarks, task_ids = (_numbered(key[part] for key in problems) for part in (0, 1))
        tasks = np.full((len(benchmarks), len(task_ids)), -1, dtype=np.int64)
        for place, (benchmark, task_id) in enumerate(problems):
            tasks[benchmarks[benchmark], task_ids[task_id]] = place
        return cls(_numbered(models), benchmarks, task_ids, tasks)

    def read(self, folder: Path, row_type: type[Any], columns: list[str]) -> dict[str, NDArray[Any]]:
        """The rows of these problems as arrays; those of models or problems that the run does not state are left out.

        `model`, `task`, `greedy` and `index` are numbers, and so is what is in `_CODES`.
        """
        names = ["model", "task", "greedy", "index", *columns]
        parts = [self._arrays(part, names) for part in read_each(folder, row_type, [*KEY_COLUMNS, *columns])]
        if not parts:
            return {name: np.zeros(0, dtype=np.int64) for name in [*names, "key"]}
        whole = {}
        for name in names:
            whole[name] = np.concatenate([part.pop(name) for part in parts])
        problem = whole["model"].astype(np.int64) * self.tasks.size + whole["task"]
        return whole | {"key": np.asarray((problem * 2 + whole["greedy"]) * 2**32 + whole["index"], dtype=np.int64)}

    def _arrays(self, part: pa.Table, names: list[str]) -> dict[str, NDArray[Any]]:
        benchmark, task = _codes(part["benchmark"], self.benchmarks), _codes(part["task_id"], self.task_ids)
        known = (benchmark >= 0) & (task >= 0)
        arrays = {"model": _codes(part["model"], self.models), "task": np.full(len(known), -1, dtype=np.int64)}
        arrays["task"][known] = self.tasks[benchmark[known], task[known]]
        known &= (arrays["model"] >= 0) & (arrays["task"] >= 0)
        for name in names[2:]:
            column = part[name].fill_null(-1) if name in _TOKENS else part[name]
            arrays[name] = _codes(column, _CODES[name]) if name in _CODES else column.to_numpy()
        return arrays if known.all() else dict(_rows(arrays, known))


def _numbered(texts: Any) -> dict[str, int]:
    return {text: at for at, text in enumerate(dict.fromkeys(texts))}


def _codes(column: pa.ChunkedArray, places: dict[str, int]) -> NDArray[np.int64]:
    """Each text's number; -1 for one that has none."""
    coded = column.combine_chunks().dictionary_encode()
    table = np.array([places.get(text, -1) for text in coded.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(table[coded.indices.to_numpy()])


def _rows(columns: Columns, rows: Any) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def _joined(samples: dict[str, NDArray[Any]], verdicts: Columns) -> Columns:
    """Samples with their verdicts, by key: by model, problem and index. `judged` says which have one."""
    order = np.argsort(samples["key"], kind="stable")
    joined = {name: samples.pop(name)[order] for name in list(samples)}
    by_key = np.argsort(verdicts["key"], kind="stable")
    keys = verdicts["key"][by_key]
    at = np.minimum(np.searchsorted(keys, joined["key"]), max(len(keys) - 1, 0))
    joined["judged"] = keys[at] == joined["key"] if len(keys) else np.zeros(len(order), dtype=bool)
    for name in _VERDICT:
        joined[name] = verdicts[name][by_key][at] if len(keys) else np.zeros(len(order))
    return joined


def _of_model(model: str, order: Sequence[tuple[str, str]], columns: Columns) -> ModelSamples:
    judged, greedy = columns["judged"], columns["greedy"].astype(bool)
    outputs = ModelSamples(model, *_by_problem(order, _rows(columns, judged & greedy), 1), None, 0)
    sampled = _by_problem(order, _rows(columns, judged & ~greedy))
    return ModelSamples(model, *sampled, outputs, int((~judged).sum()))


def _by_problem(
    order: Sequence[tuple[str, str]], columns: Columns, most: int = sys.maxsize
) -> tuple[tuple[str, ...], tuple[ProblemSamples, ...]]:
    """Rows in the order of their problems, cut into problems, `most` samples of each."""
    tasks, starts = np.unique(columns["task"], return_index=True)
    ends = np.append(starts[1:], len(columns["task"]))
    problems = (
        _of_problem(columns, slice(start, min(end, start + most)))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=False)
    )
    return tuple(order[task][1] for task in tasks), tuple(problems)


def _of_problem(columns: Columns, rows: slice) -> ProblemSamples:
    kinds = {"passed": bool, "completion_tokens": np.int64, "index": np.int64} | dict.fromkeys(_MEASURED, np.float64)
    none = np.zeros(0, dtype=object)
    return ProblemSamples(
        prompt_tokens=int(columns["prompt_tokens"][rows.start]),
        cut_off=columns["finish_reason"][rows] == 1,
        judge_seconds=columns["cpu_seconds"][rows].astype(np.float64, copy=False),
        tests_passed=columns["tests_passed"][rows].astype(np.float64, copy=False),
        **{name: columns[name][rows].astype(kind, copy=False) for name, kind in kinds.items()},
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


def unjudged_notes(models: Iterable[ModelSamples]) -> list[str]:
    """What is said of models some of whose samples have no verdict."""
    return [f"{one.model}: {one.unjudged} samples have no verdict and are left out" for one in models if one.unjudged]
