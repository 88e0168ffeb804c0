"""One run of a whole program on real descriptors, and how it ended."""

from __future__ import annotations

import os
from typing import NamedTuple

from isobudget.judge import wire
from isobudget.judge.trusted.host import Host, ProcessEnd, ended
from isobudget.judge.untrusted import loading, sample, zygote
from isobudget.judge.verdict import Outcome, Verdict


class Ran(NamedTuple):
    """One run of a program.

    Attributes:
        compiled: the program's compiled form, for later runs.
        report: how the run ended.
        printed: what the program printed.
        complaint: the last line that the program wrote to standard error.
    """

    compiled: str
    report: ProcessEnd
    printed: bytes
    complaint: str


class Program(NamedTuple):
    """A program, and the code that runs before the program, in the program's namespace."""

    text: str
    before: str = ""


def run_program(host: Host, program: Program, compiled: str, data: bytes, allowed: int = 0) -> Ran:
    """Run a program on one input in a process of its own, which can print at least `allowed` bytes.

    The first run's process compiles the program, and later runs receive the compiled form unchanged. Only processes of
    the same sample ever read the compiled form.
    """
    host.input.fill(data)
    limits = host.limits
    wires = host.fork(sample.PROGRAM, limits._replace(output_kb=max(limits.output_kb, allowed >> 10)))
    try:
        wire.send(wires, ["compiled", compiled, ""] if compiled else ["source", *program])
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
    """The last line that a program wrote to standard error."""
    return host.errors.take(1 << 16).decode("utf-8", "replace").strip().rpartition("\n")[2][:300]


def ending_of(ran: Ran, allowed: int, *, may_exit: bool = False) -> Verdict | None:
    """The verdict on a run that ended badly or printed too much; None if it ended well.

    With `may_exit`, the exit status given to `sys.exit` is ignored, as the judges of some benchmarks do.
    """
    code = os.waitstatus_to_exitcode(ran.report.status)
    if len(ran.printed) > allowed:
        return Verdict(Outcome.OUTPUT_LIMIT, detail=f"more than {allowed} bytes printed")
    if ran.report.stopped or ran.report.crowded or code < 0:
        return ended(ran.report)
    if code == loading.NOT_COMPILED:
        return Verdict(Outcome.SYNTAX_ERROR, detail=ran.complaint)
    if code == loading.NO_MEMORY:
        return Verdict(Outcome.OUT_OF_MEMORY, detail="MemoryError")
    if code == loading.EXITED and may_exit:
        return None
    if code != 0:
        return Verdict(Outcome.ERROR, detail=ran.complaint or f"exit status {1 if code == loading.EXITED else code}")
    return None
