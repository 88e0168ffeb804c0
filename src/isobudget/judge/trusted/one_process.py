"""Runs the tests of a screened program one after another in one process, with real descriptors.

Starting a process costs more than most tests. A program that `screening` accepts leaves nothing behind in its process,
so it may run in this process once per test, each time with a new namespace and new streams. The streams use the same
descriptors every time, and the tester replaces the contents behind them. The process serves one sample only. The
verdict counts only if its outcome is in `PLAIN` and its error is not in `UNSURE`. In every other case the sample is
judged again, with a process for each test. The limits apply to all tests together, so a sample that passes has stayed
within the limits in each test.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

from isobudget.judge import wire
from isobudget.judge.trusted.host import Host, ProcessEnd
from isobudget.judge.trusted.runs import Program, Ran, complaint_of
from isobudget.judge.untrusted import loading, sample
from isobudget.judge.verdict import Limits, Outcome, Verdict

#: most time for all tests together; for a sample that needs more, a process for each test costs little in comparison
MOST_CPU_SECONDS, MOST_WALL_SECONDS = 0.5, 5.0
#: outcomes that count if they come from a process that runs all tests
PLAIN = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SYNTAX_ERROR)
#: errors that may depend on what else the process has done, or on how deep in its stack the program runs
UNSURE = ("MemoryError", "RecursionError", "SystemError")


class WholeProgramTests(Protocol):
    """Interface of tests of whole programs."""

    inputs: list[bytes]

    def name_of(self, number: int) -> str:
        """The display name of a test."""

    def allowed(self, number: int, limits: Limits) -> int:
        """The most bytes that a program may print in a test."""

    def outcome_of(self, ran: Ran, number: int, limits: Limits) -> Verdict:
        """The verdict on one run of a test."""


class Refused(NamedTuple):
    """Says that a program needs a process for each test. Holds the program's compiled form, or an empty text."""

    compiled: str = ""


def judge(tests: WholeProgramTests, host: Host, program: Program) -> Verdict | Refused:
    """Judge a program in one process, or say that it needs a process for each test."""
    host.input.fill(b"")
    limits = host.limits
    cpu_seconds, wall_seconds = min(limits.cpu_seconds, MOST_CPU_SECONDS), min(limits.wall_seconds, MOST_WALL_SECONDS)
    most_kb = max(tests.allowed(number, limits) for number in range(len(tests.inputs))) >> 10
    less = limits._replace(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds, output_kb=most_kb)
    wires = host.fork(sample.ONE_PROCESS, less)
    try:
        verdict = _judge(tests, host, wires, program)
    except wire.WireError:
        verdict = Refused()
    report = host.end()
    os.close(wires)
    left = host.output.take(1), host.errors.take(1)
    if isinstance(verdict, Refused):
        return verdict
    sure = verdict.outcome in PLAIN and not verdict.detail.startswith(UNSURE)
    if any(left) or report.crowded or not sure:
        return Refused()
    return report.onto(verdict)._replace(tests_total=len(tests.inputs))


def _judge(tests: WholeProgramTests, host: Host, wires: int, program: Program) -> Verdict | Refused:
    """Run the tests up to the first that does not pass. The process itself reports how each run ended."""
    wire.send(wires, list(program))
    answer = wire.receive(wires)
    if type(answer) is list and len(answer) == 4 and answer[0] == "not compiled":
        verdict = Verdict(Outcome.SYNTAX_ERROR, detail=str(answer[3])[:300], tests_passed=0)
        return verdict._replace(first_failing=tests.name_of(0))
    if type(answer) is list and len(answer) == 2 and answer[0] == "refused" and type(answer[1]) is str:
        return Refused(answer[1])
    if answer != ["ready"]:
        return Refused()
    for number, data in enumerate(tests.inputs):
        host.input.fill(data)
        wire.send(wires, ["run"])
        answer = wire.receive(wires)
        if answer not in (["ended", 0], ["ended", loading.RAISED], ["ended", loading.EXITED]):
            return Refused()
        report = ProcessEnd.of(answer[1] << 8, 0.0, 0, 0, host.limits.memory_mb)
        verdict = tests.outcome_of(Ran("", report, host.output.take(), complaint_of(host)), number, host.limits)
        if not verdict.passed:
            return verdict._replace(tests_passed=number, first_failing=tests.name_of(number))
    return Verdict(Outcome.PASSED, tests_passed=len(tests.inputs))
