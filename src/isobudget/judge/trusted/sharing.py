"""Judging screened samples one after another in a process that they share.

A fork per sample costs more than most samples. A sample that `screening` accepts cannot leave anything behind for the
next one, so it may run in the same process, in a namespace of its own. Its verdict counts only if it is one of the
plain ones: passed, failed, a syntax error, or an error that the program raised. Everything else (a limit reached,
memory or recursion exhausted, a process that died, tests that overran) ends the shared process, and the sample is
judged again in one of its own. The limits hold for the shared process as a whole, so that a sample which passes has
kept them.
"""

from __future__ import annotations

from typing import Any

from isobudget.judge.trusted import remote
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.one_process import PLAIN, UNSURE
from isobudget.judge.trusted.session import SessionTests, run_tests
from isobudget.judge.untrusted import sample

#: samples that one process judges at most
MOST_SAMPLES = 200
#: times that the shared process makes room for a sample of its own kind before it is given a zygote of its own
MOST_INTERRUPTIONS = 20


class Sharing:
    """A process for screened samples, started anew when it is worn out."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.limits: dict[str, Any] = settings["limits"]
        self.own: Host | None = None
        self.host: Host | None = None
        self.wires: int | None = None
        self.used = 0
        self.clock = 0.0
        self.interrupted = 0

    def judge(self, host: Host, tests: SessionTests, program: str) -> dict[str, Any] | None:
        """Judge a program in the shared process; None if it must be judged in one of its own.

        Args:
            host: the tester's zygote, from which the shared process is forked as long as it seldom has to make room.
            tests: the problem's.
            program: the sample.

        Raises:
            ZygoteGoneError: the zygote does not answer.
        """
        if self.wires is None or self.host is None:
            if self.interrupted >= MOST_INTERRUPTIONS and self.own is None:
                self.own = Host(self.settings)
            self.host = self.own or host
            self.wires = self.host.fork(sample.CALLS, self.limits, alone=False)
            self.used, self.clock = 0, 0.0
        return self._judge(self.host, remote.Session(self.wires), tests, program)

    def make_room(self, host: Host) -> None:
        """End the process if it is this zygote's, which has one at a time.

        Raises:
            ZygoteGoneError: the zygote does not answer.
        """
        if self.wires is not None and self.host is host:
            self.interrupted += 1
            self._retire(host)

    def _judge(self, host: Host, session: remote.Session, tests: SessionTests, program: str) -> dict[str, Any] | None:
        held: set[int] = set()
        verdict = run_tests(tests, session, program, held, "screen")
        if verdict["outcome"] == "refused" and not session.fault:
            return None
        plain = verdict["outcome"] in PLAIN and not verdict.get("detail", "").startswith(UNSURE)
        clock = session.clock
        printed = host.output.size() > self.limits["output_kb"] << 10
        if not plain or session.fault or printed or "cannot cross" in verdict:
            self._retire(host)
            return None
        seconds, self.clock = clock - self.clock, clock
        self.used += 1
        if self.used >= MOST_SAMPLES or clock > self.limits["cpu_seconds"] / 2 or host.output.size():
            self._retire(host)
        passed = tests.total if verdict["outcome"] == "passed" else len(held)
        return verdict | {"seconds": seconds, "trust": "split", "tests_total": tests.total, "tests_passed": passed}

    def _retire(self, host: Host) -> None:
        if self.wires is not None:
            remote.Session(self.wires).close()
            self.wires = None
            host.end()
            host.output.take(0)

    def close(self) -> None:
        """End the process, and its zygote if it is not the tester's."""
        if self.wires is not None:
            remote.Session(self.wires).close()
            self.wires = None
        if self.own is not None:
            self.own.close()
        self.own = self.host = None
