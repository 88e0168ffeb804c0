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

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError
from isobudget.importers.fields import name, shown, whole
from isobudget.importers.sample_lines import gather_samples, is_sample, model_of_file

GZIP_MAGIC = b"\x1f\x8b"

#: what keeps two lines with the same task apart: benchmark, model, condition
GroupKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class CountRow:
    """One line of a COUNTS file.

    Attributes:
        benchmark, condition: an empty string where the line does not say.
        model, task_id: as the file has them; a number is kept as its text.
        n, c: samples drawn, and how many of them passed. 0 <= c <= n, 1 <= n.
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
        return ModelCounts(
            self.benchmark,
            self.model,
            self.condition,
            chosen,
            self.n[at],
            self.c[at],
            tuple(self.passed[i] for i in at),
            tuple(self.completion_tokens[i] for i in at),
        )


def read_counts(path: Path | str) -> list[CountRow]:
    """Read a COUNTS file, or one line per graded sample; plain or gzipped (told by its first bytes, not its name).

    Returns:
        The rows in the file's order; never empty.

    Raises:
        InputError: the file cannot be read, holds no rows, or a line is wrong or repeats a problem (the message has
            the line).
    """
    path = Path(path)
    rows: list[CountRow] = []
    first_line: dict[tuple[GroupKey, str], int] = {}
    for number, record in _records(path):
        row = _row(record, number, path)
        earlier = first_line.setdefault((row.group, row.task_id), number)
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

    Args:
        rows: as `read_counts` gives them; no problem twice within a group.

    Returns:
        Group key to counts; see `ModelCounts.task_ids` for the order of the problems.
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


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank."""
    try:
        data = path.read_bytes()
        if data.startswith(GZIP_MAGIC):
            data = gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip file ({error}). Fetch or write it again.") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, line {number}: not UTF-8 text (byte {error.start + 1}).") from error
        if text.strip():
            yield number, text


def _records(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    """Number and record of each line; of each problem's first line where the lines are samples."""
    records = [(number, _parse(text, number, path)) for number, text in _lines(path)]
    if not records or not is_sample(records[0][1]):
        return records
    for number, record in records:
        if not is_sample(record):
            raise InputError(
                f"{path}, line {number}: field `passed` must be true or false, as in the lines before: this file has "
                "one line per sample."
            )
    try:
        return gather_samples(records, model_of_file(path))
    except ValueError as error:
        what, number = error.args
        raise InputError(f"{path}, line {number}: {what}.") from error


def _parse(text: str, line: int, path: Path) -> dict[str, Any]:
    """One line as a JSON object."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {line}: not JSON: {error}. Each line must be one JSON object.") from error
    if not isinstance(record, dict):
        example = '{"model": "7b", "task_id": "t1", "n": 10, "c": 3}'
        raise InputError(f"{path}, line {line}: must be a JSON object such as {example}.")
    return record


def _row(record: dict[str, Any], line: int, path: Path) -> CountRow:
    """A record as a row. Whatever is wrong is reported as `InputError` with file, line and field."""
    try:
        passed = _passed(record)
        n, c = _n_and_c(record, passed)
        return CountRow(
            benchmark=name(record, "benchmark", required=False),
            model=name(record, "model"),
            condition=name(record, "condition", required=False),
            task_id=name(record, "task_id"),
            n=n,
            c=c,
            passed=passed,
            completion_tokens=_completion_tokens(record, n),
            line=line,
        )
    except ValueError as error:
        raise InputError(f"{path}, line {line}: {error}.") from error


def _passed(record: dict[str, Any]) -> tuple[bool, ...] | None:
    values = record.get("passed")
    if values is None:
        return None
    if isinstance(values, bool):
        raise ValueError(
            "field `passed` must list all samples of the problem; this file seems to have one line per sample"
        )
    if not isinstance(values, list) or not values:
        raise ValueError(f"field `passed` must be a list of 0 and 1, one per sample, got {shown(values)}")
    for value in values:
        if not isinstance(value, int) or value not in (0, 1):
            raise ValueError(f"field `passed` must be a list of 0 and 1, one of them is {shown(value)}")
    return tuple(bool(value) for value in values)


def _n_and_c(record: dict[str, Any], passed: tuple[bool, ...] | None) -> tuple[int, int]:
    counted = (None, None) if passed is None else (len(passed), sum(passed))
    stated = tuple(whole(record[field], field) if record.get(field) is not None else None for field in ("n", "c"))
    for field, by_list, by_number in zip(("n", "c"), counted, stated, strict=True):
        if by_list is None and by_number is None:
            raise ValueError(f"field `{field}` is missing: give `n` and `c`, or `passed`")
        if None not in (by_list, by_number) and by_list != by_number:
            raise ValueError(f"field `{field}` is {by_number} but `passed` has {by_list}")
    n, c = (by_list if by_number is None else by_number for by_list, by_number in zip(counted, stated, strict=True))
    assert n is not None
    assert c is not None
    if n < 1:
        raise ValueError("field `n` must be at least 1; leave out a problem that has no samples")
    if c > n:
        raise ValueError(f"field `c` is {c}, more than the {n} samples that `n` counts")
    return n, c


def _completion_tokens(record: dict[str, Any], n: int) -> tuple[int, ...] | None:
    values = record.get("completion_tokens")
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != n:
        held = f"{len(values)}" if isinstance(values, list) else shown(values)
        raise ValueError(
            f"field `completion_tokens` must be a list with one number for each of {n} samples, got {held}"
        )
    return tuple(whole(value, "completion_tokens") for value in values)
