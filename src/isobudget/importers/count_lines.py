"""COUNTS: for each problem and model, how many samples there are and how many passed.

There is one record per problem and model, in JSON lines (plain or gzipped), a JSON list, CSV, Parquet or a data frame:

    {"model": "7b", "task_id": "HumanEval/0", "n": 200, "c": 17}
    {"model": "7b", "task_id": "HumanEval/1", "passed": [0, 1, 1, 0], "completion_tokens": [80, 75, 91, 77]}

`model` and `task_id` are required, and either `n` and `c` or `passed`. `benchmark` and `condition` (a variant of the
same model, such as a prompt length or temperature) distinguish lines if given. Other fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isobudget.errors import InputError
from isobudget.grid import counted
from isobudget.importers.base import ImportTally
from isobudget.importers.fields import GROUP, MOST_SAMPLES, name, shown, whole, wrong
from isobudget.importers.records import CountRow, GroupKey, Record
from isobudget.importers.source import Source, is_text_table

_EMPTY = (
    "no rows. A COUNTS file has one JSON object a line, with model, task_id, and n and c or passed; "
    "a file of graded samples has task_id and passed."
)
_EMPTY_TABLE = (
    "no rows. A CSV has a heading and a row for each problem and model: model,task_id,n,c; or for each sample: "
    "model,task_id,passed."
)

_LISTS = ("passed", "completion_tokens")


class CountLines:
    """COUNTS files. Unrecognized files are also read as COUNTS, so that the error says what a line lacks."""

    name = "counts"
    help = "counts by problem: JSON lines, CSV, Parquet or a data frame with model, task_id, n, c (or passed lists)"
    suite = ""

    def recognises(self, source: Source) -> bool:
        """Whether the first record has `task_id`, and `n`, `c` or a list of verdicts."""
        first = source.first
        return "task_id" in first and (isinstance(first.get("passed"), list) or "n" in first or "c" in first)

    def read(self, source: Source, tally: ImportTally) -> Iterator[Record]:  # noqa: ARG002
        """One row per record; raises `InputError` for a wrong field and for a problem that occurs twice."""
        first_line: dict[tuple[GroupKey, str], int] = {}
        for number, record in source.records():
            row = _plain_row(record, number) or _row(record, number, source.where(number))
            earlier = first_line.setdefault((row.group, row.task_id), number)
            if earlier != number:
                raise InputError(
                    f"{source.where(number)}: task {row.task_id!r} of model {row.model!r} was already counted in line "
                    f"{earlier}. Merge the two lines, or tell them apart with `benchmark` or `condition`."
                )
            yield row
        if not first_line:
            raise InputError(f"{source.path}: {_EMPTY_TABLE if is_text_table(source.path) else _EMPTY}")


def _plain_row(record: dict[str, Any], line: int) -> CountRow | None:
    """A record of the common form (text names, integer counts) as a row; None if it needs the full check."""
    n, c, names = record.get("n"), record.get("c"), [record.get(key) for key in GROUP]
    if type(n) is not int or type(c) is not int or not 0 <= c <= n or not 1 <= n <= MOST_SAMPLES:
        return None
    if not record.keys().isdisjoint(_LISTS) or names[1] is None or names[3] is None:
        return None
    if not all(one is None or (type(one) is str and one and one.isprintable()) for one in names):
        return None
    benchmark, model, condition, task_id = (one or "" for one in names)
    return CountRow(benchmark, model, condition, task_id, n, c, None, None, line)


def _row(record: dict[str, Any], line: int, where: str) -> CountRow:
    passed = _passed(record, where)
    n, c = _n_and_c(record, passed, where)
    benchmark, model, condition, task_id = (name(record, key, where, key in ("model", "task_id")) for key in GROUP)
    tokens = _completion_tokens(record, n, where)
    return CountRow(benchmark, model, condition, task_id, n, c, passed, tokens, line)


def _passed(record: dict[str, Any], where: str) -> tuple[bool, ...] | None:
    values = record.get("passed")
    if values is None:
        return None
    if isinstance(values, bool):
        name(record, "task_id", where)
        raise wrong(
            where, "passed", "must list all samples of the problem; this file seems to have one line per sample"
        )
    if not isinstance(values, list) or not values:
        raise wrong(where, "passed", f"must be a list of 0 and 1, one per sample, got {shown(values)}")
    for value in values:
        if not isinstance(value, int) or value not in (0, 1):
            raise wrong(where, "passed", f"must be a list of 0 and 1, one of them is {shown(value)}")
    return tuple(bool(value) for value in values)


def _n_and_c(record: dict[str, Any], passed: tuple[bool, ...] | None, where: str) -> tuple[int, int]:
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
        raise wrong(where, "c", f"is {c}, more than the {counted(n, 'sample')} that `n` counts")
    return n, c


def _completion_tokens(record: dict[str, Any], n: int, where: str) -> tuple[int, ...] | None:
    values = record.get("completion_tokens")
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != n:
        held = f"{len(values)}" if isinstance(values, list) else shown(values)
        raise wrong(
            where, "completion_tokens", f"must be a list with one number for each of {counted(n, 'sample')}, got {held}"
        )
    return tuple(whole(value, "completion_tokens", where) for value in values)
