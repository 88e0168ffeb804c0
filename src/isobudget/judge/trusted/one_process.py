"""Tests of a screened program, one after another in one process, with real descriptors.

A process per test costs more than most tests. What `screening` accepts leaves nothing behind in its process, so a
program may run there once per test, each time with a new namespace and new streams on the same descriptors, whose
contents the tester replaces. The process serves one sample only. The verdict counts only if it is a plain one, and
whatever else happens has the sample judged again, with a process for each test. The limits hold for all tests together,
so that a sample which passes has kept them in each.
"""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

from isobudget.judge import wire
from isobudget.judge.trusted.host import Host, ProcessEnd
from isobudget.judge.trusted.runs import Program, Ran, complaint_of
from isobudget.judge.untrusted import loading, sample
from isobudget.judge.verdict import Limits, Outcome, Verdict

#: what all tests together may take; where that is too little, a process for each test costs little in comparison
MOST_CPU_SECONDS, MOST_WALL_SECONDS = 0.5, 5.0
#: outcomes that count when they come from a process that has run several tests
PLAIN = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SYNTAX_ERROR)
#: errors that depend on what else the process has done, or on where in it the program runs
UNSURE = ("MemoryError", "RecursionError", "SystemError")


class WholeProgramTests(Protocol):
    """Tests of whole programs."""

    inputs: list[bytes]

    def name_of(self, number: int) -> str:
        """What a test is called."""

    def allowed(self, number: int, limits: Limits) -> int:
        """Bytes that a program may print in a test."""

    def outcome_of(self, ran: Ran, number: int, limits: Limits) -> Verdict:
        """What a run of a test comes to."""


class Refused(NamedTuple):
    """A program that must have a process for each test, in its compiled form if the process said it."""

    compiled: str = ""


def judge(tests: WholeProgramTests, host: Host, program: Program) -> Verdict | Refused:
    """Judge a program in one process, or say that it must have one for each test."""
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
    """Run the tests up to the first that does not pass; the process's word counts for how a run ended, as always."""
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
