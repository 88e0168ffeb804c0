"""The judged samples of a run, by benchmark, model and problem.

Samples without a verdict are left out and counted. Greedy outputs are no draws: they stand apart.

A run may have millions of samples: they are read part by part into arrays, and joined with their verdicts by numbers
that stand for their keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isobudget.backends.base import FinishReason
from isobudget.errors import RunError
from isobudget.records.parts import read_each
from isobudget.records.rows import KEY_COLUMNS, SampleRow, VerdictRow
from isobudget.records.run import Run

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ["prompt_tokens", "completion_tokens", "mean_logprob", "seconds", "joules"]

#: columns of a table, by name, and under `key` the numbers that stand for the rows' keys
Columns = Mapping[str, NDArray[Any]]


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
    names = list(run.facts["models"])
    places = _Places(
        benchmark, {name: at for at, name in enumerate(names)}, {task: at for at, task in enumerate(order)}
    )
    samples = places.read(run.path / "samples", SampleRow, [*_NUMBERS, "finish_reason"])
    verdicts = places.read(run.path / "verdicts", VerdictRow, ["passed", "cpu_seconds"])
    joined = _joined(samples, verdicts)
    models = [_of_one_model(name, at, order, joined) for at, name in enumerate(names)]
    models = [one for one in models if one.task_ids]
    if not models:
        raise RunError(f"{run.path}: no judged samples of {benchmark}; judge them with: isobudget judge {run.path}")
    return models


@dataclass(frozen=True, slots=True)
class _Places:
    """Numbers for the models and problems of one benchmark."""

    benchmark: str
    models: dict[str, int]
    tasks: dict[str, int]

    def read(self, folder: Path, row_type: type[Any], columns: list[str]) -> dict[str, NDArray[Any]]:
        """The rows of this benchmark, as arrays; rows of models or problems that the run does not state are left out.

        `model`, `task`, `greedy` and `index` are numbers; `cut_off` stands for the finish reason.
        """
        import pyarrow.compute as pc

        parts = []
        for part in read_each(folder, row_type, [*KEY_COLUMNS, *columns]):
            part = part.filter(pc.equal(part["benchmark"], self.benchmark))
            if part.num_rows:
                parts.append(self._arrays(part, columns))
        names = ["model", "task", "greedy", "index", *("cut_off" if one == "finish_reason" else one for one in columns)]
        if not parts:
            return {name: np.zeros(0, dtype=np.int64) for name in [*names, "key"]}
        whole = {name: np.concatenate([part[name] for part in parts]) for name in names}
        known = (whole["model"] >= 0) & (whole["task"] >= 0)
        if not known.all():
            whole = {name: values[known] for name, values in whole.items()}
        return whole | {"key": self._keys(whole)}

    def _arrays(self, part: pa.Table, columns: list[str]) -> dict[str, NDArray[Any]]:
        arrays = {"model": _codes(part["model"], self.models), "task": _codes(part["task_id"], self.tasks)}
        for name in ("greedy", "index", *columns):
            if name == "finish_reason":
                arrays["cut_off"] = _codes(part[name], {FinishReason.LENGTH.value: 1}) == 1
            else:
                arrays[name] = part[name].to_numpy()
        return arrays

    def _keys(self, columns: Columns) -> NDArray[np.int64]:
        """One number for each row, the same for the same sample: model, problem, greedy, index."""
        problem = columns["model"].astype(np.int64) * len(self.tasks) + columns["task"]
        return np.asarray((problem * 2 + columns["greedy"]) * 2**32 + columns["index"], dtype=np.int64)


def _codes(column: pa.ChunkedArray, places: dict[str, int]) -> NDArray[np.int64]:
    """Each text's number; -1 for one that has none."""
    coded = column.combine_chunks().dictionary_encode()
    table = np.array([places.get(text, -1) for text in coded.dictionary.to_pylist()], dtype=np.int64)
    return np.asarray(table[coded.indices.to_numpy()])


def _joined(samples: Columns, verdicts: Columns) -> dict[str, NDArray[Any]]:
    """Samples with their verdicts, by key: by model, problem and index. `judged` says which have one."""
    order = np.argsort(samples["key"], kind="stable")
    joined = {name: values[order] for name, values in samples.items()}
    by_key = np.argsort(verdicts["key"], kind="stable")
    keys = verdicts["key"][by_key]
    at = np.minimum(np.searchsorted(keys, joined["key"]), max(len(keys) - 1, 0))
    joined["judged"] = keys[at] == joined["key"] if len(keys) else np.zeros(len(order), dtype=bool)
    for name in ("passed", "cpu_seconds"):
        joined[name] = verdicts[name][by_key][at] if len(keys) else np.zeros(len(order))
    return joined


def _of_one_model(name: str, model: int, order: list[str], columns: Columns) -> ModelSamples:
    first, end = np.searchsorted(columns["model"], [model, model + 1])  # sorted by model first
    own = {key: values[first:end] for key, values in columns.items()}
    judged, greedy = own["judged"], own["greedy"].astype(bool)
    passed = own["passed"][judged & greedy]
    drawn = {key: values[judged & ~greedy] for key, values in own.items()}
    tasks, starts = np.unique(drawn["task"], return_index=True)
    ends = np.append(starts[1:], len(drawn["task"]))[: len(starts)]
    return ModelSamples(
        model=name,
        task_ids=tuple(order[task] for task in tasks),
        problems=tuple(_of_one_problem(drawn, slice(*each)) for each in zip(starts, ends, strict=True)),
        greedy_passed=float(passed.mean()) if len(passed) else math.nan,
        unjudged=int((~judged).sum()),
    )


def _of_one_problem(columns: Columns, rows: slice) -> ProblemSamples:
    return ProblemSamples(
        passed=columns["passed"][rows].astype(bool),
        prompt_tokens=int(columns["prompt_tokens"][rows.start]),
        completion_tokens=columns["completion_tokens"][rows].astype(np.int64),
        mean_logprob=columns["mean_logprob"][rows].astype(np.float64),
        cut_off=columns["cut_off"][rows].astype(bool),
        seconds=columns["seconds"][rows].astype(np.float64),
        joules=columns["joules"][rows].astype(np.float64),
        judge_seconds=columns["cpu_seconds"][rows].astype(np.float64),
    )
