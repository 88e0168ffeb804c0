"""Running tests over the wire against one loaded sample, and what comes of it."""

from __future__ import annotations

import signal
from typing import Any, NoReturn, Protocol

from isobudget.judge.trusted import remote

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

    def lacking(self, found: dict[str, Any]) -> str:
        """What the program should define and does not, or an empty string."""

    def run(self, found: dict[str, Any], held: set[int]) -> None:
        """Run them; the numbers of those that held are added."""

    def first_failing(self, error: BaseException) -> str:
        """Which test an error came out of."""


def run_tests(
    tests: SessionTests, session: remote.Session, program: str, held: set[int], kind: str = "load"
) -> dict[str, Any]:
    """Load the program and run the tests; what the outcome is, as far as the sample lived to its end."""
    try:
        state, found = session.load(tests.prelude, program, tests.asked, kind)
        if state == "refused":
            return {"outcome": "refused"}
        if state == "not compiled":
            return {"outcome": "syntax_error", "detail": session.said}
        if state != "loaded":
            return {"outcome": of_error(session.said), "detail": session.said}
        if lacking := tests.lacking(found):
            return {"outcome": "error", "detail": f"the program does not define {lacking}"}
        signal.setitimer(signal.ITIMER_PROF, TESTS_SECONDS)
        tests.run(found, held)
    except remote.SampleEnded:
        return {"outcome": "error", "detail": session.said}
    except TestsOverrun:
        return {"outcome": "timeout", "detail": "the tests took too long over what the program returned"}
    except BaseException as error:
        return of_exception(error, session) | {"first_failing": tests.first_failing(error)}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"outcome": "passed"}


def of_exception(error: BaseException, session: remote.Session) -> dict[str, Any]:
    """The outcome of an error that ended the tests: the sample's own, a failed assertion, or something else."""
    if error is session.raised:
        return {"outcome": of_error(session.said), "detail": session.said}
    try:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:DETAIL_CHARS]
    except Exception:
        # A message may hold a number that is too long to be written out.
        detail = type(error).__name__
    if isinstance(error, remote.CannotCrossError):
        return {"outcome": "error", "detail": detail, "cannot cross": True}
    return {"outcome": "failed" if isinstance(error, AssertionError) else "error", "detail": detail}


def of_error(said: str) -> str:
    """The outcome for an error that the sample reports of itself."""
    return "out_of_memory" if said.startswith("MemoryError") else "error"


def watch_tests() -> None:
    """Have tests that take too long interrupted; once per process."""
    signal.signal(signal.SIGPROF, _overrun)


def _overrun(_number: int, _frame: object) -> NoReturn:
    raise TestsOverrun
