"""The pytest plugin in a candidate's process that reports its tests.

This file is sent to the guest as text, like `runner`, and the same rules apply: only the standard library, Python 3.9
and later, no import from isobudget. The host imports `STUB` and `REACHED` from here to make stubs.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import Any

#: what a stub raises, and the file that it makes if another process than the test's own calls it
STUB, REACHED = "isobudget: nothing is written yet", "/scratch/.isobudget-reached"
MOST_MESSAGE = 4000


class Beginning(io.StringIO):
    """A stream that keeps the beginning of the text written to it: if pytest does not start, this text says why."""

    encoding, errors = "utf-8", "replace"

    def write(self, text: str) -> int:
        """Keep as much of the text as still fits. Returns the length of the whole text."""
        super().write(text[: max(0, MOST_MESSAGE - self.tell())])
        return len(text)


class Reporter:
    """A pytest plugin that writes every event as one line of JSON to a descriptor."""

    def __init__(self, descriptor: int, nonce: str) -> None:
        write, dumps = os.write, json.dumps

        def tell(*event: Any) -> None:
            data = dumps([nonce, *event]).encode() + b"\n"
            while data:
                data = data[write(descriptor, data) :]

        self.tell = tell
        self.collected = False
        self._reached = [False]
        import builtins

        def reached(flag: list[bool] = self._reached, own: int = os.getpid()) -> None:
            flag[0] = True
            if os.getpid() != own:
                open(REACHED, "w").close()

        setattr(builtins, "__isobudget_reached__", reached)  # noqa: B010

    def pytest_collectreport(self, report: Any) -> None:
        """Report a file that could not be collected."""
        if report.failed:
            self.tell("error", report.nodeid, str(report.longrepr)[-MOST_MESSAGE:])

    def pytest_collection_finish(self, session: Any) -> None:
        """Report the ids of the tests, in the order in which they will run."""
        self.collected = True
        self.tell("collected", [item.nodeid for item in session.items])
        self.tell("xfail", [item.nodeid for item in session.items if item.get_closest_marker("xfail")])

    def pytest_runtest_logstart(self) -> None:
        """Record that a test has started."""
        self._reached[0] = False

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Report one finished phase of a test."""
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if outcome == "skipped" else "xpassed"
        if report.when != "call" and outcome == "passed":
            return
        text = "" if outcome == "passed" else str(report.longrepr)
        # A fixture that called it before tells each of its tests so by its error, another process by a file.
        if STUB in text or os.path.exists(REACHED):
            self._reached[0] = True
            with contextlib.suppress(OSError):
                os.unlink(REACHED)
        self.tell("test", report.nodeid, report.when, outcome, text[-MOST_MESSAGE:], self._reached[0])

    def finish(self, code: int, seconds: float) -> None:
        """Report the end of the session; `seconds` is the wall time of collecting and running."""
        modules = [
            [name, getattr(module, "__file__", None) or "", type(getattr(module, "__loader__", None)).__name__]
            for name, module in list(sys.modules.items())
        ]
        self.tell("finished", code, modules, seconds)
