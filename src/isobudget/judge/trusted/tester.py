"""A worker of the judge: the trusted process that runs tests, with the zygote beside it that runs samples.

It takes jobs from the judge over its standard input and answers over its standard output, both framed `marshal` between
processes that trust each other. Problems are sent once and kept; a job names its problem and brings a program.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from isobudget.judge import wire
from isobudget.judge.launch import Started
from isobudget.judge.trusted import one_process as together
from isobudget.judge.trusted import remote
from isobudget.judge.trusted.host import Host, ZygoteGoneError, ended
from isobudget.judge.trusted.kinds import calls, programs
from isobudget.judge.trusted.kinds import functions as function_tests
from isobudget.judge.trusted.kinds.pytest_file import PytestTests
from isobudget.judge.trusted.session import DETAIL_CHARS, SessionTests, run_tests, watch_tests
from isobudget.judge.trusted.sharing import Sharing
from isobudget.judge.untrusted import sample

ATTEMPTS = 3
BEAT_SECONDS = 1.0
MEMORY_BYTES = 4 << 30
#: what a sample that shares a process with its tests may say of itself
OWN_WORDS = ("failed", "error", "syntax_error", "out_of_memory")


def _observed(tests: dict[str, Any]) -> Any:
    # Imported only where it is needed: a worker should be there at once.
    from isobudget.judge.trusted.kinds import observed

    kinds = {"observed calls": observed.ObservedCalls, "observed programs": observed.ObservedPrograms}
    return kinds[tests["kind"]](tests)


#: kind -> what makes its tests ready
KINDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "functions": function_tests.prepare,
    "calls": calls.CallTests,
    "reference": calls.ReferenceTests,
    "programs": programs.ProgramTests,
    "pytest": PytestTests,
    "observed calls": _observed,
    "observed programs": _observed,
}


class Tester:
    """Runs the tests of one job after another."""

    def __init__(self, settings: dict[str, Any], answers: Any, started: Started) -> None:
        self.settings = settings
        self.answers = answers
        self.last_beat = time.monotonic()
        self.limits: dict[str, Any] = settings["limits"]
        self.problems: dict[int, Any] = {}
        self.sources: dict[int, dict[str, Any]] = {}
        #: problems whose tests give samples what cannot cross, known once a reference has shown it
        self.shared: dict[int, bool] = {}
        self.sharing = Sharing(settings) if settings["share"] else None
        self._host: Host | None = Host(settings, started)
        self.layers = self._host.layers

    @property
    def host(self) -> Host:
        """The zygote."""
        if self._host is None:
            self._host = Host(self.settings)
        self._host.beat = self.beat
        return self._host

    def beat(self) -> None:
        """Tell the judge now and then that a sample with many processes is still worked on."""
        if time.monotonic() - self.last_beat > BEAT_SECONDS:
            self.last_beat = time.monotonic()
            _answer(self.answers, {"alive": True})

    def add_problem(self, key: int, tests: dict[str, Any]) -> None:
        """Prepare a problem's tests; what is wrong with them is said of every sample of it."""
        self.sources[key] = tests
        try:
            self.problems[key] = KINDS[tests["kind"]](tests)
        except Exception as error:
            self.problems[key] = f"the problem's tests cannot be used: {type(error).__name__}: {error}"

    def forget(self, key: int) -> None:
        """Drop a problem."""
        del self.problems[key], self.sources[key]
        self.shared.pop(key, None)

    def judge(self, key: int, program: str) -> dict[str, Any]:
        """Judge one program. A zygote that fails is replaced, and the sample is tried again."""
        tests = self.problems[key]
        if isinstance(tests, str):
            return {"outcome": "invalid", "detail": tests[:DETAIL_CHARS]}
        fault = ""
        for _ in range(ATTEMPTS):
            try:
                return self.judge_once(key, tests, program)
            except Exception as error:
                # Whatever this is, it is not the sample's verdict.
                fault = f"{type(error).__name__}: {error}"
                self.close()
        return {"outcome": "invalid", "detail": fault[:DETAIL_CHARS]}

    def close(self) -> None:
        """End all zygotes; they start again when they are needed."""
        if self.sharing is not None:
            self.sharing.close()
        if self._host is not None:
            self._host.close()
            self._host = None

    def judge_once(self, key: int, tests: Any, program: str) -> dict[str, Any]:
        """Judge by the way of the problem's kind."""
        own: dict[str, Any]
        may_share = not hasattr(tests, "judge") and not self.shared.get(key)
        if may_share and (verdict := self.judge_sharing(tests, program)):
            return verdict
        if self.sharing is not None:
            self.sharing.make_room(self.host)
        if isinstance(tests, programs.ProgramTests) and self.settings["together"]:
            return together.judge(tests, self.host, program, self.limits)
        if (judge := getattr(tests, "judge", None)) is not None:
            # It starts its own processes, one after another.
            own = judge(self.host, program, self.limits)
            return own
        if self.shared.get(key):
            return self.judge_shared(self.sources[key], program)
        verdict = self.judge_session(tests, program)
        if verdict.pop("cannot cross", False) and self.must_share(key, tests):
            return self.judge_shared(self.sources[key], program)
        return verdict

    def judge_sharing(self, tests: SessionTests, program: str) -> dict[str, Any] | None:
        """Judge in the process that screened samples share; None if that is not asked for, or not to be."""
        if self.sharing is None:
            return None
        try:
            return self.sharing.judge(self.host, tests, program)
        except ZygoteGoneError:
            self.close()
            return None

    def must_share(self, key: int, tests: SessionTests) -> bool:
        """Whether a problem's tests cannot be run apart from the sample: only its own reference can show that."""
        if key not in self.shared:
            reference = self.sources[key]["program"]
            self.shared[key] = reference is not None and "cannot cross" in self.judge_session(tests, reference)
        return self.shared[key]

    def judge_session(self, tests: SessionTests, program: str) -> dict[str, Any]:
        """Run tests against a sample in a process of its own, over the wire."""
        session = remote.Session(self.host.fork(sample.CALLS, self.limits))
        held: set[int] = set()
        verdict = run_tests(tests, session, program, held)
        # Ended before its wire is closed: it has no say in its end, and does not pay for one.
        report = self.host.end()
        session.close()
        if session.fault == "ended" or report.crowded:
            verdict = ended(report)
        elif session.fault:
            verdict = {"outcome": "error", "detail": session.said}
        verdict |= self.of_output() | {"trust": "split"}
        verdict |= {"seconds": report.seconds, "peak_memory_mb": report.peak_kb / 1024}
        passed = tests.total if verdict["outcome"] == "passed" else len(held)
        return verdict | {"tests_total": tests.total, "tests_passed": passed}

    def of_output(self) -> dict[str, Any]:
        """The outcome for a sample that printed too much; empties the output for the next one."""
        allowed = self.limits["output_kb"] << 10
        if len(self.host.output.take(allowed + 1)) > allowed:
            return {"outcome": "output_limit", "detail": f"more than {self.limits['output_kb']} KiB printed"}
        return {}

    def judge_shared(self, tests: dict[str, Any], program: str) -> dict[str, Any]:
        """Run program and tests in one process, whose word is then all there is.

        It must end by echoing a word that is given out only when the tests have completed, so that leaving early is no
        pass; a program that is written against this can still forge one.
        """
        wires = self.host.fork(sample.SHARED, self.limits)
        verdict: dict[str, Any] | None = None
        try:
            wire.send(wires, [program, tests])
            answer = wire.receive(wires)
            if answer == ["completed"]:
                word = os.urandom(16).hex()
                wire.send(wires, word)
                if wire.receive(wires) == ["word", word]:
                    verdict = {"outcome": "passed"}
            elif type(answer) is list and len(answer) == 3 and answer[1] in OWN_WORDS:
                verdict = {"outcome": answer[1], "detail": str(answer[2])[:DETAIL_CHARS]}
        except wire.WireError:
            pass
        finally:
            os.close(wires)
        report = self.host.end()
        verdict = ended(report) if verdict is None or report.crowded else verdict
        verdict |= self.of_output() | {"trust": "shared"}
        return verdict | {"seconds": report.seconds, "peak_memory_mb": report.peak_kb / 1024}


def main(settings: dict[str, Any], started: Started) -> NoReturn:
    """Serve jobs until the judge closes standard input."""
    # Tests may print or read: that must not get into the conversation with the judge.
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
        os.dup2(os.open(os.devnull, flags), descriptor)
    with contextlib.suppress(OSError, ValueError):
        # Lower already, then. A zygote that is launched later may still be granted more, as the first one is.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    watch_tests()
    sys.path += settings["packages"]
    tester = Tester(settings, answers, started)
    _answer(answers, {"layers": tester.layers})
    try:
        while size := jobs.read(4):
            kind, *rest = marshal.loads(jobs.read(int.from_bytes(size, "big")))
            if kind == "problem":
                tester.add_problem(*rest)
            elif kind == "forget":
                tester.forget(*rest)
            else:
                _answer(answers, tester.judge(*rest))
    finally:
        tester.close()
        with contextlib.suppress(OSError):
            os.rmdir(settings["base"])
        os._exit(0)


def _answer(answers: Any, message: dict[str, Any]) -> None:
    data = marshal.dumps(message)
    answers.write(len(data).to_bytes(4, "big") + data)
    answers.flush()
