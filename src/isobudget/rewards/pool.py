"""A pool of judges that stays open: any thread may submit jobs at any time, and gets the verdicts as futures.

`Judge.run`, in contrast, is one stream that ends. Each thread of the pool has a judge with one worker on one core. The
thread takes the job that has waited longest and passes further waiting jobs to the worker, so that the worker is never
idle between two jobs.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import NamedTuple, Self

from isobudget.errors import IsobudgetError, JudgeError
from isobudget.judge.judge import Judge
from isobudget.judge.verdict import Limits, Verdict
from isobudget.problems.problem import Problem


class _Job(NamedTuple):
    problem: Problem
    program: str
    verdict: Future[Verdict]


class JudgePool:
    """A pool of judges. Use it as a context manager, or `close` it.

    Args:
        workers: samples judged at the same time; None means one per core that this process may use.
        limits: bounds on every sample.
        unsafe: judge even if samples cannot be confined.

    Raises:
        JudgeError: samples cannot be confined here.
    """

    def __init__(self, workers: int | None = None, limits: Limits | None = None, *, unsafe: bool = False) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._open: set[Future[Verdict]] = set()
        judges = [Judge(1, limits, unsafe=unsafe) for _ in range(workers or len(cores))]
        started: list[Future[None]] = [Future() for _ in judges]
        self._threads = [
            threading.Thread(target=self._serve, args=(judge, cores[at % len(cores)], ready), daemon=True)
            for at, (judge, ready) in enumerate(zip(judges, started, strict=True))
        ]
        for thread in self._threads:
            thread.start()
        try:
            for one in started:
                one.result()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the judges once they have finished the submitted jobs. Further jobs are refused."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        while not self._jobs.empty():
            if (job := self._jobs.get()) is not None and job.verdict.set_running_or_notify_cancel():
                job.verdict.set_exception(JudgeError("the pool of judges was closed"))

    @property
    def idle(self) -> bool:
        """Whether no job waits or runs."""
        return not self._open

    def submit(self, problem: Problem, program: str) -> Future[Verdict]:
        """Have a program judged. The returned future ends with the verdict, or with a `JudgeError`.

        A program is not judged if its future is cancelled before its turn comes.

        Raises:
            JudgeError: the pool was closed.
        """
        if self._closed:
            raise JudgeError("the pool of judges was closed")
        verdict: Future[Verdict] = Future()
        self._open.add(verdict)
        verdict.add_done_callback(self._open.discard)
        self._jobs.put(_Job(problem, program, verdict))
        return verdict

    def judge(self, pairs: Iterable[tuple[Problem, str]]) -> list[Verdict]:
        """The verdicts on pairs of a problem and a program, in the order of the pairs."""
        return [one.result() for one in [self.submit(*pair) for pair in pairs]]

    def _serve(self, judge: Judge, core: int, ready: Future[None]) -> None:
        """Body of a thread: judge jobs, on one core that the judge's worker shares."""
        os.sched_setaffinity(0, {core})
        try:
            with judge:
                ready.set_result(None)
                while (job := self._jobs.get()) is not None:
                    if job.verdict.set_running_or_notify_cancel():
                        self._judge_from(judge, job)
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)

    def _judge_from(self, judge: Judge, first: _Job) -> None:
        """Judge a job, and further waiting jobs while the worker has room."""
        taken: deque[_Job] = deque()
        try:
            for verdict in judge.run(self._waiting(first, taken)):
                taken.popleft().verdict.set_result(verdict)
        except Exception as error:  # whatever it is, who waits must hear of it, and the thread goes on
            why = str(error) if isinstance(error, IsobudgetError | OSError) else f"{type(error).__name__}: {error}"
            for job in taken:
                job.verdict.set_exception(JudgeError(f"the judge failed: {why}"))

    def _waiting(self, first: _Job, taken: deque[_Job]) -> Iterator[tuple[Problem, str]]:
        job: _Job | None = first
        while job is not None:
            taken.append(job)
            yield job.problem, job.program
            try:
                while (job := self._jobs.get_nowait()) is not None and not job.verdict.set_running_or_notify_cancel():
                    pass
            except queue.Empty:
                return
        self._jobs.put(None)  # that the pool closes is for the thread to see
