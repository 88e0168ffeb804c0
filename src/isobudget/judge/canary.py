"""A benchmark's canary: before any score, one right and one wrong program must be judged correctly.

The right program is a reference of the benchmark. The wrong program gives another answer. Some benchmarks have no
reference that is known to pass (APPS, LiveCodeBench, tasks without a solution). For these, both programs are written
for a small built-in problem with the same kind of tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from isobudget.errors import JudgeError
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.problems.problem import (
    AssertList,
    CallTests,
    CheckFunction,
    Form,
    Problem,
    ProgramTests,
    PytestFile,
    ReferenceInputs,
    Tests,
)

#: most problems that are tried: the weak tests of one may pass a wrong program, but those of all should not
CANDIDATES = 3
_DOUBLE, _TRIPLE = "def double(x):\n    return 2 * x\n", "def double(x):\n    return 3 * x\n"
_PRINTS, _PRINTS_WRONG = "print(2 * int(input()))\n", "print(3 * int(input()))\n"
_PYTEST = "from solution import double\n\n\ndef test_double():\n    assert double(2) == 4\n"


class Canary(NamedTuple):
    """A problem, with a program that must pass and a program that must not pass."""

    problem: Problem
    right: str
    wrong: str


def require_canaries(problems: Iterable[Problem], judge: Judge) -> None:
    """Try a canary of every benchmark that the problems come from.

    Args:
        problems: all problems, from one benchmark or several.
        judge: an entered judge.

    Raises:
        JudgeError: on this machine the judge calls a right program wrong, or a wrong program right. The message has the
            verdicts on both programs.
    """
    by_benchmark: dict[str, list[Problem]] = {}
    for problem in problems:
        by_benchmark.setdefault(problem.benchmark, []).append(problem)
    for benchmark, ours in by_benchmark.items():
        complaint = ""
        for canary in canaries(ours):
            right, wrong = judge.run([(canary.problem, canary.right), (canary.problem, canary.wrong)])
            if right.passed and wrong.outcome in (Outcome.FAILED, Outcome.ERROR):
                break
            verdicts = f"{_said(right)} and {_said(wrong)}"
            task_id = canary.problem.task_id
            complaint = complaint or f"For {task_id}, the verdicts on a right and a wrong program are {verdicts}"
        else:
            if complaint:
                raise JudgeError(
                    f"{benchmark}: the judge does not tell right programs from wrong ones on this machine. "
                    f"{complaint}. Check the limits and the output of `isobudget doctor`, or pass --no-check to go on"
                )


def canaries(problems: list[Problem]) -> Iterator[Canary]:
    """Candidate canaries for a benchmark, best first. The caller uses the first that works.

    There are none for problems without right answers.
    """
    if not problems or (small := _small(problems[0])) is None:
        return
    own = (one for one in problems if one.reference is not None and _is_known(one))
    candidates = [Canary(one, one.program(one.reference or ""), _wrong(one)) for one in islice(own, CANDIDATES)]
    yield from candidates or [small]


def _is_known(problem: Problem) -> bool:
    """Whether the reference is known to pass and a wrong program can be written for the problem."""
    whole = isinstance(problem.tests, ProgramTests)
    return getattr(problem.tests, "rules", "own") == "own" and (whole or problem.entry_point.isidentifier())


def _wrong(problem: Problem) -> str:
    if isinstance(problem.tests, ProgramTests):
        return "print('no answer')\n"
    return f"def {problem.entry_point}(*_arguments, **_named):\n    return 'no answer'\n"


def _small(problem: Problem) -> Canary | None:
    """A small built-in problem with the same kind of tests and the same rules."""
    rules = getattr(problem.tests, "rules", "own")
    tests: dict[type, Tests] = {
        CheckFunction: CheckFunction("def check(candidate):\n    assert candidate(2) == 4\n"),
        AssertList: AssertList(("assert double(2) == 4",)),
        ReferenceInputs: ReferenceInputs(_DOUBLE, ("[2]",)),
        CallTests: CallTests(("[2]",), ("4",), rules),
        PytestFile: PytestFile(_PYTEST),
        ProgramTests: ProgramTests(("2\n",), ("4\n",), rules),
    }
    small = tests.get(type(problem.tests))
    if small is None:
        return None
    right, wrong = (_PRINTS, _PRINTS_WRONG) if isinstance(small, ProgramTests) else (_DOUBLE, _TRIPLE)
    name = "double" if right == _DOUBLE else ""
    return Canary(Problem("a small problem", problem.benchmark, "", name, small, right, Form.TEXT), right, wrong)


def _said(verdict: Verdict) -> str:
    return f"{verdict.outcome.value} ({verdict.detail})" if verdict.detail else verdict.outcome.value
