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
from typing import Any, BinaryIO, NoReturn

from isobudget.judge.confinement import namespaces
from isobudget.judge.messages import Case, Settings, frame
from isobudget.judge.trusted import shared
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.kinds import Tests, prepare
from isobudget.judge.trusted.session import DETAIL_CHARS, UncrossableError, watch_tests
from isobudget.judge.trusted.zygotes import Started
from isobudget.judge.verdict import Outcome, Verdict

ATTEMPTS = 3
BEAT_SECONDS = 1.0
MEMORY_BYTES = 4 << 30


class Tester:
    """Runs the tests of one job after another."""

    def __init__(self, settings: Settings, answers: BinaryIO, started: Started) -> None:
        self.settings = settings
        self.answers = answers
        self.last_beat = time.monotonic()
        self.problems: dict[int, Tests | str] = {}
        self.cases: dict[int, Case] = {}
        #: problems whose tests give samples what cannot cross, known once a reference has shown it
        self.shared: dict[int, bool] = {}
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
            self.answer("alive")

    def answer(self, *message: Any) -> None:
        """Say something to the judge."""
        self.answers.write(frame(*message))
        self.answers.flush()

    def add_problem(self, key: int, case: Case) -> None:
        """Prepare a problem's tests; what is wrong with them is said of every sample of it."""
        self.cases[key] = case
        try:
            self.problems[key] = prepare(case)
        except Exception as error:
            self.problems[key] = f"the problem's tests cannot be used: {type(error).__name__}: {error}"

    def forget(self, key: int) -> None:
        """Drop a problem."""
        del self.problems[key], self.cases[key]
        self.shared.pop(key, None)

    def judge(self, key: int, program: str) -> Verdict:
        """Judge one program. A zygote that fails is replaced, and the sample is tried again."""
        tests = self.problems[key]
        if isinstance(tests, str):
            return Verdict(Outcome.INVALID, detail=tests[:DETAIL_CHARS])
        fault = ""
        for _ in range(ATTEMPTS):
            try:
                return self.judge_once(key, tests, program)
            except Exception as error:
                # Whatever this is, it is not the sample's verdict.
                fault = f"{type(error).__name__}: {error}"
                self.close()
        return Verdict(Outcome.INVALID, detail=fault[:DETAIL_CHARS])

    def close(self) -> None:
        """End the zygote; it starts again when it is needed."""
        if self._host is not None:
            self._host.close()
            self._host = None

    def judge_once(self, key: int, tests: Tests, program: str) -> Verdict:
        """Judge apart from the tests, unless they cannot be run so."""
        if self.shared.get(key):
            return shared.judge(self.host, self.cases[key], program)
        try:
            return tests.judge(self.host, program)
        except UncrossableError as wall:
            if self.must_share(key, tests):
                return shared.judge(self.host, self.cases[key], program)
            return wall.verdict

    def must_share(self, key: int, tests: Tests) -> bool:
        """Whether a problem's tests cannot be run apart from the sample: only its own reference can show that."""
        if key not in self.shared:
            reference = self.cases[key].reference
            try:
                if reference is not None:
                    tests.judge(self.host, reference)
                self.shared[key] = False
            except UncrossableError:
                self.shared[key] = True
        return self.shared[key]


def main(settings: Settings, started: Started) -> NoReturn:
    """Serve jobs until the judge closes standard input."""
    # Tests may print or read: that must not get into the conversation with the judge.
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
        os.dup2(os.open(os.devnull, flags), descriptor)
    namespaces.hide_memory()
    with contextlib.suppress(OSError, ValueError):
        # Lower already, then. A zygote that is launched later may still be granted more, as the first one is.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    watch_tests()
    sys.path += settings.packages
    tester = Tester(settings, answers, started)
    tester.answer("ready", tester.layers)
    try:
        while size := jobs.read(4):
            kind, key, *rest = marshal.loads(jobs.read(int.from_bytes(size, "big")))
            if kind == "problem":
                tester.add_problem(key, Case(*rest[0]))
            elif kind == "forget":
                tester.forget(key)
            else:
                tester.answer("verdict", tester.judge(key, *rest).plain())
    finally:
        tester.close()
        with contextlib.suppress(OSError):
            os.rmdir(settings.base)
        os._exit(0)
