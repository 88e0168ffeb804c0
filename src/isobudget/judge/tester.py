"""A worker of the judge: the trusted process that runs tests, with the zygote beside it that runs samples.

It takes jobs from the judge over its standard input and answers over its standard output, both framed `marshal` between
processes that trust each other. Problems are sent once and kept; a job names its problem and brings a program.
"""

from __future__ import annotations

import json
import marshal
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any, NoReturn

from isobudget.judge import functions, remote, sample, zygote
from isobudget.judge.confine import bootstrap

ATTEMPTS = 3
#: CPU seconds that the tests themselves may take, beyond the sample's limit
TESTS_SECONDS = 10.0
MEMORY_BYTES = 4 << 30
DETAIL_CHARS = 300


class TestsOverrun(BaseException):
    """The tests themselves took too long, for instance over a huge value that a sample answered."""


class ZygoteGoneError(Exception):
    """The zygote does not answer: a fault of the judge, not of the sample."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a sample's process ended, as the zygote saw it."""

    status: int
    seconds: float
    peak_kb: int
    stopped: int


class Zygote:
    """The tester's handle on its zygote process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.base = tempfile.mkdtemp(prefix="isobudget-")
        self.control, theirs = socket.socketpair()
        setting = (self.base, tuple(settings["packages"]), settings["number"], tuple(settings["without"]))
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", bootstrap("zygote", setting, theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env={"PATH": os.defpath, "PYTHONHASHSEED": "0"},
            cwd="/",
        )
        theirs.close()
        hello = self.control.makefile("r").readline()
        if not hello:
            self.close()
            raise ZygoteGoneError("the zygote did not start")
        self.layers: list[str] = json.loads(hello)
        self.output = os.memfd_create("output")

    def fork(self, mode: bytes, limits: dict[str, Any], *inputs: int) -> int:
        """Start a sample; returns the tester's end of its wire."""
        ours, theirs = socket.socketpair()
        request = zygote.REQUEST.pack(
            zygote.FORK, mode, limits["cpu_seconds"], limits["wall_seconds"], limits["memory_mb"], 2 + len(inputs)
        )
        try:
            socket.send_fds(self.control, [request], [theirs.fileno(), self.output, *inputs])
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error
        finally:
            theirs.close()
        return ours.detach()

    def end(self) -> Report:
        """Kill the sample if it still runs, and report on it."""
        try:
            self.control.sendall(zygote.REQUEST.pack(zygote.KILL, b" ", 0.0, 0.0, 0, 0))
            data = self.control.recv(zygote.REPORT.size, socket.MSG_WAITALL)
        except OSError as error:
            raise ZygoteGoneError(str(error)) from error
        if len(data) < zygote.REPORT.size:
            raise ZygoteGoneError("the zygote ended")
        return Report(*zygote.REPORT.unpack(data))

    def take_output(self) -> int:
        """Bytes that the sample printed; the output is emptied for the next one."""
        size = os.fstat(self.output).st_size
        if size:
            os.ftruncate(self.output, 0)
        os.lseek(self.output, 0, os.SEEK_SET)
        return size

    def close(self) -> None:
        """End the zygote with all that it started."""
        self.control.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.base, ignore_errors=True)


class Tester:
    """Runs the tests of one job after another."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.limits: dict[str, Any] = settings["limits"]
        self.problems: dict[int, Any] = {}
        self.zygote = Zygote(settings)

    def add_problem(self, key: int, tests: dict[str, Any]) -> None:
        """Prepare a problem's tests; what is wrong with them is said of every sample of it."""
        try:
            self.problems[key] = functions.prepare(tests)
        except (SyntaxError, ValueError) as error:
            self.problems[key] = f"the problem's tests do not compile: {error}"

    def judge(self, key: int, program: str) -> dict[str, Any]:
        """Judge one program. A zygote that fails is replaced, and the sample is tried again."""
        tests = self.problems[key]
        if isinstance(tests, str):
            return {"outcome": "invalid", "detail": tests[:DETAIL_CHARS]}
        fault = ""
        for _ in range(ATTEMPTS):
            try:
                return self.judge_functions(tests, program)
            except ZygoteGoneError as error:
                fault = str(error)
                self.zygote.close()
                self.zygote = Zygote(self.settings)
        return {"outcome": "invalid", "detail": fault[:DETAIL_CHARS]}

    def judge_functions(self, tests: functions.FunctionTests, program: str) -> dict[str, Any]:
        """Run function tests against a sample in a process of its own."""
        session = remote.Session(self.zygote.fork(sample.CALLS, self.limits))
        held: set[int] = set()
        verdict = run_tests(tests, session, program, held)
        session.close()
        report = self.zygote.end()
        if session.fault == "ended":
            verdict = ended(report)
        elif session.fault:
            verdict = {"outcome": "error", "detail": session.said}
        if self.zygote.take_output() > self.limits["output_kb"] << 10:
            verdict = {"outcome": "output_limit", "detail": f"more than {self.limits['output_kb']} KiB printed"}
        verdict |= {"seconds": report.seconds, "peak_memory_mb": report.peak_kb / 1024, "trust": "split"}
        total = len(tests.lines)
        verdict |= {"tests_total": total, "tests_passed": total if verdict["outcome"] == "passed" else len(held)}
        return verdict


def run_tests(tests: functions.FunctionTests, session: remote.Session, program: str, held: set[int]) -> dict[str, Any]:
    """Load the program and run the tests; what the outcome is, as far as the sample lived to its end."""
    try:
        state, found = session.load(program, tests.asked)
        if state == "not compiled":
            return {"outcome": "syntax_error", "detail": session.said}
        if state != "loaded":
            return {"outcome": of_error(session.said), "detail": session.said}
        if tests.call_check and tests.entry_point not in found:
            return {"outcome": "error", "detail": f"the program does not define {tests.entry_point}"}
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
    detail = " ".join(f"{type(error).__name__}: {error}".split())[:DETAIL_CHARS]
    return {"outcome": "failed" if isinstance(error, AssertionError) else "error", "detail": detail}


def of_error(said: str) -> str:
    """The outcome for an error that the sample reports of itself."""
    return "out_of_memory" if said.startswith("MemoryError") else "error"


def ended(report: Report) -> dict[str, Any]:
    """The outcome for a sample whose process ended before its tests did."""
    code = os.waitstatus_to_exitcode(report.status)
    if report.stopped == zygote.OUT_OF_TIME or code == -signal.SIGXCPU:
        return {"outcome": "timeout", "detail": ""}
    if code == -signal.SIGSYS:
        return {"outcome": "forbidden", "detail": "ended by a blocked system call"}
    if code == -signal.SIGKILL:
        return {"outcome": "out_of_memory", "detail": "killed by the system"}
    if code < 0:
        return {"outcome": "crashed", "detail": f"killed by {signal.Signals(-code).name}"}
    return {"outcome": "error", "detail": "the program ended before its tests did"}


def main(settings: dict[str, Any]) -> NoReturn:
    """Serve jobs until the judge closes standard input."""
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _overrun)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if settings["core"] is not None:
        os.sched_setaffinity(0, {settings["core"]})
    tester = Tester(settings)
    _answer(answers, {"layers": tester.zygote.layers})
    try:
        while size := jobs.read(4):
            kind, *rest = marshal.loads(jobs.read(int.from_bytes(size, "big")))
            if kind == "problem":
                tester.add_problem(*rest)
            elif kind == "forget":
                del tester.problems[rest[0]]
            else:
                _answer(answers, tester.judge(*rest))
    finally:
        tester.zygote.close()
        os._exit(0)


def _overrun(_number: int, _frame: object) -> NoReturn:
    raise TestsOverrun


def _answer(answers: Any, message: dict[str, Any]) -> None:
    data = marshal.dumps(message)
    answers.write(len(data).to_bytes(4, "big") + data)
    answers.flush()
