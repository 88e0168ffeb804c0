"""Running tests over the wire against one loaded sample, and what comes of it."""

from __future__ import annotations

import signal
from typing import Any, NoReturn, Protocol

from isobudget.judge.trusted import remote
from isobudget.judge.trusted.host import Host, ended
from isobudget.judge.untrusted import sample
from isobudget.judge.verdict import Outcome, Verdict

#: CPU seconds that the tests themselves may take, beyond the sample's limit
TESTS_SECONDS = 10.0
DETAIL_CHARS = 300


class TestsOverrun(BaseException):
    """The tests themselves took too long, for instance over a huge value that a sample answered."""


class SessionTests(Protocol):
    """Tests that use a loaded program over the wire."""

    prelude: str

    @property
    def total(self) -> int:
        """How many there are."""

    @property
    def asked(self) -> list[str]:
        """Names that are asked of the sample."""

    def lacking(self, defined: dict[str, Any]) -> str:
        """What the program should define and does not, or an empty string."""

    def run(self, defined: dict[str, Any], held: set[int]) -> None:
        """Run them; the numbers of those that held are added."""

    def first_failing(self, error: BaseException) -> str:
        """Which test an error came out of."""


class UncrossableError(Exception):
    """The tests give samples what cannot cross the wire; `verdict` is what comes of that."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.detail)
        self.verdict = verdict


def judge_over_wire(tests: SessionTests, host: Host, program: str) -> Verdict:
    """Run tests against a sample in a process of its own, over the wire.

    Raises:
        UncrossableError: the tests give the sample something that is neither plain data nor a function.
    """
    session = remote.Session(host.fork(sample.CALLS))
    held: set[int] = set()
    verdict = _run(tests, session, program, held)
    # Ended before its wire is closed: it has no say in its end, and does not pay for one.
    report = host.end()
    session.close()
    first_failing = verdict.first_failing
    if session.fault == "ended" or report.crowded:
        verdict = ended(report)
    elif session.fault:
        verdict = Verdict(Outcome.ERROR, detail=session.said)
    verdict = report.onto(host.unless_printed_too_much(verdict._replace(first_failing=first_failing)))
    passed = tests.total if verdict.passed else len(held)
    verdict = verdict._replace(tests_total=tests.total, tests_passed=passed)
    if session.uncrossable:
        raise UncrossableError(verdict)
    return verdict


def _run(tests: SessionTests, session: remote.Session, program: str, held: set[int]) -> Verdict:
    """Load the program and run the tests; what the outcome is, as far as the sample lived to its end."""
    try:
        state, defined = session.load(tests.prelude, program, tests.asked)
        if state == "not compiled":
            return Verdict(Outcome.SYNTAX_ERROR, detail=session.said)
        if state != "loaded":
            return Verdict(of_error(session.said), detail=session.said)
        if lacking := tests.lacking(defined):
            return Verdict(Outcome.ERROR, detail=f"the program does not define {lacking}")
        signal.setitimer(signal.ITIMER_PROF, TESTS_SECONDS)
        tests.run(defined, held)
    except remote.SampleEnded:
        return Verdict(Outcome.ERROR, detail=session.said)
    except TestsOverrun:
        return Verdict(Outcome.TIMEOUT, detail="the tests took too long over what the program returned")
    except BaseException as error:
        return of_exception(error, session)._replace(first_failing=tests.first_failing(error))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return Verdict(Outcome.PASSED)


def of_exception(error: BaseException, session: remote.Session) -> Verdict:
    """The outcome of an error that ended the tests: the sample's own, a failed assertion, or something else."""
    if error is session.raised:
        return Verdict(of_error(session.said), detail=session.said)
    try:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:DETAIL_CHARS]
    except Exception:
        # A message may hold a number that is too long to be written out.
        detail = type(error).__name__
    return Verdict(Outcome.FAILED if isinstance(error, AssertionError) else Outcome.ERROR, detail=detail)


def of_error(said: str) -> Outcome:
    """The outcome for an error that the sample reports of itself."""
    return Outcome.OUT_OF_MEMORY if said.startswith("MemoryError") else Outcome.ERROR


def watch_tests() -> None:
    """Have tests that take too long interrupted; once per process."""
    signal.signal(signal.SIGPROF, _overrun)


def _overrun(_number: int, _frame: object) -> NoReturn:
    raise TestsOverrun
