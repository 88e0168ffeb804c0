"""Function tests of every kind say what plain Python says, with a reference and without one.

Each line of `plain_functions.jsonl` has tests, a right program, and wrong ones; in plain Python the right one passes
its tests and the wrong ones do not.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget.judge import Judge, Outcome, Verdict
from isobudget.problems.problem import CheckFunction, Form, Problem

CASES = [json.loads(line) for line in Path(__file__).with_name("plain_functions.jsonl").read_text().splitlines()]
REFUSED = (Outcome.FAILED, Outcome.ERROR)


def verdicts(with_reference: bool) -> list[tuple[str, Verdict, list[Verdict]]]:
    pairs = []
    for case in CASES:
        reference = case["right"] if with_reference else None
        problem = Problem(case["name"], "own", "", "f", CheckFunction(case["tests"]), reference, Form.TEXT)
        pairs += [(problem, program) for program in (case["right"], *case["wrong"])]
    with Judge(workers=2) as judge:
        found = judge.run(pairs)
        return [(case["name"], next(found), [next(found) for _ in case["wrong"]]) for case in CASES]


@pytest.mark.parametrize("with_reference", [True, False])
def test_as_in_plain_python(with_reference: bool) -> None:
    found = verdicts(with_reference)
    assert len(found) > 70
    assert {name: right for name, right, _ in found if right.outcome is not Outcome.PASSED} == {}
    assert {name: wrong for name, _, wrong in found if any(one.outcome not in REFUSED for one in wrong)} == {}
