"""Judges a sample by tests that run in one process with it, as in plain Python, and decides what counts as a pass.

In this one process the sample can reach its tests. Three rules make a pass hard to forge:

- The tests that must pass are known before the sample is loaded: from a run with the reference, or from the tests'
  syntax tree.
- Every test must be reported, in order, and each report must be signed with a key. The key is given out before the
  sample is loaded, and no module holds it.
- The run must be completed.

So there is no pass if the process ends early, if a report is missing or forged, or if the sample skips a test that the
reference runs.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from typing import Any, NamedTuple

from isobudget.judge import wire
from isobudget.judge.messages import Case
from isobudget.judge.trusted.host import Host, ended
from isobudget.judge.untrusted import sample
from isobudget.judge.untrusted.loading import DETAIL_CHARS
from isobudget.judge.untrusted.shared_tests import FAILED, PASSED
from isobudget.judge.verdict import Outcome, Trust, Verdict

#: CPU seconds for pytest itself, beyond the sample's limit; on an idle machine it needs a quarter of a second
RUNNER_SECONDS = 1.0
#: errors that mean that a result is not the expected one
ASSERTIONS = ("AssertionError", "Failed")
#: marks of tests that need not pass, and of what is not a test
_OPTIONAL = re.compile(r"skip|xfail|expectedFailure|\bfixture\b")


class ForgedError(Exception):
    """A message was not signed by the test runner."""


class Reports(NamedTuple):
    """What a run reported.

    Attributes:
        outcomes: the outcome of each test.
        failure: the test, error, detail and line of the first failure. None if there was none.
        compiled: whether the program compiled.
        completed: whether the sample's process reported that the run was completed.
        ending: why a completed run does not count; empty if it does.
    """

    outcomes: dict[str, str]
    failure: tuple[str, str, str, int] | None
    compiled: bool
    completed: bool
    ending: str


class SharedTests:
    """A problem's tests, to run in one process with samples."""

    def __init__(self, case: Case, host: Host) -> None:
        """Learn which tests must pass, before any sample is loaded."""
        self.case = case
        self.names = _names(case)
        self.required: set[str] | None = None
        if case.kind == "PytestFile" and case.reference is not None:
            reports = self._run(host, case.reference, stop=False)[1]
            if reports is not None and reports.completed and reports.failure is None:
                self.required = {test for test, outcome in reports.outcomes.items() if outcome == PASSED}

    def judge(self, host: Host, program: str) -> Verdict:
        """Run program and tests in one process."""
        verdict, reports = self._run(host, program, stop=True)
        passed = len([outcome for outcome in reports.outcomes.values() if outcome == PASSED]) if reports else 0
        total = len(self.required or self.names)
        return verdict._replace(trust=Trust.SHARED, tests_passed=passed, tests_total=max(total, passed))

    def _run(self, host: Host, program: str, *, stop: bool) -> tuple[Verdict, Reports | None]:
        case = self.case
        runner = RUNNER_SECONDS if case.kind == "PytestFile" else 0.0
        wires = host.fork(sample.SHARED, host.limits._replace(cpu_seconds=host.limits.cpu_seconds + runner))
        reports: Reports | None = None
        verdict: Verdict | None = None
        try:
            given = {"program": program, "kind": case.kind, "entry_point": case.entry_point, "stop": stop}
            reports = _listen(wires, given | {"tests": case.tests})
            verdict = self._verdict(reports)
        except ForgedError as error:
            verdict = Verdict(Outcome.ERROR, detail=str(error))
        except wire.ClosedError:
            pass
        except wire.WireError as error:
            verdict = Verdict(Outcome.ERROR, detail=f"a report of a test cannot be read: {error}")
        report = host.end()
        os.close(wires)
        if verdict is None or report.crowded:
            verdict = ended(report)
        return report.onto(host.with_output_limit(verdict)), reports

    def _verdict(self, reports: Reports) -> Verdict | None:
        """The verdict from the reports; None if the process ended before it had completed the tests."""
        if not reports.compiled:
            assert reports.failure is not None
            return Verdict(Outcome.SYNTAX_ERROR, detail=reports.failure[2])
        if reports.failure is not None:
            test, error, detail, line = reports.failure
            outcome = Outcome.FAILED if error in ASSERTIONS else Outcome.ERROR
            outcome = Outcome.OUT_OF_MEMORY if error == "MemoryError" else outcome
            return Verdict(outcome, detail=detail, first_failing=self._test_name(test, line))
        if not reports.completed:
            return None
        if reports.ending:
            return Verdict(Outcome.ERROR, detail=reports.ending)
        passed = {test for test, outcome in reports.outcomes.items() if outcome == PASSED}
        missing = self._missing(passed)
        if missing:
            skipped = missing in reports.outcomes  # reported, and neither passed nor failed
            detail = f"the test {missing} was {'skipped' if skipped else 'not run'}"
            return Verdict(Outcome.ERROR, detail=detail, first_failing=missing)
        if not passed:
            return Verdict(Outcome.ERROR, detail="no test was run")
        return Verdict(Outcome.PASSED)

    def _missing(self, passed: set[str]) -> str:
        """The first required test that did not pass; an empty string if there is none."""
        if self.required is not None:
            return min(self.required - passed, default="")
        run = {test.partition("[")[0].rpartition("::")[2] for test in passed}
        return min(set(self.names) - run, default="")

    def _test_name(self, test: str, line: int) -> str:
        """The display name of a test: the name of a test of pytest, or the source of any other."""
        tests = self.case.tests
        if self.case.kind == "PytestFile":
            return test
        if test.isdigit():
            return " ".join(tests["asserts"][int(test)].split())[:DETAIL_CHARS] if int(test) < len(self.names) else ""
        lines = tests["source"].split("\n") if test == "check" else []
        return " ".join(lines[line - 1].split())[:DETAIL_CHARS] if 0 < line <= len(lines) else ""


def _names(case: Case) -> list[str]:
    """The names of the tests, read from their text alone."""
    if case.kind == "AssertList":
        return [str(number) for number in range(len(case.tests["asserts"]))]
    if case.kind == "CheckFunction":
        return ["check"]
    tree = ast.parse(case.tests["source"])
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_collected(node)]
    bodies = [body for body in (tree.body, *(node.body for node in classes)) if not _may_skip(_marks(body))]
    functions = (node for body in bodies for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [node.name for node in functions if node.name.startswith("test") and not _may_skip(node.decorator_list)]


def _is_collected(node: ast.ClassDef) -> bool:
    """Whether pytest collects the tests of a class and none of them may be skipped."""
    named = node.name.startswith("Test") or any("TestCase" in ast.unparse(base) for base in node.bases)
    own = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    refused = any(ast.unparse(one) == "__test__ = False" for one in node.body)
    return named and not own & {"__init__", "__new__"} and not refused and not _may_skip(node.decorator_list)


def _marks(body: list[ast.stmt]) -> list[ast.expr]:
    """The marks that `pytestmark` applies to all tests of a module or class."""
    marks = (node for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark")
    return [node.value for node in marks]


def _may_skip(marks: list[ast.expr]) -> bool:
    """Whether the marks allow a test to be skipped or to fail, or make it a fixture."""
    return any(_OPTIONAL.search(ast.unparse(one)) for one in marks)


def _listen(wires: int, given: dict[str, Any]) -> Reports:
    """Send the tests and collect the reports.

    Raises:
        ForgedError: a report has a wrong signature.
        WireError: the process ended, or sent something that cannot be read.
    """
    key = os.urandom(32)
    outcomes: dict[str, str] = {}
    wire.send(wires, [key.hex(), given])
    for number in range(1 << 30):
        try:
            message = wire.receive(wires)
        except wire.ClosedError:
            return Reports(outcomes, None, compiled=True, completed=False, ending="")
        if type(message) is not list or len(message) != 7 or any(type(part) not in (str, int) for part in message):
            raise ForgedError("a report of a test was forged")
        *said, signature = message
        if hashlib.blake2b(repr((number, tuple(said))).encode(), key=key).hexdigest() != signature:
            raise ForgedError("a report of a test was forged")
        kind, test, outcome, error, detail, line = said
        if kind == "completed":
            return Reports(outcomes, None, compiled=True, completed=True, ending=str(outcome))
        if kind == "not compiled" or outcome == FAILED:
            failure = (str(test), str(error), str(detail)[:DETAIL_CHARS], int(line))
            return Reports(outcomes, failure, compiled=kind != "not compiled", completed=False, ending="")
        outcomes[str(test)] = str(outcome)
        wire.send(wires, "go on")
    raise ForgedError("too many reports")
