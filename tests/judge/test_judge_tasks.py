"""Thirty tasks with ordinary pytest files, of every kind that pytest runs: the right one passes, wrong ones fail.

Each file of `tasks` holds the tests, a right program and three wrong ones, each after a line that says which.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from isobudget.judge import Judge, Limits, Outcome, Trust, Verdict
from isobudget.problems.problem import Form, Problem, PytestFile

PATHS = sorted((Path(__file__).parent / "tasks").glob("*.txt"))


class Task(NamedTuple):
    tests: str
    right: str
    wrong: list[str]


def read(path: Path) -> Task:
    parts = re.split(r"^### (test|right|wrong)\n", path.read_text(), flags=re.MULTILINE)[1:]
    assert parts[::2] == ["test", "right", "wrong", "wrong", "wrong"], path
    tests, right, *wrong = parts[1::2]
    return Task(tests, right, wrong)


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[Verdict]]:
    """The verdicts on every task's right program and its wrong ones, all by the same workers."""
    pairs = []
    for path in PATHS:
        task = read(path)
        problem = Problem(path.stem, "tasks", "", "", PytestFile(task.tests), task.right, Form.TEXT)
        pairs += [(problem, program) for program in (task.right, *task.wrong)]
    with Judge(workers=2, limits=Limits(cpu_seconds=5.0, wall_seconds=60.0)) as judge:
        found = list(judge.run(pairs))
    return {path.stem: found[4 * at : 4 * at + 4] for at, path in enumerate(PATHS)}


def test_there_are_thirty() -> None:
    assert len(PATHS) == 30


@pytest.mark.parametrize("name", [path.stem for path in PATHS])
def test_the_right_one_passes_and_three_wrong_ones_fail(verdicts: dict[str, list[Verdict]], name: str) -> None:
    if name == "data_frames" and find_spec("pandas") is None:
        pytest.skip("pandas is not installed")
    right, *wrong = verdicts[name]
    assert right.outcome is Outcome.PASSED, right
    assert right.tests_passed == right.tests_total
    assert [one.outcome for one in wrong if one.outcome not in (Outcome.FAILED, Outcome.ERROR)] == [], wrong
    assert {one.trust for one in verdicts[name]} <= {Trust.SHARED, Trust.SPLIT}
    assert all(one.first_failing for one in wrong if one.outcome is Outcome.FAILED)
