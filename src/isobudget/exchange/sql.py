"""Queries a run by SQL: DuckDB over its tables, in memory, without access to anything else.

    samples    sampled outputs, with `passed` and `outcome` of their verdict if they have one
    greedy     the same for greedy outputs
    verdicts   verdicts of sampled outputs
    problems   the problems
    scores     scores of samples by models, for rankers

`passed` is 0 or 1, so that avg(passed) is the share that passed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from isobudget.errors import InputError, MissingExtraError, RunError
from isobudget.grid import Grid, json_value
from isobudget.pipeline.interrupts import Interrupts, Landed
from isobudget.records.parts import dataset_of
from isobudget.records.ranking_rows import ScoreRow
from isobudget.records.rows import ProblemRow, SampleRow, VerdictRow
from isobudget.records.run import Run, load_run
from isobudget.results import Results

Answer = Results[dict[str, Any]]
Result = TypeVar("Result")

_TABLES = {"problems": ProblemRow, "samples": SampleRow, "verdicts": VerdictRow, "scores": ScoreRow}
#: columns with longer values are broken into lines
_LONG = 20
#: pause before an interrupted query is told to end once more
_BETWEEN_SECONDS = 0.05
#: the tables that a query sees
VIEWS = ("samples", "greedy", "verdicts", "problems", "scores")
_KEY = "benchmark, model, task_id, greedy, index"
_OUTPUTS = f"""
create view {{name}} as select s.* exclude (greedy), v.passed::int as passed, v.outcome
from raw_samples s left join raw_verdicts v using ({_KEY}) where {{which}} greedy
"""
_VIEWS = (
    "create view problems as from raw_problems",
    "create view scores as from raw_scores",
    "create view verdicts as select * exclude (greedy) replace (passed::int as passed)"
    " from raw_verdicts where not greedy",
    _OUTPUTS.format(name="samples", which="not"),
    _OUTPUTS.format(name="greedy", which=""),
)
#: the kinds of statements that only read; `pivot` is a statement of kind MULTI
_READING = frozenset(("SELECT", "EXPLAIN", "CALL", "PRAGMA", "MULTI", "RELATION"))
_CLOSED = ("set enable_external_access = false", "set lock_configuration = true")


def ask(run: Run | str | Path, query: str) -> Answer:
    """Run a query; returns its rows as records.

    Raises:
        InputError: the query is wrong, is not one statement that only reads, or uses data outside the run.
        MissingExtraError: DuckDB is not installed.
        RunError: no such run, or a part of it is damaged.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError("isobudget sql", "sql") from None
    run = run if isinstance(run, Run) else load_run(run)
    connection = duckdb.connect(":memory:")
    try:
        names, rows = _interruptible(connection, partial(_answer, connection, run, query))
    except duckdb.Error as error:
        if "the stream registered as 'raw_" in str(error):  # of a part, and not of the query
            raise RunError(
                f"{run.path}: a part cannot be read: {str(error).splitlines()[0]} See what to do with: "
                f"isobudget check {run.path}"
            ) from None
        listed = f" The tables are: {', '.join(VIEWS)}." if "Table with name" in str(error) else ""
        raise InputError(f"the query failed: {str(error).splitlines()[0]}{listed}") from error
    finally:
        connection.close()
    records = [dict(zip(names, row, strict=True)) for row in rows]
    return Results.of(
        records,
        plain=lambda: json_value(_as_json(records)),
        rows=lambda: records,
        text=lambda: "\n".join("  ".join(map(str, row)) for row in [names, *rows]),
        grids=lambda: [_grid(str(run.path), names, [list(map(_shown, row)) for row in rows])],
    )


def _answer(connection: Any, run: Run, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the answer's columns, and its rows."""
    for name, row_type in _TABLES.items():
        connection.register(f"raw_{name}", dataset_of(run.path / name, row_type))
    for statement in (*_VIEWS, *_CLOSED):
        connection.execute(statement)
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise InputError(f"a query must be one SQL statement, but this query has {len(statements) or 'none'}")
    if (kind := statements[0].type.name) not in _READING:
        raise InputError(f"the query failed: a query may only read, but this query is a statement of kind {kind}")
    answer = connection.execute(query)
    return _apart([one[0] for one in answer.description or ()]), answer.fetchall()


def _interruptible(connection: Any, ask: Callable[[], Result]) -> Result:
    """The result of a DuckDB call in its own thread, because in the main thread pyarrow calls would lose a Ctrl-C."""
    interrupts, landed = Interrupts(), Landed()
    with interrupts.held_back(), ThreadPoolExecutor(1) as thread:
        answer = thread.submit(ask)
        landed.watch(answer)
        try:
            interrupts.let_in(landed.wait)
        except KeyboardInterrupt:
            while not answer.done():
                connection.interrupt()  # repeated, because a query that is just starting ignores it
                wait([answer], _BETWEEN_SECONDS)
            raise
        return answer.result()


def _grid(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    """The answer as a table.

    If the table is too wide to print, it has a line for each value, and a blank line between rows.
    """
    lines = tuple(
        line
        for place, row in enumerate(rows)
        for line in ([("", "")] if place else []) + list(zip(names, row, strict=True))
    )
    texts = tuple(x for x in range(len(names)) if any(len(row[x]) > _LONG for row in rows))
    narrow = Grid(title, ("column", "value"), lines, words=(0, 1))
    return Grid(title, tuple(names), tuple(map(tuple, rows)), words=(0, *texts), narrow=narrow)


def _apart(names: Sequence[str]) -> list[str]:
    """The columns with unique names: in `a, a` the second becomes `a_1`."""
    apart: list[str] = []
    for name in names:
        others = (f"{name}_{number}" for number in itertools.count(1))
        free = (one for one in others if one not in apart and one not in names)
        apart.append(next(free) if name in apart else name)
    return apart


def _as_json(value: Any) -> Any:
    """A DuckDB value as JSON: decimals become numbers, bytes become hexadecimal texts, other types become texts."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(one) for one in value]
    if isinstance(value, Decimal):
        return float(value)
    return value.hex() if isinstance(value, bytes) else str(value)


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
