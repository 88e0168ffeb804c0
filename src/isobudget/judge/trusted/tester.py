"""The tester of a worker: the trusted process that runs tests, while zygotes beside it run samples.

The tester takes jobs from the judge over its standard input, as framed `marshal`, and answers over its standard output,
as framed JSON (see `messages`). Problems are sent once and kept. A job names its problem and contains a program.
"""

from __future__ import annotations

import contextlib
import fcntl
import marshal
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, NoReturn

from isobudget.judge import wire
from isobudget.judge.confinement import namespaces
from isobudget.judge.messages import Case, WorkerSettings, answer_frame
from isobudget.judge.trusted import zygotes
from isobudget.judge.trusted.host import Host
from isobudget.judge.trusted.kinds import MAY_SHARE, prepare
from isobudget.judge.trusted.session import judge_over_wire, one_line, watch_tests
from isobudget.judge.trusted.shared import SharedTests
from isobudget.judge.trusted.zygotes import Started
from isobudget.judge.verdict import Outcome, Trust, Verdict

ATTEMPTS = 3
#: command of `fcntl` by which the kernel sends another signal than SIGIO (Linux)
F_SETSIG = 10
BEAT_SECONDS = 1.0
MEMORY_BYTES = 4 << 30


#: starts another zygote; the text is its use, as in `zygote.begin`
Launch = Callable[[WorkerSettings, str], Started]


class Streams(NamedTuple):
    """Where jobs are read from, and where answers are written to."""

    jobs: BinaryIO
    answers: BinaryIO


class KnownProblem:
    """A problem that the tester has received, with its prepared tests and where they run."""

    def __init__(self, case: Case) -> None:
        """Prepare the tests.

        Raises:
            Exception: any error in the tests.
        """
        self.case = case
        self.tests = prepare(case)
        #: the tests prepared to run in one process with the sample; None unless it is decided that they run there
        self.together: SharedTests | None = None
        self.decided = case.kind not in MAY_SHARE or case.apart


class Tester:
    """Runs the tests of one job after another."""

    def __init__(self, settings: WorkerSettings, answers: BinaryIO, started: Started, launch: Launch) -> None:
        self.settings = settings
        self.answers = answers
        self.launch = launch
        self.last_beat = time.monotonic()
        self.problems: dict[int, KnownProblem | str] = {}
        self._host: Host | None = Host(settings, started)
        self._shared_hosts: dict[str, Host] = {}
        self.layers = self._host.layers

    @property
    def host(self) -> Host:
        """The handle on the zygote for samples that run apart from their tests. It is started when first needed."""
        if self._host is None:
            self._host = Host(self.settings, self.launch(self.settings, ""))
        self._host.beat = self.beat
        return self._host

    def shared_host(self, problem: KnownProblem) -> Host:
        """The handle on the zygote for samples that share a process with their tests. It is started when first needed.

        There is one zygote with pytest and one without, so that only forks that need pytest pay for it.
        """
        use = "pytest" if problem.case.kind == "PytestFile" else "source"
        if use not in self._shared_hosts:
            self._shared_hosts[use] = Host(self.settings, self.launch(self.settings, use))
        self._shared_hosts[use].beat = self.beat
        return self._shared_hosts[use]

    def beat(self) -> None:
        """Tell the judge from time to time that the tester is still at work on a sample with many processes."""
        if time.monotonic() - self.last_beat > BEAT_SECONDS:
            self.last_beat = time.monotonic()
            self.answer("alive")

    def answer(self, *message: Any) -> None:
        """Send a message to the judge."""
        self.answers.write(answer_frame(*message))
        self.answers.flush()

    def add_problem(self, key: int, case: Case) -> None:
        """Prepare a problem's tests. If they cannot be used, every verdict on the problem's samples says so."""
        try:
            self.problems[key] = KnownProblem(case)
        except Exception as error:
            self.problems[key] = f"the problem's tests cannot be used: {type(error).__name__}: {error}"

    def forget(self, key: int) -> None:
        """Drop a problem."""
        del self.problems[key]

    def judge(self, key: int, program: str) -> Verdict:
        """Judge one program. A zygote that fails is replaced, and the sample is tried again."""
        problem = self.problems[key]
        if isinstance(problem, str):
            return Verdict(Outcome.INVALID, detail=one_line(problem))
        if wire.is_too_long(program):
            return Verdict(Outcome.ERROR, detail=f"the program is longer than {wire.TEXT_BYTES >> 20} MiB")
        fault = ""
        for _ in range(ATTEMPTS):
            try:
                verdict = self.judge_once(problem, program)
                return verdict._replace(detail=one_line(verdict.detail), first_failing=one_line(verdict.first_failing))
            except BaseException as error:
                # Whatever this is, it is not the sample's verdict.
                fault = f"{type(error).__name__}: {error}"
                self.close()
        return Verdict(Outcome.INVALID, detail=one_line(fault))

    def close(self) -> None:
        """End the zygotes. They start again when they are needed."""
        for host in (self._host, *self._shared_hosts.values()):
            if host is not None:
                host.close()
        self._host, self._shared_hosts = None, {}

    def judge_once(self, problem: KnownProblem, program: str) -> Verdict:
        """Judge a program, with the tests either apart from the program or in the program's process.

        Where a problem's tests run is decided before any sample of the problem is loaded.
        """
        if not problem.decided:
            if not self.may_split(problem):
                problem.together = SharedTests(problem.case, self.shared_host(problem))
            problem.decided = True
        if problem.together is not None:
            return problem.together.judge(self.shared_host(problem), program)
        return problem.tests.judge(self.host, program)

    def may_split(self, problem: KnownProblem) -> bool:
        """Whether a problem's tests run apart from samples.

        With `auto`, tests run apart if that gives the same verdict: the rule accepts the tests, and the reference
        passes. See docs/judge.md for the details.
        """
        if self.settings.trust != "auto":
            return self.settings.trust == Trust.SPLIT
        reading = problem.tests.read()  # type: ignore[attr-defined]
        if reading.objection or problem.case.reference is None:
            # Foreign tests seldom come with one; as for rewards, the rule alone decides (see `judge.apart`).
            return self.settings.foreign and not reading.objection
        verdict, returned_mutable = judge_over_wire(problem.tests, self.host, problem.case.reference)  # type: ignore[arg-type]
        if verdict.passed:
            return not (reading.holds_results and returned_mutable)
        if verdict.outcome is Outcome.SYNTAX_ERROR:
            # That is none.
            return False
        # A reference that passes nowhere says nothing: the stronger judge, then.
        together = SharedTests(problem.case, self.shared_host(problem))
        return not together.judge(self.shared_host(problem), problem.case.reference).passed


def end_with(life: int) -> None:
    """Let the kernel end this process when the judge is gone, even within a call into C.

    The judge holds the other end of the pipe and never writes. When that end closes, the kernel sends a signal that
    ends this process. The parent-death signal would not do: it is sent when the thread that started this process ends.
    """
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)


def main(settings: WorkerSettings, started: Started) -> NoReturn:
    """Serve jobs until the judge closes standard input."""
    streams = take_streams()
    namespaces.hide_memory()
    end_with(settings.life)
    with contextlib.suppress(OSError, ValueError):
        # Lower already, then. A zygote that is launched later may still be granted more, as the first one is.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sys.path += settings.packages
    tester = Tester(settings, streams.answers, started, zygotes.launch)
    serve(tester, streams.jobs, tester.layers)


def take_streams() -> Streams:
    """The streams to the judge, moved to other descriptors so that tests may print or read."""
    streams = Streams(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
        os.dup2(os.open(os.devnull, flags), descriptor)
    return streams


def serve(tester: Tester, jobs: BinaryIO, layers: list[str]) -> NoReturn:
    """Report the active layers of confinement, then serve jobs until there are no more."""
    watch_tests()
    tester.answer("ready", layers)
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
            os.rmdir(tester.settings.base)
        os._exit(0)
