"""Problems as rows of the run folder, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from isobudget.errors import RunError
from isobudget.problems.problem import TEST_KINDS, Form, Problem, Tests
from isobudget.records.rows import ProblemRow


def row_of(problem: Problem) -> ProblemRow:
    """The row of a problem."""
    return ProblemRow(
        benchmark=problem.benchmark,
        task_id=problem.task_id,
        prompt=problem.prompt,
        entry_point=problem.entry_point,
        tests=json.dumps({"kind": problem.tests.kind} | asdict(problem.tests)),
        reference=problem.reference,
        form=problem.form.value,
        starter=problem.starter,
        shown_tests=list(problem.shown_tests),
    )


def problem_of(row: ProblemRow) -> Problem:
    """The problem of a row.

    Raises:
        RunError: its tests are of a kind that is not known here.
    """
    return Problem(
        task_id=row.task_id,
        benchmark=row.benchmark,
        prompt=row.prompt,
        entry_point=row.entry_point,
        tests=_tests(json.loads(row.tests)),
        reference=row.reference,
        form=Form(row.form or Form.SOURCE),
        starter=row.starter or "",
        shown_tests=tuple(row.shown_tests or ()),
    )


def same_problem(row: ProblemRow, problem: Problem) -> bool:
    """Whether a row holds this problem. What an older version did not record is not compared."""
    recorded = problem_of(row)
    if row.form is None:
        recorded = replace(recorded, form=problem.form, starter=problem.starter, shown_tests=problem.shown_tests)
    return recorded == problem


def _tests(fields: dict[str, Any]) -> Tests:
    kind = fields.pop("kind")
    if kind not in TEST_KINDS:
        raise RunError(f"tests of the kind {kind!r} are not known to this isobudget; use a newer one")
    tests: Tests = TEST_KINDS[kind](
        **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    )
    return tests
