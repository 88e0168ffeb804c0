"""Tests of whole programs that read standard input and print: real descriptors, a process per test (or see
`one_process`).

Output is compared as APPS does it: equal after white space at the ends of the text and of its lines is dropped; or else
token by token, where two tokens agree if they are the same text or both are numbers within 1e-5 of their size, 1e-8 at
least. Not taken over from APPS: lines in another order do not count as right.
"""

from __future__ import annotations

import math

from isobudget.judge.messages import Case
from isobudget.judge.trusted import one_process
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.runs import Ran, ending_of, run_program
from isobudget.judge.verdict import Limits, Outcome, Verdict

RELATIVE, ABSOLUTE = 1e-5, 1e-8
#: how much more than the expected output a program may print before it is stopped
SLACK_BYTES = 1 << 16


class ProgramTests:
    """Inputs and expected outputs, ready to be given to programs."""

    def __init__(self, case: Case) -> None:
        self.inputs = [text.encode() for text in case.tests["inputs"]]
        self.outputs: list[str] = case.tests["outputs"]

    def judge(self, host: Host, program: str) -> Verdict:
        """Run the program once per test, up to the first that does not pass, each time within the limits."""
        compiled = ""
        if host.one_process:
            verdict = one_process.judge(self, host, program)
            if isinstance(verdict, Verdict):
                return verdict
            compiled = verdict.compiled
        return self._judge(host, program, compiled)

    def _judge(self, host: Host, program: str, compiled: str) -> Verdict:
        seconds, peak, held = 0.0, 0.0, 0
        verdict = Verdict(Outcome.PASSED)
        for number, data in enumerate(self.inputs):
            ran = run_program(host, program, compiled, data)
            compiled = compiled or ran.compiled
            seconds, peak = seconds + ran.report.seconds, max(peak, ran.report.peak_kb / 1024)
            verdict = self.outcome_of(ran, number, host.limits)
            if not verdict.passed:
                verdict = verdict._replace(first_failing=self.name_of(number))
                break
            held += 1
        total = len(self.inputs)
        return verdict._replace(seconds=seconds, peak_memory_mb=peak, tests_passed=held, tests_total=total)

    def outcome_of(self, ran: Ran, number: int, limits: Limits) -> Verdict:
        """What a run of a test comes to: its end first, then its output."""
        expected = self.outputs[number]
        allowed = max(limits.output_kb << 10, 2 * len(expected) + SLACK_BYTES)
        if (ending := ending_of(ran, allowed)) is not None:
            return ending
        if same_output(ran.printed.decode("utf-8", "replace"), expected):
            return Verdict(Outcome.PASSED)
        return Verdict(Outcome.FAILED, detail="the output is not the expected one")

    def name_of(self, number: int) -> str:
        """What a test is called."""
        return f"test {number + 1} of {len(self.inputs)}"


def same_output(printed: str, expected: str) -> bool:
    """Whether two outputs agree by the rule above."""
    if printed.strip() == expected.strip():
        return True
    ours, theirs = ([line.split() for line in text.strip().split("\n")] for text in (printed, expected))
    return len(ours) == len(theirs) and all(
        len(line) == len(other) and all(map(_same_token, line, other)) for line, other in zip(ours, theirs, strict=True)
    )


def _same_token(ours: str, theirs: str) -> bool:
    if ours == theirs:
        return True
    try:
        return math.isclose(float(ours), float(theirs), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except ValueError:
        return False
