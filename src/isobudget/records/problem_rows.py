"""Problems as rows of the run folder, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from isobudget.errors import RunError
from isobudget.problems.problem import TEST_KINDS, Form, Problem, Tests
from isobudget.records.rows import ProblemRow, row_from


def row_of(problem: Problem) -> ProblemRow:
    """The row of a problem."""
    return row_from(ProblemRow, (), problem, tests=json.dumps({"kind": problem.tests.kind} | asdict(problem.tests)))


def problem_of(row: ProblemRow) -> Problem:
    """The problem of a row.

    Raises:
        RunError: its tests are of a kind that is not known here.
    """
    return Problem(
        **asdict(row)
        | {
            "tests": _tests(json.loads(row.tests)),
            "form": Form(row.form or Form.SOURCE),
            "starter": row.starter or "",
            "shown_tests": tuple(row.shown_tests or ()),
        }
    )


def same_problem(old: ProblemRow, new: ProblemRow) -> bool:
    """Whether two rows hold the same problem. What an older version did not record is not compared."""
    if old.form is None:
        old = replace(old, form=new.form, starter=new.starter, shown_tests=new.shown_tests)
    return problem_of(old) == problem_of(new)


def _tests(fields: dict[str, Any]) -> Tests:
    kind = fields.pop("kind")
    if kind not in TEST_KINDS:
        raise RunError(f"tests of the kind {kind!r} are not known to this isobudget; use a newer one")
    tests: Tests = TEST_KINDS[kind](
        **{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    )
    return tests
