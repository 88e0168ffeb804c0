"""Whole programs do what they do in CPython: streams, their ends, `atexit` and hooks, files, names, threads.

`plain_programs.jsonl` has what CPython 3.11 printed for each, on `INPUT` from a file, and its exit status.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget.judge import Judge, Outcome
from isobudget.problems.problem import Form, Problem, ProgramTests

CASES = [json.loads(line) for line in Path(__file__).with_name("plain_programs.jsonl").read_text().splitlines()]
INPUT = "1 2\nsecond\n"
SAME = "def check(input, output, expected):\n    return output == expected\n"


@pytest.mark.parametrize("one_process", [True, False])
def test_programs_print_and_end_as_in_plain_python(one_process: bool) -> None:
    pairs = []
    for case in CASES:
        tests = ProgramTests((INPUT, INPUT), (case["printed"],) * 2, checker=SAME)
        pairs.append((Problem(case["name"], "own", "", "", tests, None, Form.TEXT), case["program"]))
    with Judge(workers=2, one_process=one_process) as judge:
        verdicts = list(judge.run(pairs))
    wanted = {case["name"]: Outcome.ERROR if case["status"] else Outcome.PASSED for case in CASES}
    found = {problem.task_id: verdict.outcome for (problem, _), verdict in zip(pairs, verdicts, strict=True)}
    assert len(CASES) > 100
    assert {name: outcome for name, outcome in found.items() if outcome is not wanted[name]} == {}
