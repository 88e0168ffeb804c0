"""Tests of whole programs that read standard input and print, on real descriptors.

Each test has a process of its own, unless `one_process` runs them all. Output is compared by the rules of the benchmark
(see `compare`) or by the problem's own checker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isobudget.judge.messages import Case
from isobudget.judge.trusted import given, one_process
from isobudget.judge.trusted.compare import PRINTED, Tolerance, same_output, stated
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.runs import Program, Ran, ending_of, run_program
from isobudget.judge.trusted.session import TESTS_SECONDS, CpuTimeLimit
from isobudget.judge.verdict import Limits, Outcome, Verdict

#: how much more than twice the length of the expected output a program may print
SLACK_BYTES = 1 << 16


class ProgramTests:
    """Inputs and expected outputs, prepared for programs."""

    def __init__(self, case: Case) -> None:
        tests = case.tests
        self.inputs = [text.encode() for text in tests["inputs"]]
        self.outputs: list[str] = tests["outputs"]
        self.rules: str = tests.get("rules", "own")
        self.tolerance: Tolerance = stated(tests.get("tolerance"), PRINTED)
        self.checker = _checker(tests.get("checker", ""))

    def judge(self, host: Host, text: str) -> Verdict:
        """Run the program once per test, up to the first that does not pass, each time within the limits."""
        compiled, program = "", Program(text, given.before(text, self.rules))
        if host.one_process:
            verdict = one_process.judge(self, host, program)
            if isinstance(verdict, Verdict):
                return verdict
            compiled = verdict.compiled
        return self._judge(host, program, compiled)

    def _judge(self, host: Host, program: Program, compiled: str) -> Verdict:
        seconds, peak, held = 0.0, 0.0, 0
        verdict = Verdict(Outcome.PASSED)
        for number, data in enumerate(self.inputs):
            ran = run_program(host, program, compiled, data, self.allowed(number, host.limits))
            compiled = compiled or ran.compiled
            seconds, peak = seconds + ran.report.seconds, max(peak, ran.report.peak_kb / 1024)
            verdict = self.outcome_of(ran, number, host.limits)
            if not verdict.passed:
                verdict = verdict._replace(first_failing=self.name_of(number))
                break
            held += 1
        total = len(self.inputs)
        return verdict._replace(seconds=seconds, peak_memory_mb=peak, tests_passed=held, tests_total=total)

    def allowed(self, number: int, limits: Limits) -> int:
        """The most bytes that a program may print in a test."""
        return max(limits.output_kb << 10, 2 * len(self.outputs[number].encode()) + SLACK_BYTES)

    def outcome_of(self, ran: Ran, number: int, limits: Limits) -> Verdict:
        """The verdict on one run: by how the run ended, and if it ended well, by its output."""
        expected = self.outputs[number]
        if (ending := ending_of(ran, self.allowed(number, limits), may_exit=self.rules != "own")) is not None:
            return ending
        printed = ran.printed.decode("utf-8", "replace")
        if self._right(number, printed, expected):
            return Verdict(Outcome.PASSED)
        return Verdict(Outcome.FAILED, detail="the output is not the expected one")

    def _right(self, number: int, printed: str, expected: str) -> bool:
        if self.checker is None:
            return same_output(printed, expected, self.rules, self.tolerance)
        with CpuTimeLimit(TESTS_SECONDS):
            return self.checker(self.inputs[number].decode(), printed, expected) is True

    def name_of(self, number: int) -> str:
        """The display name of a test."""
        return f"test {number + 1} of {len(self.inputs)}"


def _checker(source: str) -> Callable[[str, str, str], object] | None:
    """The function `check(input, output, expected)` of a problem with several right answers, if it has one."""
    if not source:
        return None
    space: dict[str, Any] = {"__name__": "checker"}
    exec(compile(source, "<checker>", "exec", dont_inherit=True), space)
    check: Callable[[str, str, str], object] = space["check"]
    return check
