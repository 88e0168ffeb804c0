"""Checks made before any sample is judged: the references of your own problems, and a canary of every benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from isobudget.judge import Judge
from isobudget.judge.canary import require_canaries
from isobudget.judge.references import is_checked, require_references, unchecked
from isobudget.problems.problem import Problem
from isobudget.progress import SILENT, Progress

NOT_CHECKED = "--no-check: reference solutions, and a right and a wrong program, were not judged first"
REFERENCES_NOT_CHECKED = "--no-check: reference solutions were not judged first"


def check_problems(problems: Iterable[Problem], judge: Judge, check: bool, progress: Progress) -> None:
    """Check problems with an entered judge; without `check`, only note that they were not checked.

    Raises:
        InputError: the reference of one of your own problems does not pass.
        JudgeError: a benchmark's right program does not pass, or its wrong program does.
    """
    if not check:
        progress.note(NOT_CHECKED)
        return
    problems = list(problems)
    require_references(problems, judge)
    require_canaries(problems, judge)


def check_references(problems: Iterable[Problem], check: bool, unsafe: bool, progress: Progress) -> None:
    """Check references for a command that judges nothing itself; starts a judge only if a reference is unchecked.

    Raises:
        InputError: the reference of one of your own problems does not pass.
        JudgeError: references cannot be confined here.
    """
    if not check:
        progress.note(REFERENCES_NOT_CHECKED)
        return
    problems = [problem for problem in problems if is_checked(problem)]
    if problems and (left := unchecked(problems, judge := Judge(unsafe=unsafe))):
        with judge:
            require_references(left, judge)


@dataclass(slots=True)
class FirstCheck:
    """Checks the problems of a study before anything is downloaded or generated; see `check_problems`.

    `make_judge` returns a judge that is not entered yet. After the check, `layers` are the judge's layers of
    confinement.
    """

    make_judge: Callable[[], Judge]
    check: bool = True
    progress: Progress = SILENT
    layers: frozenset[str] | None = None

    def __call__(self, problems: Iterable[Problem]) -> None:
        """Check the problems."""
        with self.make_judge() as judge:
            self.layers = judge.layers
            check_problems(problems, judge, self.check, self.progress)
