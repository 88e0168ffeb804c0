"""Tests that run in one process with the sample, whose word is then all there is.

The process must end by echoing a word that is given out only when the tests have completed, so that leaving early is no
pass; a program that is written against this can still forge one.
"""

from __future__ import annotations

import os

from isobudget.judge import wire
from isobudget.judge.messages import Case
from isobudget.judge.trusted.host import Host, ended
from isobudget.judge.untrusted import sample
from isobudget.judge.verdict import Outcome, Trust, Verdict

DETAIL_CHARS = 300
#: what a sample may say of itself
OWN_WORDS = ("failed", "error", "syntax_error", "out_of_memory")


def judge(host: Host, case: Case, program: str) -> Verdict:
    """Run program and tests in one process."""
    wires = host.fork(sample.SHARED)
    verdict: Verdict | None = None
    try:
        wire.send(wires, [program, case.entry_point, case.tests])
        answer = wire.receive(wires)
        if answer == ["completed"]:
            word = os.urandom(16).hex()
            wire.send(wires, word)
            if wire.receive(wires) == ["word", word]:
                verdict = Verdict(Outcome.PASSED)
        elif type(answer) is list and len(answer) == 3 and answer[1] in OWN_WORDS:
            verdict = Verdict(Outcome(answer[1]), detail=str(answer[2])[:DETAIL_CHARS])
    except wire.WireError:
        pass
    finally:
        os.close(wires)
    report = host.end()
    verdict = ended(report) if verdict is None or report.crowded else verdict
    return report.onto(host.unless_printed_too_much(verdict))._replace(trust=Trust.SHARED)
