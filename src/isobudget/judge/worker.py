"""The judge's handle on one worker: its process, the jobs given to it, and the problems that it knows."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from isobudget.errors import JudgeError
from isobudget.judge.confinement.confine import CLEAN_ENVIRONMENT, ISOLATED, bootstrap
from isobudget.judge.messages import Case, WorkerSettings, frame
from isobudget.judge.scratch import ScratchFolder
from isobudget.judge.trusted.kinds import KINDS
from isobudget.judge.verdict import Outcome, Verdict
from isobudget.problems.problem import Problem

#: most problems that a worker keeps
PROBLEMS_KEPT = 512
#: longest answer that is accepted: 2,000 observed texts of 2,000 characters fit
MOST_ANSWER_BYTES = 32 << 20
#: how much longer than twice a sample's wall cap a worker may take for it before the worker counts as stuck
GRACE_SECONDS = 30.0
#: how long an idle worker may take to end by itself
STOP_SECONDS = 5.0


class WorkerGoneError(Exception):
    """The worker's process ended or does not answer."""


class UnwantedError(Exception):
    """Nobody waits for the next verdict any more."""


def always_wanted() -> bool:
    """Always true: for verdicts that are wanted whatever happens."""
    return True


class Worker:
    """A worker's process (its tester), and the jobs that have been given to the worker."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.given: deque[tuple[int, Problem, str, int]] = deque()
        self.known: OrderedDict[Problem, int] = OrderedDict()
        self.keys = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.buffer = bytearray()
        self.scratch = ScratchFolder()
        self.busy_since = 0.0
        self.stuck = False
        #: this process's end of a pipe, by which the worker notices that this process has ended, in whatever way
        self.life = -1

    def start(self) -> list[str]:
        """Start the process, wait until it is ready, and return the active layers of confinement."""
        self.launch()
        return self.ready()

    def launch(self) -> None:
        """Start the process, without waiting for it."""
        self.scratch.make()  # here and not in the worker, so that it is removed even if the worker is killed
        self.stuck = False
        life, self.life = os.pipe()
        settings = self.settings._replace(base=self.scratch.path, life=life)
        self.process = subprocess.Popen(
            [sys.executable, *ISOLATED, "-c", bootstrap("launch", settings.plain())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(CLEAN_ENVIRONMENT),
            cwd="/",
            start_new_session=True,
            pass_fds=(life,),
        )
        os.close(life)

    def ready(self) -> list[str]:
        """Wait until the process is ready, and return the active layers of confinement.

        Raises:
            JudgeError: the process does not start.
        """
        try:
            while not (messages := self._messages()):
                pass
        except WorkerGoneError:
            self.stop()
            raise JudgeError("a worker of the judge does not start; the worker's message is above") from None
        kind, *said = messages[0]
        if kind != "ready" or not said:
            self.stop()
            raise JudgeError("a worker of the judge does not start: the worker's first message is not the expected one")
        return list(map(str, said[0]))

    def give(self, number: int, problem: Problem, program: str, attempt: int) -> None:
        """Give the worker a job.

        Raises:
            WorkerGoneError: the process is gone. The job still counts as given.
        """
        if not self.given:
            self.busy_since = time.monotonic()
        self.given.append((number, problem, program, attempt))
        data = b""
        key = self.known.get(problem)
        if key is None:
            key = self.known[problem] = self.keys = self.keys + 1
            data += frame("problem", key, tuple(describe(problem)))
            if len(self.known) > PROBLEMS_KEPT:
                data += frame("forget", self.known.popitem(last=False)[1])
        else:
            self.known.move_to_end(problem)
        data += frame("judge", key, _sendable(program))
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError as error:
            raise WorkerGoneError("the worker's process ended") from error

    def take(self) -> list[tuple[int, Verdict]]:
        """The verdicts that have arrived. Call this when `fileno` is readable or the worker is overdue.

        Raises:
            WorkerGoneError: the process ended, or is stuck.
        """
        if self.stuck:
            raise WorkerGoneError("the worker does not answer")
        done = []
        for kind, *fields in self._messages():
            # Foreign tests could say for ever that they are at work.
            if kind == "verdict" or not self.settings.foreign:
                self.busy_since = time.monotonic()
            if kind == "verdict":
                done.append(self._verdict(fields))
        if self.settings.foreign:
            self.stuck = self.is_overdue(self.settings.limits.wall_seconds)
        return done

    def is_overdue(self, wall_seconds: float) -> bool:
        """Whether the worker has spent far too long on a job."""
        return bool(self.given) and time.monotonic() - self.busy_since > 2 * wall_seconds + GRACE_SECONDS

    def _verdict(self, fields: list[Any]) -> tuple[int, Verdict]:
        if not self.given or len(fields) != 1:
            raise WorkerGoneError("the worker sent an unexpected answer")
        try:
            verdict = Verdict.of_foreign(fields[0])
        except ValueError as error:
            raise WorkerGoneError(str(error)) from error
        return self.given.popleft()[0], verdict

    def _messages(self) -> list[list[Any]]:
        assert self.process is not None
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), 1 << 18)
        if not data:
            raise WorkerGoneError("the worker's process ended")
        self.buffer += data
        messages: list[list[Any]] = []
        while len(self.buffer) >= 4:
            size = int.from_bytes(self.buffer[:4], "big")
            if size > MOST_ANSWER_BYTES:
                raise WorkerGoneError("the worker's answer is too long")
            if len(self.buffer) < 4 + size:
                break
            messages.append(_answer(bytes(self.buffer[4 : 4 + size])))
            del self.buffer[: 4 + size]
        return messages

    def fileno(self) -> int:
        """The descriptor from which verdicts are read."""
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def stop(self) -> None:
        """End the process and its zygote, and forget the jobs given to it."""
        process, self.process = self.process, None
        if process is not None:
            if self.given:
                process.kill()
            elif process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            os.close(self.life)
            self.scratch.remove()
        self.given.clear()
        self.known.clear()
        self.buffer.clear()


def _answer(data: bytes) -> list[Any]:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WorkerGoneError("the worker's answer is not JSON") from error
    if type(message) is not list or not message:
        raise WorkerGoneError("the worker's answer is not a message")
    return message


def lost(stuck: bool, reference_passes: bool) -> Verdict:
    """The verdict on a sample on which a worker hung, or repeatedly ended.

    If the problem's reference passes in the same worker, the sample is to blame.
    """
    if stuck:
        return Verdict(Outcome.TIMEOUT, detail="the tests did not end")
    if reference_passes:
        return Verdict(
            Outcome.CRASHED, detail="the judge's worker crashed on this sample, but not on the reference solution"
        )
    return Verdict(Outcome.INVALID, detail="the judge's worker crashed on this sample")


def wait_for_any(
    workers: Iterable[Worker], wall_seconds: float, is_wanted: Callable[[], bool] = always_wanted
) -> list[Worker]:
    """Wait until a worker with jobs has sent something, or has taken far too long.

    Raises:
        UnwantedError: `is_wanted`, which is called every second, returned False.
    """
    busy = {worker.fileno(): worker for worker in workers if worker.given}
    while True:
        if not is_wanted():
            raise UnwantedError
        poller = select.poll()
        for descriptor in busy:
            poller.register(descriptor, select.POLLIN)
        ready = [busy[descriptor] for descriptor, _ in poller.poll(1000)]
        if ready:
            return ready
        for worker in busy.values():
            worker.stuck = worker.is_overdue(wall_seconds)
        overdue = [worker for worker in busy.values() if worker.stuck]
        if overdue:
            return overdue


def _sendable(program: str) -> str:
    # A lone surrogate is not a text that a program can consist of; the compiler will say so.
    return program.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def describe(problem: Problem) -> Case:
    """Turn a problem into plain data for a worker.

    Raises:
        JudgeError: the judge does not know this kind of tests.
    """
    kind = type(problem.tests).__name__
    if kind not in KINDS:
        raise JudgeError(f"the judge does not know this kind of tests: {kind}")
    reference = None if problem.reference is None else problem.program(problem.reference)
    tests = asdict(problem.tests)
    apart = tests.pop("split", False)
    return Case(kind, tests, problem.entry_point, problem.prompt, problem.starter, reference, apart)
