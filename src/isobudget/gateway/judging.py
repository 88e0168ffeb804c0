"""A pool of judges of foreign tests: each serves one key at a time, and restarts before it serves another.

Jobs wait in one queue per key, and keys take turns. A judge stays with its key while the key has jobs; if other keys
wait, it stays only for a limited time, because a restart takes a quarter of a second. An idle judge restarts as well:
that removes anything that tests left behind, and the judge is ready for the next key. If nobody waits for a verdict any
more, because the client hung up or another sample passed, its program is ended.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from isobudget.errors import JudgeError
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Limits, Verdict
from isobudget.judge.worker import UnwantedError
from isobudget.problems.problem import Problem

#: how long a judge stays with a key while others wait
TURN_SECONDS = 2.0
#: how long a job of another key waits before a judge that idles for its own key restarts to serve it
PATIENCE_SECONDS = 0.05
#: how long a judge that has served a key waits for another job of that key
IDLE_SECONDS = 3.0
#: how long a program continues when nobody waits for its verdict any more: most end sooner than a judge restarts
UNWANTED_SECONDS = 1.0


class Waiting:
    """Whether somebody waits for a verdict: set on the event loop's thread, read on a judge's thread."""

    def __init__(self) -> None:
        self._given_up = math.inf

    def told(self, verdict: asyncio.Future[Verdict]) -> None:
        """Callback for the future of a verdict: notes the time if the future was cancelled, as nobody waits then."""
        if verdict.cancelled():
            self._given_up = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""
        return self._given_up < math.inf

    @property
    def is_long_over(self) -> bool:
        """Whether nobody has waited for more than `UNWANTED_SECONDS`, so that the program should be ended."""
        return time.monotonic() - self._given_up > UNWANTED_SECONDS


class Job(NamedTuple):
    """A program to judge for a key; `again` means that a judge failed on it, or on another job at the same time."""

    key: int
    problem: Problem
    program: str
    verdict: Future[Verdict]
    since: float
    waiting: Waiting
    again: bool = False

    def begin(self) -> bool:
        """Mark the job as running; returns false if nobody waits for its verdict, so that it need not be judged."""
        if self.verdict.running():
            return not self.waiting.is_over
        return self.verdict.set_running_or_notify_cancel()


class FairJobs:
    """Jobs by key, taken in turns. Safe to use from several threads."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, deque[Job]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def put(self, jobs: Sequence[Job]) -> None:
        """Append jobs of one key. Raises `JudgeError` if jobs are no longer accepted."""
        with self._changed:
            if self._closed:
                raise JudgeError("the judges were closed")
            self._waiting.setdefault(jobs[0].key, deque()).extend(jobs)
            self._changed.notify_all()

    def take_any(self) -> Job | None:
        """Wait for a job of the key whose turn it is; None once jobs are no longer accepted."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            key, jobs = self._waiting.popitem(last=False)
            job = jobs.popleft()
            if jobs:
                self._waiting[key] = jobs  # after all others
            return job

    def take_of(self, key: int, until: float, seconds: float) -> Job | None:
        """The next job of a key; None if the key's turn is over, or if no job comes in time.

        Args:
            key: the key.
            until: when the key's turn ends, on the monotonic clock; while no other key waits, the turn continues.
            seconds: how long to wait for a job; shorter if another key waits for a judge.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                others = [jobs[0].since for other, jobs in self._waiting.items() if other != key]
                if key in self._waiting and (now < until or not others):
                    return self._pop(key)
                if now >= deadline or key in self._waiting or (others and now - min(others) > PATIENCE_SECONDS):
                    return None
                self._changed.wait(min(deadline - now, PATIENCE_SECONDS) if others else deadline - now)
            return None

    def _pop(self, key: int) -> Job:
        job = self._waiting[key].popleft()
        if not self._waiting[key]:
            del self._waiting[key]
        return job

    @property
    def closed(self) -> bool:
        """Whether jobs are no longer accepted."""
        return self._closed

    def close(self) -> list[Job]:
        """Accept no more jobs; returns the waiting ones."""
        with self._changed:
            self._closed = True
            left = [job for jobs in self._waiting.values() for job in jobs]
            self._waiting.clear()
            self._changed.notify_all()
            return left


class Judges:
    """Judges for all keys. Use it as a context manager.

    Args:
        workers: samples judged at the same time; None means one per core.
        limits: bounds on every sample.
        unsafe: judge even if samples cannot be confined.

    Raises:
        JudgeError: samples cannot be confined on this machine.
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None, *, unsafe: bool = False) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.workers = workers or len(cores)
        self.limits = limits or Limits()
        self.jobs = FairJobs()
        judges = [Judge(1, limits, unsafe=unsafe, foreign=True) for _ in range(self.workers)]
        self._started: list[Future[None]] = [Future() for _ in judges]
        self._threads = [
            threading.Thread(target=self._serve, args=(judge, cores[at % len(cores)], ready), name="judge", daemon=True)
            for at, (judge, ready) in enumerate(zip(judges, self._started, strict=True))
        ]

    def __enter__(self) -> Judges:
        for thread in self._threads:
            thread.start()
        try:
            for one in self._started:
                one.result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the judges. Waiting jobs are refused, running ones are finished."""
        for job in self.jobs.close():
            if job.begin():
                job.verdict.set_exception(JudgeError("the judges were closed"))
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def submit(self, key: int, problem: Problem, programs: Sequence[str]) -> list[asyncio.Future[Verdict]]:
        """Have programs judged for a key; returns a future for each on the running loop.

        If a future is cancelled, its program is not judged, or is ended soon. If the judge fails, the future fails with
        `JudgeError`.
        """
        now = time.monotonic()
        jobs = [Job(key, problem, program, Future(), now, Waiting()) for program in programs]
        self.jobs.put(jobs)
        verdicts = [asyncio.wrap_future(job.verdict) for job in jobs]
        for job, verdict in zip(jobs, verdicts, strict=True):
            verdict.add_done_callback(job.waiting.told)
        return verdicts

    def _serve(self, judge: Judge, core: int, ready: Future[None]) -> None:
        """Body of a thread: serve one key after another. The thread and the judge's worker share one core."""
        os.sched_setaffinity(0, {core})
        while not self.jobs.closed:
            try:
                with judge:
                    if not ready.done():
                        ready.set_result(None)
                    self._of_one_key(judge)
            except BaseException as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                time.sleep(0.1)  # memory may be short, for a moment

    def _of_one_key(self, judge: Judge) -> None:
        """Serve the next key that has a job, until its turn is over; the judge must restart afterwards."""
        job = self.jobs.take_any()
        until = time.monotonic() + TURN_SECONDS
        while job is not None:
            taken: deque[Job] = deque()
            try:
                for verdict in judge.run_while(partial(_is_wanted, taken), self._pairs(job, until, taken)):
                    taken.popleft().verdict.set_result(verdict)
            except UnwantedError:
                self._put_back(taken)
            except BaseException as error:
                self._again(taken, error)
                raise
            job = self.jobs.take_of(job.key, until, IDLE_SECONDS)

    def _put_back(self, taken: Iterable[Job]) -> None:
        """Put these jobs back into the queue, except those whose verdict nobody waits for.

        They were with the judge when it ended a program, and have no verdict yet.
        """
        for job in taken:
            if not job.waiting.is_over:
                try:
                    self.jobs.put([job])
                except JudgeError as reason:
                    job.verdict.set_exception(reason)

    def _again(self, failed: Iterable[Job], error: BaseException) -> None:
        """Retry jobs on which a judge failed, with a restarted judge, because their samples have been paid for."""
        for job in failed:
            try:
                if job.again:
                    raise JudgeError(f"the judge failed twice: {type(error).__name__}: {error}")
                self.jobs.put([job._replace(again=True)])
            except JudgeError as reason:
                job.verdict.set_exception(reason)

    def _pairs(self, first: Job, until: float, taken: deque[Job]) -> Iterator[tuple[Problem, str]]:
        """The first job, and further jobs of its key as they arrive."""
        job: Job | None = first
        while job is not None:
            if job.begin():
                taken.append(job)
                yield job.problem, job.program
            job = self.jobs.take_of(first.key, until, 0)


def _is_wanted(taken: Sequence[Job]) -> bool:
    """Whether the first of these jobs, which is running, should continue."""
    return not taken or not taken[0].waiting.is_long_over
