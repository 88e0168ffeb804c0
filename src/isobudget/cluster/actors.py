"""The classes that run on the cluster, one that judges and one that generates; `ray_fleet` turns them into actors.

Each actor holds one judge or one backend, receives batches of plain data, and returns a result for every item. If an
actor cannot work, its `Hello` says why: an error in the constructor would reach the driver only as the text of another
error.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.backends.base import Backend, Description, Generation, PartlyAnsweredError, Prompt, Sampling
from isobudget.backends.settings import BackendSettings
from isobudget.cluster.fleet import Pulse
from isobudget.errors import BackendError, IsobudgetError
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Limits
from isobudget.problems.problem import Problem

#: the error of a call that was not started because the actor was stopped
NOT_BEGUN = "stopped before it began"


@dataclass(frozen=True, slots=True)
class Hello:
    """An actor's report that it is ready, or why it is not.

    Attributes:
        process: the actor's process id on its node.
        error: why the actor cannot work; empty if it can.
        description: description of a generating actor's backend.
        layers: active layers of confinement of a judging actor.
    """

    process: int
    error: str = ""
    description: Description | None = None
    layers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PromptCall:
    """Samples of one prompt requested from a generating actor."""

    prompt: Prompt
    sampling: Sampling
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """The result of a call: its samples (None for missing ones), why some are missing, and whether to retry."""

    generations: tuple[Generation | None, ...]
    error: str = ""
    again: bool = True


class _Timed:
    """Counts what an actor has done, and how long it was busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = self._since = time.monotonic()
        self._running = self._done = 0
        self._busy_seconds = 0.0

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Count a batch as running as long as the context lasts."""
        with self._lock:
            if self._running == 0:
                self._since = time.monotonic()
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if self._running == 0:
                    self._busy_seconds += time.monotonic() - self._since

    def add(self, items: int) -> None:
        """Count this many more finished items."""
        with self._lock:
            self._done += items

    def pulse(self) -> Pulse:
        """The actor's progress."""
        with self._lock:
            now = time.monotonic()
            busy = self._busy_seconds + (now - self._since if self._running else 0.0)
            return Pulse(self._done, busy, now - self._begun)


class JudgeActor:
    """A judge with one worker. If there are enough cores, no other `JudgeActor` uses the same core."""

    def __init__(self, limits: Limits, modes: dict[str, Any]) -> None:
        self._timed, self._error = _Timed(), ""
        self._stopped = threading.Event()
        self._core, self._held = claim_core()
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._core})
        try:
            self._judge = Judge(1, limits, **modes).__enter__()
        except (IsobudgetError, OSError) as error:
            self._error = str(error)
        finally:
            os.sched_setaffinity(0, before)

    def hello(self) -> Hello:
        """Reports that the actor is ready, or why it is not."""
        return Hello(os.getpid(), self._error, layers=None if self._error else self._judge.layers)

    def pulse(self) -> Pulse:
        """The actor's progress."""
        return self._timed.pulse()

    def stop(self) -> None:
        """Start no further program; running ones still get their verdicts."""
        self._stopped.set()

    def run(self, problems: Sequence[Problem], programs: Sequence[tuple[int, str]]) -> list[tuple[Any, ...] | None]:
        """The verdicts on programs, each as plain fields.

        Each program is given with the index of its problem in `problems`. None stands for a program that was not
        started because the actor was stopped.
        """
        begun = itertools.takewhile(lambda _: not self._stopped.is_set(), programs)
        verdicts: list[tuple[Any, ...] | None] = []
        with self._timed.batch():
            for verdict in self._judge.run((problems[at], program) for at, program in begun):
                verdicts.append(verdict.plain())
                self._timed.add(1)
        return verdicts + [None] * (len(programs) - len(verdicts))


def claim_core() -> tuple[int, int]:
    """Lock a core that this process may use and no other actor of this user has locked.

    Returns:
        The core, and the file descriptor that locks the core. If no core is left, any core and -1. The lock ends with
        the process, however the process ends.
    """
    cores = sorted(os.sched_getaffinity(0))
    folder = Path(tempfile.gettempdir()) / f"isobudget-cores-{os.getuid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.is_symlink():
            return cores[0], -1
        for core in cores:
            held = os.open(folder / str(core), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
                continue
            return core, held
    return cores[os.getpid() % len(cores)], -1


class GenerationActor:
    """One open backend. Two batches may run: the calls of the second start after those of the first have started."""

    def __init__(self, settings: BackendSettings) -> None:
        self._timed, self._error = _Timed(), ""
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        pace = settings.pacing()
        self._by_calls = pace.by_calls
        try:
            self.backend: Backend = settings.open().__enter__()
        except (IsobudgetError, OSError) as error:
            self._error = str(error)
            return
        self._most = max(1, int(self.backend.concurrency * pace.ahead))
        self._room = _Room(self._most)
        self._pool = ThreadPoolExecutor(self._most)

    def hello(self) -> Hello:
        """Reports that the actor is ready, or why it is not."""
        return Hello(os.getpid(), self._error, None if self._error else self.backend.describe())

    def pulse(self) -> Pulse:
        """The actor's progress."""
        return self._timed.pulse()

    def stop(self) -> None:
        """Start no further call; running ones still finish."""
        self._stopped.set()

    def run(self, calls: Sequence[PromptCall]) -> list[CallAnswer]:
        """The samples of every call, in the order of the calls."""
        with self._timed.batch():
            with self._turn:
                futures = [self._pool.submit(self._begin(call)) for call in calls]
            return [one.result() for one in futures]

    def _begin(self, call: PromptCall) -> Any:
        """Wait until the engine has room for a call, and take the room. Returns the function that makes the call."""
        weight = 1 if self._by_calls else min(len(call.seeds), self._most)
        self._room.take(weight)

        def make() -> CallAnswer:
            try:
                return self._answer(call)
            finally:
                self._room.give(weight)
                self._timed.add(len(call.seeds))

        return make

    def _answer(self, call: PromptCall) -> CallAnswer:
        nothing = (None,) * len(call.seeds)
        if self._stopped.is_set():
            return CallAnswer(nothing, NOT_BEGUN)
        try:
            return CallAnswer(tuple(self.backend.generate(call.prompt, call.sampling, list(call.seeds))))
        except PartlyAnsweredError as error:
            return CallAnswer(error.generations, str(error), error.again)
        except BackendError as error:
            return CallAnswer(nothing, str(error), error.again)


class _Room:
    """The free slots of an engine."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._changed = threading.Condition()

    def take(self, weight: int) -> None:
        """Wait until `weight` slots are free, and take them."""
        with self._changed:
            self._changed.wait_for(lambda: self._left >= weight)
            self._left -= weight

    def give(self, weight: int) -> None:
        """Release `weight` slots."""
        with self._changed:
            self._left += weight
            self._changed.notify_all()
