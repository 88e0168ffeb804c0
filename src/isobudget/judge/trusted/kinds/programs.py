"""Tests of whole programs that read standard input and print: real descriptors, a process per test (or see `together`).

Output is compared as APPS does it: equal after white space at the ends of the text and of its lines is dropped; or else
token by token, where two tokens agree if they are the same text or both are numbers within 1e-5 of their size, 1e-8 at
least. Not taken over from APPS: lines in another order do not count as right.
"""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

from isobudget.judge import wire
from isobudget.judge.trusted.host import Host, Report, ended
from isobudget.judge.untrusted import sample, zygote

RELATIVE, ABSOLUTE = 1e-5, 1e-8
#: how much more than the expected output a program may print before it is stopped
SLACK_BYTES = 1 << 16


class ProgramTests:
    """Inputs and expected outputs, ready to be given to programs."""

    def __init__(self, tests: dict[str, Any]) -> None:
        self.inputs = [text.encode() for text in tests["inputs"]]
        self.outputs: list[str] = tests["outputs"]

    def judge(self, host: Host, program: str, limits: dict[str, Any], compiled: str = "") -> dict[str, Any]:
        """Run the program once per test, up to the first test that does not pass, each time within the limits.

        Its compiled form may be there already, from a process of the same sample.
        """
        seconds, peak, held = 0.0, 0.0, 0
        verdict: dict[str, Any] = {"outcome": "passed"}
        for data, expected in zip(self.inputs, self.outputs, strict=True):
            ran = run_program(host, program, compiled, data, limits)
            compiled = compiled or ran.compiled
            seconds, peak = seconds + ran.report.seconds, max(peak, ran.report.peak_kb / 1024)
            verdict = outcome_of(ran, expected, self.allowed(expected, limits))
            if verdict["outcome"] != "passed":
                verdict["first_failing"] = self.name_of(held)
                break
            held += 1
        return verdict | {
            "seconds": seconds,
            "peak_memory_mb": peak,
            "trust": "split",
            "tests_passed": held,
            "tests_total": len(self.inputs),
        }

    def allowed(self, expected: str, limits: dict[str, Any]) -> int:
        """Bytes that a program may print where this is expected."""
        return int(max(limits["output_kb"] << 10, 2 * len(expected) + SLACK_BYTES))

    def name_of(self, number: int) -> str:
        """What a test is called."""
        return f"test {number + 1} of {len(self.inputs)}"


class Ran(NamedTuple):
    """One run of a program: its compiled form for the next runs, how it ended, and what it printed."""

    compiled: str
    report: Report
    printed: bytes
    complaint: str


def run_program(host: Host, program: str, compiled: str, data: bytes, limits: dict[str, Any]) -> Ran:
    """Run a program on one input, in a process of its own.

    The compiled form is made by the first run's process and handed to the next ones as it is: only processes of the
    same sample ever read it.
    """
    host.input.fill(data)
    wires = host.fork(sample.PROGRAM, limits)
    try:
        wire.send(wires, ["compiled", compiled] if compiled else ["source", program])
        if not compiled:
            form = wire.receive(wires)
            compiled = form if type(form) is str else ""
    except wire.WireError:
        # The process is gone, or keeps to no protocol: its exit status and output say the rest.
        pass
    report = host.end(zygote.WAIT)
    os.close(wires)
    return Ran(compiled, report, host.output.take(), complaint_of(host))


def complaint_of(host: Host) -> str:
    """The last line that a program has written to its standard error."""
    return host.errors.take(1 << 16).decode("utf-8", "replace").strip().rpartition("\n")[2][:300]


def outcome_of(ran: Ran, expected: str, allowed: int) -> dict[str, Any]:
    """What a run comes to: its end first, then its output."""
    if (ending := ending_of(ran, allowed)) is not None:
        return ending
    if same_output(ran.printed.decode("utf-8", "replace"), expected):
        return {"outcome": "passed"}
    return {"outcome": "failed", "detail": "the output is not the expected one"}


def ending_of(ran: Ran, allowed: int) -> dict[str, Any] | None:
    """The outcome of a run that did not end as it should, or printed too much; None if it did end well."""
    code = os.waitstatus_to_exitcode(ran.report.status)
    if len(ran.printed) > allowed:
        return {"outcome": "output_limit", "detail": f"more than {allowed} bytes printed"}
    if ran.report.stopped or ran.report.crowded or code < 0:
        return ended(ran.report)
    if code == sample.NOT_COMPILED:
        return {"outcome": "syntax_error", "detail": ran.complaint}
    if code == sample.NO_MEMORY:
        return {"outcome": "out_of_memory", "detail": "MemoryError"}
    if code != 0:
        return {"outcome": "error", "detail": ran.complaint or f"exit status {code}"}
    return None


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
