"""Reading COUNTS files: how many samples each problem got from each model, and how many of them passed.

A COUNTS file holds one JSON object a line, plain or gzipped, for one problem and one model:

    {"model": "7b", "task_id": "HumanEval/0", "n": 200, "c": 17}
    {"model": "7b", "task_id": "HumanEval/1", "passed": [0, 1, 1, 0], "completion_tokens": [80, 75, 91, 77]}

`model` and `task_id` are required, and either `n` and `c` or `passed`. `benchmark` and `condition` (a variant of the
same model: a prompt length, a temperature) keep lines apart where they are given. Other fields are ignored. This is the
way in for results that isobudget did not make. Files with one line per graded sample are counted first, see
`sample_lines`; one file has lines of one kind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError
from isobudget.files.jsonl import Record, read_numbered
from isobudget.importers.fields import name, shown, whole, wrong
from isobudget.importers.sample_lines import GROUP, gather_samples, is_sample

#: what keeps two lines with the same task apart: benchmark, model, condition
GroupKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class CountRow:
    """One line of a COUNTS file.

    Attributes:
        benchmark, condition: an empty string where the line does not say.
        model, task_id: as the file has them; a number is kept as its text.
        n, c: samples generated, and how many of them passed. 0 <= c <= n, 1 <= n.
        passed: the outcome of each sample in the file's order, or None where the file only counts.
        completion_tokens: tokens of each sample in the same order, or None.
        line: line of the file, from 1; of the first sample where each has its own line.
    """

    benchmark: str
    model: str
    condition: str
    task_id: str
    n: int
    c: int
    passed: tuple[bool, ...] | None
    completion_tokens: tuple[int, ...] | None
    line: int

    @property
    def group(self) -> GroupKey:
        """Benchmark, model and condition."""
        return self.benchmark, self.model, self.condition


@dataclass(frozen=True, slots=True, eq=False)
class ModelCounts:
    """All problems of one benchmark under one model and condition.

    Attributes:
        benchmark, model, condition: as in `CountRow`.
        task_ids: the problems, in the order in which the file first names them under any model of the benchmark: models
            with the same problems have equal `task_ids`, whatever the order of their own lines.
        n, c: int64 arrays, one entry per problem.
        passed, completion_tokens: per problem, None for a problem whose line has none.
    """

    benchmark: str
    model: str
    condition: str
    task_ids: tuple[str, ...]
    n: NDArray[np.int64]
    c: NDArray[np.int64]
    passed: tuple[tuple[bool, ...] | None, ...]
    completion_tokens: tuple[tuple[int, ...] | None, ...]

    @property
    def name(self) -> str:
        """The model, with its condition where there is one: ``code-cushman-001 [short]``."""
        return f"{self.model} [{self.condition}]" if self.condition else self.model

    def select(self, task_ids: Iterable[str]) -> ModelCounts:
        """The same model on some of its problems, in the order given. Raises `InputError` for a problem it lacks."""
        place = {task: at for at, task in enumerate(self.task_ids)}
        chosen = tuple(task_ids)
        missing = [task for task in chosen if task not in place]
        if missing:
            raise InputError(
                f"{self.name} has no counts for {missing[0]!r}; compare models on problems that all of them have"
            )
        at = [place[task] for task in chosen]
        passed, tokens = tuple(self.passed[i] for i in at), tuple(self.completion_tokens[i] for i in at)
        return replace(self, task_ids=chosen, n=self.n[at], c=self.c[at], passed=passed, completion_tokens=tokens)


def read_counts(path: Path | str) -> list[CountRow]:
    """Read a COUNTS file, or one line per graded sample; plain or gzipped. The rows, at least one, in the file's order.

    Raises:
        InputError: the file cannot be read, holds no rows, or a line is wrong or repeats a problem; it is named.
    """
    path = Path(path)
    rows: list[CountRow] = []
    first_line: dict[GroupKey, dict[str, int]] = {}
    for number, record in _records(path):
        row = _row(record, number, f"{path}, line {number}")
        earlier = first_line.setdefault(row.group, {}).setdefault(row.task_id, number)
        if earlier != number:
            raise InputError(
                f"{path}, line {number}: task {row.task_id!r} of model {row.model!r} was already counted in line "
                f"{earlier}. Merge the two lines, or tell them apart with `benchmark` or `condition`."
            )
        rows.append(row)
    if not rows:
        raise InputError(
            f"{path}: no rows. A COUNTS file has one JSON object a line, with model, task_id, and n and c or passed; "
            "a file of graded samples has task_id and passed."
        )
    return rows


def group_counts(rows: Iterable[CountRow]) -> dict[GroupKey, ModelCounts]:
    """Gather rows by benchmark, model and condition: benchmarks in order of first appearance, models within them too.

    The rows are as `read_counts` gives them, no problem twice within a group; for the order of the problems see
    `ModelCounts.task_ids`.
    """
    order: dict[str, dict[str, int]] = {}
    groups: dict[GroupKey, list[CountRow]] = {}
    for row in rows:
        tasks = order.setdefault(row.benchmark, {})
        tasks.setdefault(row.task_id, len(tasks))
        groups.setdefault(row.group, []).append(row)
    by_benchmark = sorted(groups, key=lambda key: list(order).index(key[0]))
    return {key: _gather(key, groups[key], order[key[0]]) for key in by_benchmark}


def _gather(key: GroupKey, members: list[CountRow], place: dict[str, int]) -> ModelCounts:
    members = sorted(members, key=lambda row: place[row.task_id])
    return ModelCounts(
        *key,
        tuple(row.task_id for row in members),
        np.array([row.n for row in members], dtype=np.int64),
        np.array([row.c for row in members], dtype=np.int64),
        tuple(row.passed for row in members),
        tuple(row.completion_tokens for row in members),
    )


def _records(path: Path) -> Iterable[tuple[int, Record]]:
    """Number and record of each line; of each problem's first line where the lines are samples."""
    records = read_numbered(path, example='{"model": "7b", "task_id": "t1", "n": 10, "c": 3}')
    first = list(islice(records, 1))
    if first and is_sample(first[0][1]):
        return gather_samples([*first, *records], path)
    return chain(first, records)


def _row(record: Record, line: int, where: str) -> CountRow:
    passed = _passed(record, where)
    n, c = _n_and_c(record, passed, where)
    *group, task_id = (name(record, key, where, key in ("model", "task_id")) for key in GROUP)
    benchmark, model, condition = map(sys.intern, group)  # once, however many lines have it
    tokens = _completion_tokens(record, n, where)
    return CountRow(benchmark, model, condition, task_id, n, c, passed, tokens, line)


def _passed(record: Record, where: str) -> tuple[bool, ...] | None:
    values = record.get("passed")
    if values is None:
        return None
    if isinstance(values, bool):
        raise wrong(
            where, "passed", "must list all samples of the problem; this file seems to have one line per sample"
        )
    if not isinstance(values, list) or not values:
        raise wrong(where, "passed", f"must be a list of 0 and 1, one per sample, got {shown(values)}")
    for value in values:
        if not isinstance(value, int) or value not in (0, 1):
            raise wrong(where, "passed", f"must be a list of 0 and 1, one of them is {shown(value)}")
    return tuple(bool(value) for value in values)


def _n_and_c(record: Record, passed: tuple[bool, ...] | None, where: str) -> tuple[int, int]:
    listed = {} if passed is None else {"n": len(passed), "c": sum(passed)}
    numbers = {}
    for field in ("n", "c"):
        stated = None if record.get(field) is None else whole(record[field], field, where)
        if stated is None and field not in listed:
            raise wrong(where, field, "is missing: give `n` and `c`, or `passed`")
        numbers[field] = listed.get(field, 0) if stated is None else stated
        if numbers[field] != listed.get(field, numbers[field]):
            raise wrong(where, field, f"is {stated} but `passed` has {listed[field]}")
    n, c = numbers["n"], numbers["c"]
    if n < 1:
        raise wrong(where, "n", "must be at least 1; leave out a problem that has no samples")
    if c > n:
        raise wrong(where, "c", f"is {c}, more than the {n} samples that `n` counts")
    return n, c


def _completion_tokens(record: Record, n: int, where: str) -> tuple[int, ...] | None:
    values = record.get("completion_tokens")
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != n:
        held = f"{len(values)}" if isinstance(values, list) else shown(values)
        raise wrong(where, "completion_tokens", f"must be a list with one number for each of {n} samples, got {held}")
    return tuple(whole(value, "completion_tokens", where) for value in values)
