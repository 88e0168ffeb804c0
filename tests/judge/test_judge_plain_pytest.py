"""Pytest files of every kind say what plain pytest says, with a reference and without one, by turns.

Each line of `plain_pytest.jsonl` has a file of tests, a right program, and wrong ones.
"""

from __future__ import annotations

import json
from pathlib import Path

from isobudget.judge import Judge, Limits, Outcome
from isobudget.problems.problem import Form, Problem, PytestFile

CASES = [json.loads(line) for line in Path(__file__).with_name("plain_pytest.jsonl").read_text().splitlines()]
REFUSED = (Outcome.FAILED, Outcome.ERROR, Outcome.TIMEOUT)
#: without a reference nothing says that a test which a fixture skips need not run
NEEDS_REFERENCE = {"skip in setup"}


def test_as_plain_pytest_says() -> None:
    pairs = []
    for number, case in enumerate(CASES):
        known = number % 2 == 0 or case["name"] in NEEDS_REFERENCE
        tests = PytestFile(case["tests"])
        problem = Problem(case["name"], "own", "", "", tests, case["right"] if known else None, Form.TEXT)
        pairs += [(problem, program) for program in (case["right"], *case["wrong"])]
    wanted = [right for case in CASES for right in (True, *[False] * len(case["wrong"]))]
    with Judge(workers=2, limits=Limits(cpu_seconds=3.0, wall_seconds=60.0)) as judge:
        verdicts = list(judge.run(pairs))
    found = [
        (problem.task_id, right, verdict)
        for (problem, _), right, verdict in zip(pairs, wanted, verdicts, strict=True)
        if verdict.passed is not right or not (verdict.passed or verdict.outcome in REFUSED)
    ]
    assert len(CASES) > 75
    assert found == []
