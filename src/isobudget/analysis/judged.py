"""The columns of a run's samples, joined with their verdicts, part by part and without objects for each sample."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
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
    join_columns,
    read_columns,
)
from isobudget.backends.base import FinishReason
from isobudget.errors import RunError
from isobudget.judge.verdict import Outcome, Trust
from isobudget.records.attempts import AttemptRow
from isobudget.records.facts import IMPORTED
from isobudget.records.rows import SampleRow, VerdictRow
from isobudget.records.run import Run

_APART = ["prompt_seconds", "prompt_joules", "idle_tokens", "idle_seconds", "billed_prompt_tokens", "cached_tokens"]
#: columns of numbers that are NaN where they are not known
MEASURED = ["mean_logprob", "sum_logprob", "seconds", "joules", "usd", *_APART]
#: columns that are read only if they are requested
TEXTS = ["text", "token_ids"]


def benchmarks_of(run: Run) -> list[str]:
    """The names of the benchmarks that the run states."""
    return list(run.facts.get("benchmarks", {}))


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
        return chosen_rows(self.columns, self._own(self.columns["key"], model, benchmark))

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
        **{name: Column() for name in MEASURED},
        "finish_reason": Column(np.int8, {FinishReason.LENGTH.value: 1}),
        **({name: Column(np.object_) for name in TEXTS} if texts else {}),
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


def chosen_rows(columns: Columns, rows: Any) -> Columns:
    """The columns with these rows alone: a mask, indices or a slice."""
    return {name: values[rows] for name, values in columns.items()}
