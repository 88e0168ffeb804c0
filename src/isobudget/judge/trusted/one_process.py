"""Tests of a screened program, one after another in one process, with real descriptors: `share` for whole programs.

A process per test costs more than most tests. What `screening` accepts leaves nothing behind in its process, so a
program may run there once per test, each time with a new namespace and new streams on the same descriptors, whose
contents the tester replaces. The process serves one sample only. As in `sharing`, the verdict counts only if it is a
plain one, and whatever else happens has the sample judged again, with a process for each test. The limits hold for all
tests together, so that a sample which passes has kept them in each.
"""

from __future__ import annotations

import os
from typing import Any

from isobudget.judge import wire
from isobudget.judge.trusted.host import Host, Report
from isobudget.judge.trusted.kinds import programs
from isobudget.judge.untrusted import sample

#: what all tests together may take; where that is too little, a process for each test costs little in comparison
MOST = {"cpu_seconds": 0.5, "wall_seconds": 5.0}
#: outcomes that count when they come from a process that is shared
PLAIN = ("passed", "failed", "error", "syntax_error")
#: errors that depend on what else the process has done, or on where in it the program runs
UNSURE = ("MemoryError", "RecursionError", "SystemError")


def judge(tests: programs.ProgramTests, host: Host, program: str, limits: dict[str, Any]) -> dict[str, Any]:
    """Judge a program in one process, or else with one for each test."""
    host.input.fill(b"")
    short = {name: min(limits[name], most) for name, most in MOST.items()}
    wires = host.fork(sample.TOGETHER, limits | short)
    try:
        verdict = _judge(tests, host, wires, program, limits)
    except wire.WireError:
        verdict = {"outcome": "invalid"}
    report = host.end()
    os.close(wires)
    left = host.output.take(1), host.errors.take(1)
    sure = verdict["outcome"] in PLAIN and not verdict.get("detail", "").startswith(UNSURE)
    if any(left) or report.crowded or not sure:
        return tests.judge(host, program, limits, verdict.get("compiled", ""))
    return verdict | {
        "seconds": report.seconds,
        "peak_memory_mb": report.peak_kb / 1024,
        "trust": "split",
        "tests_total": len(tests.inputs),
    }


def _judge(
    tests: programs.ProgramTests, host: Host, wires: int, program: str, limits: dict[str, Any]
) -> dict[str, Any]:
    """Run the tests up to the first that does not pass; the process's word counts for how a run ended, as always."""
    wire.send(wires, program)
    answer = wire.receive(wires)
    if type(answer) is list and len(answer) == 4 and answer[0] == "not compiled":
        verdict = {"outcome": "syntax_error", "detail": str(answer[3])[:300], "tests_passed": 0}
        return verdict | {"first_failing": tests.name_of(0)}
    if type(answer) is list and len(answer) == 2 and answer[0] == "refused" and type(answer[1]) is str:
        return {"outcome": "refused", "compiled": answer[1]}
    if answer != ["ready"]:
        return {"outcome": "invalid"}
    for number, (data, expected) in enumerate(zip(tests.inputs, tests.outputs, strict=True)):
        host.input.fill(data)
        wire.send(wires, ["run"])
        answer = wire.receive(wires)
        if type(answer) is not list or answer[:1] != ["ended"] or answer[1:] not in ([0], [sample.RAISED]):
            return {"outcome": "invalid"}
        report = Report(answer[1] << 8, 0.0, 0, 0, False)
        ran = programs.Ran("", report, host.output.take(), programs.complaint_of(host))
        verdict = programs.outcome_of(ran, expected, tests.allowed(expected, limits))
        if verdict["outcome"] != "passed":
            return verdict | {"tests_passed": number, "first_failing": tests.name_of(number)}
    return {"outcome": "passed", "tests_passed": len(tests.inputs)}
