"""Runs tests over the wire against one loaded sample, and turns what happens into a verdict."""

from __future__ import annotations

import signal
from functools import partial
from typing import Any, NamedTuple, Protocol

from isobudget.judge.trusted import remote
from isobudget.judge.trusted.host import Host, ended
from isobudget.judge.untrusted import sample
from isobudget.judge.untrusted.loading import DETAIL_CHARS
from isobudget.judge.verdict import Outcome, Verdict

#: CPU seconds that the tests themselves may take, beyond the sample's limit
TESTS_SECONDS = 10.0


class TestsOverrun(BaseException):
    """The tests themselves took too long, for instance on a huge value that a sample returned."""


class SessionTests(Protocol):
    """Interface of tests that use a loaded program over the wire."""

    prelude: str

    @property
    def total(self) -> int:
        """Number of tests."""

    @property
    def asked(self) -> list[str]:
        """Names that the tests take from the sample."""

    def missing_name(self, defined: dict[str, Any]) -> str:
        """The name that the program should define but does not; an empty string if there is none."""

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Run the tests, and add the numbers of the tests that held to `held`."""

    def first_failing(self, error: BaseException) -> str:
        """The test that raised the error."""


class WireVerdict(NamedTuple):
    """A verdict over the wire, and whether the sample returned something that it could change later."""

    verdict: Verdict
    returned_mutable: bool


def judge_over_wire(tests: SessionTests, host: Host, program: str) -> WireVerdict:
    """Run tests against a sample in a process of its own, over the wire."""
    session = remote.SampleSession(host.fork(sample.CALLS), partial(_uncharged, host))
    held: set[int] = set()
    verdict = run_tests(tests, session, program, held)
    # Ended before its wire is closed: it has no say in its end, and does not pay for one.
    report = host.end()
    session.close()
    first_failing = verdict.first_failing
    if session.fault == "ended" or report.crowded:
        verdict = ended(report)
    elif session.fault:
        verdict = Verdict(Outcome.ERROR, detail=session.said)
    verdict = report.onto(host.with_output_limit(verdict._replace(first_failing=first_failing)))
    passed = tests.total if verdict.passed else len(held)
    return WireVerdict(verdict._replace(tests_total=tests.total, tests_passed=passed), session.returned_mutable)


def _uncharged(host: Host, cpu_seconds: float) -> None:
    """Give the sample and the tests extra CPU time for what the wire itself costs them."""
    host.extend(cpu_seconds)
    CpuTimeLimit.extend(cpu_seconds)


def run_tests(tests: SessionTests, session: remote.SampleSession, program: str, held: set[int]) -> Verdict:
    """Load the program and run the tests.

    Returns the verdict as far as it is known before the process has ended.
    """
    try:
        with CpuTimeLimit(TESTS_SECONDS):
            return _run(tests, session, program, held)
    except TestsOverrun:
        return Verdict(Outcome.TIMEOUT, detail="the tests took too long to process what the program returned")
    except remote.SampleEnded:
        return Verdict(Outcome.ERROR, detail=session.said)


def _run(tests: SessionTests, session: remote.SampleSession, program: str, held: set[int]) -> Verdict:
    state, defined = session.load(tests.prelude, program, tests.asked)
    if state == "not compiled":
        return Verdict(Outcome.SYNTAX_ERROR, detail=session.said)
    if state != "loaded":
        return Verdict(of_error(session.said), detail=session.said)
    if missing := tests.missing_name(defined):
        return Verdict(Outcome.ERROR, detail=f"the program does not define {missing}")
    try:
        tests.run(defined, held)
    except (TestsOverrun, remote.SampleEnded):
        raise
    except BaseException as error:
        return of_exception(error, session)._replace(first_failing=tests.first_failing(error))
    if session.fault:
        # The tests have caught what should have ended them.
        raise remote.SampleEnded
    return Verdict(Outcome.PASSED)


def of_exception(error: BaseException, session: remote.SampleSession) -> Verdict:
    """The verdict for an error that ended the tests: the sample's own error, a failed assertion, or another."""
    if error is session.raised:
        return Verdict(of_error(session.said), detail=session.said)
    try:
        detail = f"{type(error).__name__}: {error}"
    except remote.SampleEnded:
        # The message shows what is not plain data. That does not make a failed assertion something else.
        session.fault, detail = "", type(error).__name__
    except Exception:
        # A message may hold a number that is too long to be written out.
        detail = type(error).__name__
    return Verdict(Outcome.FAILED if isinstance(error, AssertionError) else Outcome.ERROR, detail=one_line(detail))


def one_line(text: str) -> str:
    """The text shortened to one line of printable characters."""
    line = " ".join(text[: 4 * DETAIL_CHARS].split())[:DETAIL_CHARS]
    return "".join(char if char.isprintable() else "\ufffd" for char in line)


def of_error(error: str) -> Outcome:
    """The outcome for an error that the sample reports as its own."""
    return Outcome.OUT_OF_MEMORY if error.startswith("MemoryError") else Outcome.ERROR


class CpuTimeLimit:
    """Raises `TestsOverrun` in its `with` block once this process has used the given CPU time in the block.

    Not covered: a single call into C that takes longer. In that case the judge ends the worker.
    """

    watching = False

    def __init__(self, cpu_seconds: float) -> None:
        self.left = cpu_seconds

    @classmethod
    def extend(cls, cpu_seconds: float) -> None:
        """Allow the current block more CPU time."""
        if cls.watching:
            signal.setitimer(signal.ITIMER_PROF, signal.getitimer(signal.ITIMER_PROF)[0] + cpu_seconds)

    def __enter__(self) -> CpuTimeLimit:
        CpuTimeLimit.watching = True
        signal.setitimer(signal.ITIMER_PROF, self.left)
        return self

    def __exit__(self, *_: object) -> None:
        # First, so that a signal on the last moment raises nothing outside.
        CpuTimeLimit.watching = False
        self.left, _interval = signal.setitimer(signal.ITIMER_PROF, 0)


def watch_tests() -> None:
    """Install the signal handler of `CpuTimeLimit`. Call this once per process."""
    signal.signal(signal.SIGPROF, _overrun)


def _overrun(_number: int, _frame: object) -> None:
    if CpuTimeLimit.watching:
        raise TestsOverrun
