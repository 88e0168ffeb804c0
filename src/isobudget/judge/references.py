"""References first: before own problems are used, the judge must pass their references.

A reference that fails says that the tests, the reference or the judge are wrong; verdicts on samples would say nothing.
What has passed is remembered for as long as this process lives, by content. The tests of published benchmarks are not
checked again: a test of isobudget holds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from isobudget.errors import InputError
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Verdict
from isobudget.problems.problem import Problem, ReferenceInputs

_passed: set[Problem] = set()


class FailedReference(NamedTuple):
    """A problem whose reference did not pass, and its verdict."""

    problem: Problem
    verdict: Verdict

    def __str__(self) -> str:
        """The problem and the reason, as one line."""
        test = f", at {self.verdict.first_failing}" if self.verdict.first_failing else ""
        return f"{self.problem.task_id}: {self.verdict.outcome.value}{test} ({self.verdict.detail or 'no message'})"


def failed_references(problems: Iterable[Problem], judge: Judge) -> list[FailedReference]:
    """The problems whose own references do not pass, in their order.

    Args:
        problems: those without a reference, and those of published benchmarks, are passed over.
        judge: an entered judge.
    """
    checked = [problem for problem in problems if _is_checked(problem) and problem not in _passed]
    verdicts = judge.run((problem, problem.program(problem.reference or "")) for problem in checked)
    failed = []
    for problem, verdict in zip(checked, verdicts, strict=True):
        if verdict.passed:
            _passed.add(problem)
        else:
            failed.append(FailedReference(problem, verdict))
    return failed


def require_references(problems: Iterable[Problem], judge: Judge) -> None:
    """Refuse problems whose references do not pass.

    Raises:
        InputError: the first of them is named, with the reason.
    """
    failed = failed_references(problems, judge)
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise InputError(
            f"the reference of {failed[0]}{more}: mend its tests or its canonical_solution, or pass --no-check to "
            "judge all the same"
        )


def _is_checked(problem: Problem) -> bool:
    published = getattr(problem.tests, "split", False) or getattr(problem.tests, "rules", "own") != "own"
    return problem.reference is not None and not published and not isinstance(problem.tests, ReferenceInputs)
