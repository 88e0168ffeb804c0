"""Checks references: before your own problems are used, the reference of each problem must pass the problem's tests.

If a reference fails, then the tests, the reference or the judge are wrong, and verdicts on samples would mean nothing.
References that passed are remembered in the user's cache folder by a checksum of the problem with its tests and
reference, of the judge's rules and limits, and of the version of Python. Failures are not remembered. Published
benchmarks are not checked here: isobudget's own test suite checks them.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from isobudget.errors import InputError, IsobudgetError
from isobudget.files.whole import make_folder, read_text, user_cache, write_whole
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import RULES, Verdict
from isobudget.problems.problem import Problem, ReferenceInputs

#: most references that are remembered; the oldest are dropped first
MOST_KEPT = 20_000


class FailedReference(NamedTuple):
    """A problem whose reference did not pass, and the verdict on the reference."""

    problem: Problem
    verdict: Verdict

    def __str__(self) -> str:
        """The problem and the reason for the failure, in one line."""
        test = f", at {self.verdict.first_failing}" if self.verdict.first_failing else ""
        return f"{self.problem.task_id}: {self.verdict.outcome.value}{test} ({self.verdict.detail or 'no message'})"


def cache_file() -> Path:
    """The file with the checksums of references that have passed, one per line."""
    return user_cache() / "references.txt"


def unchecked(problems: Iterable[Problem], judge: Judge) -> list[Problem]:
    """Your own problems with a reference that has not passed yet, in order. The judge need not be entered."""
    passed = set(_read())
    return [one for one in problems if is_checked(one) and _checksum(one, judge) not in passed]


def failed_references(problems: Iterable[Problem], judge: Judge) -> list[FailedReference]:
    """The problems whose own references do not pass, in the given order.

    Args:
        problems: problems without a reference, and problems of published benchmarks, are skipped.
        judge: an entered judge.
    """
    checked = unchecked(problems, judge)
    if not checked:
        return []
    verdicts = judge.run((problem, problem.program(problem.reference or "")) for problem in checked)
    failed, passed = [], []
    for problem, verdict in zip(checked, verdicts, strict=True):
        if verdict.passed:
            passed.append(_checksum(problem, judge))
        else:
            failed.append(FailedReference(problem, verdict))
    _keep(passed)
    return failed


def require_references(problems: Iterable[Problem], judge: Judge) -> None:
    """Raise if a problem's reference does not pass.

    Raises:
        InputError: a reference fails. The message names the first problem whose reference fails, and the reason.
    """
    failed = failed_references(problems, judge)
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise InputError(
            f"a reference solution fails its tests: {failed[0]}{more}. Correct the tests or the 'canonical_solution', "
            "or pass --no-check to judge anyway"
        )


def is_checked(problem: Problem) -> bool:
    """Whether the problem is one of your own and has a reference.

    Problems whose tests themselves compare with a reference (`ReferenceInputs`) are not checked.
    """
    published = getattr(problem.tests, "split", False) or getattr(problem.tests, "rules", "own") != "own"
    return problem.reference is not None and not published and not isinstance(problem.tests, ReferenceInputs)


def _checksum(problem: Problem, judge: Judge) -> str:
    how = (RULES, tuple(judge.limits), judge.trust, judge.one_process, sys.version_info[:3])
    return hashlib.sha256(repr((how, problem)).encode("utf-8", "surrogatepass")).hexdigest()


def _read() -> list[str]:
    """The checksums of references that have passed before; empty if the cache cannot be read."""
    try:
        return read_text(cache_file()).split()
    except IsobudgetError:
        return []


def _keep(passed: list[str]) -> None:
    if passed:
        # Without a cache the references are judged again, that is all.
        with contextlib.suppress(IsobudgetError):
            make_folder(cache_file().parent)
            kept = list(dict.fromkeys([*_read(), *passed]))[-MOST_KEPT:]
            write_whole(cache_file(), ("\n".join(kept) + "\n").encode())
