"""Tests that a program hands over: what kind they are, and what is refused."""

from __future__ import annotations

import json

import pytest

from isobudget.errors import InputError
from isobudget.judge.apart import apart_where_exact
from isobudget.problems.given import given_problem
from isobudget.problems.problem import AssertList, CallTests, CheckFunction, ProgramTests, PytestFile

CHECK = "def check(candidate):\n    assert candidate(2) == 4\n"


@pytest.mark.parametrize(
    ("tests", "kind"),
    [
        ("assert add(2, 3) == 5\nassert add(0, 0) == 0", AssertList),
        (CHECK, CheckFunction),
        (CHECK + "\ncheck(add)\n", AssertList),
        ("def test_add():\n    assert add(1, 2) == 3\n", PytestFile),
        (
            "from solution import add\nclass TestAdd:\n    def test_one(self):\n        assert add(1, 2) == 3\n",
            PytestFile,
        ),
        ({"inputs": ["1\n"], "outputs": ["2\n"]}, ProgramTests),
        (json.dumps({"arguments": [[1, 2]], "results": [3]}), CallTests),
    ],
)
def test_the_kind_is_read_from_the_tests(tests: str, kind: type) -> None:
    assert isinstance(given_problem(tests, "add").tests, kind)


@pytest.mark.parametrize(
    ("tests", "entry_point", "why"),
    [
        (CHECK, "", "set entry_point to the function"),
        ("add(2, 3)", "add", "no assert statement"),
        ("", "add", "no assert statement"),
        ("assert add(", "add", "is not valid Python"),
        ("{", "add", "is not JSON"),
        ({"inputs": ["1"]}, "", "outputs"),
        ({"tests": "x"}, "", "needs a field test"),
        ({"arguments": [[1]], "results": [1]}, "", "set entry_point to the function"),
        ("assert add(1) == '\0'", "", "NUL"),
        (3, "", "must be source or an object"),
    ],
)
def test_what_cannot_be_read_is_refused(tests: str, entry_point: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        given_problem(tests, entry_point, task_id="completion 3")


def test_only_tests_that_lose_nothing_run_apart() -> None:
    plain = apart_where_exact(given_problem("assert add(2, 3) == 5"))
    odd = apart_where_exact(given_problem("a = add(2, 3)\na.extra = 1\nassert a.extra == 1"))
    assert (plain.tests.split, odd.tests.split) == (True, False)  # type: ignore[union-attr]
