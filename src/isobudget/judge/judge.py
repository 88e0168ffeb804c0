"""The judge: runs the tests of problems on samples that it does not trust, and yields verdicts in order.

    with Judge(workers=4) as judge:
        for verdict in judge.run((problem, program) for ...):
            ...

Every worker consists of a tester, the process that runs the tests, and of zygotes: confined processes from which the
samples are forked. `Judge.run` is a stream: it takes new pairs only as fast as its verdicts are consumed, so its memory
use does not grow with the number of pairs.
"""

from __future__ import annotations

import itertools
import os
import sys
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from types import TracebackType
from typing import Self

from isobudget.errors import InputError, JudgeError
from isobudget.judge.confinement.confine import LAYERS, require
from isobudget.judge.messages import WorkerSettings
from isobudget.judge.verdict import Limits, Trust, Verdict
from isobudget.judge.worker import Worker, WorkerGoneError, always_wanted, lost, wait_for_any
from isobudget.problems.problem import Problem

#: values of `Judge(trust=...)`
TRUSTS = ("auto", *Trust)
#: most unanswered pairs given to one worker: several, so that it never waits for the next one
GIVEN = 3
#: most pairs per worker that are taken before their verdicts can be yielded, because an earlier pair still runs
AHEAD = 32
#: most attempts at a sample; a worker that fails on a sample is replaced before the next attempt
ATTEMPTS = 3
#: most workers per core, since more would only take memory; and the number of workers that is allowed with few cores
WORKERS_PER_CORE, LEAST_ALLOWED = 8, 32
#: Each judge takes a number here for the core of its first worker; its other workers get the following cores. So the
#: first workers of judges of one process are on different cores. Another process counts from its own process id, and
#: may use the same cores.
_FIRST_CORE = itertools.count(os.getpid())


def most_workers() -> int:
    """The most workers that a judge may have on the cores available to this process."""
    return max(LEAST_ALLOWED, WORKERS_PER_CORE * len(os.sched_getaffinity(0)))


class Judge:
    """A pool of workers that judge samples. Use it as a context manager: leaving the block ends whatever still runs.

    Args:
        workers: samples judged at the same time. None means one per core that this process may use.
        limits: bounds on every sample.
        unsafe: also judge where the confinement that untrusted code needs is not available.
        one_process: run all tests of a whole program in one process, if the program cannot leave anything behind in
            that process. The process serves no other sample. False gives every test a process of its own.
        trust: where function and pytest tests of your own problems run. `split` is a process apart from the sample,
            `shared` is the sample's process, and `auto` decides for each problem, see docs/judge.md.
        foreign: trust tests, references and checkers no more than samples: the tester is confined as a sample is, and
            only the form of its answers is checked. A pass then means only that these tests reported a pass. Use a
            separate judge for each owner of tests.
        without: layers of confinement to leave out (`namespaces`, `landlock`, `seccomp`), to test the remaining ones.
        share: has no effect, because samples that shared a process could change each other's verdicts. It is kept for
            old callers.

    Attributes:
        layers: the layers of confinement that are active around every worker. None until the judge is entered.

    Raises:
        JudgeError: the system is not Linux, or `workers` is out of range.
        InputError: `trust` is not one of its three values, or a limit is not valid.
    """

    def __init__(
        self,
        workers: int | None = None,
        limits: Limits | None = None,
        *,
        unsafe: bool = False,
        one_process: bool = True,
        trust: str = "auto",
        foreign: bool = False,
        without: Collection[str] = (),
        share: bool | None = None,
    ) -> None:
        if share is not None:
            said = "Judge(share=...) has no effect, because samples share no process; remove the argument"
            warnings.warn(said, DeprecationWarning, stacklevel=2)
        if not sys.platform.startswith("linux"):
            raise JudgeError("judging needs Linux; on other systems, use a Linux container or virtual machine")
        cores, most = len(os.sched_getaffinity(0)), most_workers()
        if workers is not None and not 1 <= workers <= most:
            raise JudgeError(f"workers must be at least 1 and, with {cores} cores, at most {most}, not {workers}")
        if trust not in TRUSTS:
            raise InputError(f"trust must be one of {', '.join(repr(str(one)) for one in TRUSTS)}, not {trust!r}")
        self.workers = workers or cores
        self.limits = (limits or Limits()).checked()
        self.unsafe = unsafe
        self.one_process = one_process
        self.trust = trust
        self.foreign = foreign
        self.without = tuple(without)
        self.layers: frozenset[str] | None = None
        self._pool: list[Worker] = []
        self._entered = False

    def __enter__(self) -> Self:
        """Start the workers.

        Raises:
            JudgeError: a worker does not start, or samples cannot be confined here and `unsafe` was not given.
        """
        cores = sorted(os.sched_getaffinity(0))
        first = next(_FIRST_CORE)
        settings = [self._settings(number, cores[(first + number) % len(cores)]) for number in range(self.workers)]
        self._pool = [Worker(setting) for setting in settings]
        self._entered = True
        try:
            for worker in self._pool:
                worker.launch()
            standing = [frozenset(worker.ready()) for worker in self._pool]
            for layers in standing:
                if not self.unsafe:
                    require(layers)
            self.layers = frozenset.intersection(*standing)
        except BaseException:
            self._stop()
            raise
        return self

    def _settings(self, number: int, core: int) -> WorkerSettings:
        packages = third_party_path()
        return WorkerSettings(
            number, core, packages, self.without, self.one_process, self.limits, self.trust, self.foreign
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._entered = False
        for worker in self._pool:
            worker.stop()
        self._pool = []

    def run(self, pairs: Iterable[tuple[Problem, str]]) -> Iterator[Verdict]:
        """Judge pairs of a problem and a whole program, and yield one verdict per pair, in the order of the pairs.

        Raises:
            JudgeError: called outside the `with` block, or while another `run` of this judge is under way.
        """
        return self.run_while(always_wanted, pairs)

    def run_while(self, is_wanted: Callable[[], bool], pairs: Iterable[tuple[Problem, str]]) -> Iterator[Verdict]:
        """Like `run`, but stops once nobody waits for the verdicts any more.

        Args:
            is_wanted: says whether the next verdict is still wanted. It is called about once a second, on the caller's
                thread.
            pairs: pairs of a problem and a whole program.

        Raises:
            UnwantedError: `is_wanted` returned False. Running samples have been ended, and the judge is ready for the
                next run.
        """
        if not self._entered:
            raise JudgeError("use the judge inside a `with` block: with Judge() as judge: judge.run(...)")
        if any(worker.given for worker in self._pool):
            raise JudgeError("this judge is busy with another run: read all verdicts of that run first, or close it")
        stream = _Stream(self._pool, iter(pairs), self.limits, is_wanted)
        try:
            yield from stream.verdicts()
        finally:
            stream.abandon()

    def run_async(self, pairs: Iterable[tuple[Problem, str]]) -> AsyncIterator[Verdict]:
        """Like `run`, for an event loop: the loop is not blocked while samples run."""
        from isobudget.judge.off_the_loop import off_the_loop

        return off_the_loop(self.run(pairs))


class _Stream:
    """One `run`: which worker has which jobs, and the finished verdicts that wait for earlier ones."""

    def __init__(
        self,
        pool: list[Worker],
        pairs: Iterator[tuple[Problem, str]],
        limits: Limits,
        is_wanted: Callable[[], bool],
    ) -> None:
        self.pool, self.pairs, self.limits, self.is_wanted = pool, pairs, limits, is_wanted
        self.given = self.yielded = 0
        self.waiting: dict[int, Verdict] = {}
        self.again: deque[tuple[int, Problem, str, int]] = deque()
        self.exhausted = False

    def verdicts(self) -> Iterator[Verdict]:
        """All verdicts, in the order of the pairs."""
        while True:
            self._feed()
            while self.yielded in self.waiting:
                verdict = self.waiting.pop(self.yielded)
                self.yielded += 1
                yield verdict
            if self.exhausted and self.yielded == self.given:
                return
            if self.yielded not in self.waiting and any(worker.given for worker in self.pool):
                self._collect()

    def _feed(self) -> None:
        while True:
            worker = min(self.pool, key=lambda one: len(one.given))
            if len(worker.given) >= GIVEN:
                return
            job = self._next()
            if job is None:
                return
            try:
                worker.give(*job)
            except WorkerGoneError:
                self._replace(worker)

    def _next(self) -> tuple[int, Problem, str, int] | None:
        if self.again:
            return self.again.popleft()
        if self.exhausted or self.given - self.yielded >= AHEAD * len(self.pool):
            return None
        try:
            problem, program = next(self.pairs)
        except StopIteration:
            self.exhausted = True
            return None
        self.given += 1
        return self.given - 1, problem, program, 1

    def _collect(self) -> None:
        for worker in wait_for_any(self.pool, self.limits.wall_seconds, self.is_wanted):
            try:
                for number, verdict in worker.take():
                    self.waiting[number] = verdict
            except WorkerGoneError:
                self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        """Restart a worker, and have its unfinished jobs judged again.

        The worker failed on the first of these jobs. After `ATTEMPTS` failures, or one if the tests hung, the failure
        becomes that job's verdict.
        """
        jobs, stuck = list(worker.given), worker.stuck
        worker.stop()
        worker.start()
        for index, (number, problem, program, attempt) in enumerate(jobs):
            if index == 0 and (stuck or attempt >= ATTEMPTS):
                self.waiting[number] = lost(stuck, not stuck and self._reference_passes(worker, problem))
            else:
                self.again.append((number, problem, program, attempt + (index == 0)))

    def _reference_passes(self, worker: Worker, problem: Problem) -> bool:
        """Whether a problem's reference passes in a worker that has no other jobs."""
        if problem.reference is None:
            return False
        try:
            worker.give(-1, problem, problem.program(problem.reference), 1)
            while not (verdicts := worker.take()):
                wait_for_any([worker], self.limits.wall_seconds)
        except WorkerGoneError:
            worker.stop()
            worker.start()
            return False
        return verdicts[0][1].passed

    def abandon(self) -> None:
        """Keep answers to old jobs out of the next run, by restarting all workers that still have jobs."""
        for worker in self.pool:
            if worker.given:
                worker.stop()
                worker.start()


def third_party_path() -> tuple[str, ...]:
    """The folders of installed packages, for samples that import them."""
    return tuple(entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages")))


def layers_of_confinement() -> dict[str, bool]:
    """Whether this machine grants each layer of confinement to this user, by name. A worker is started to find out."""
    if not sys.platform.startswith("linux"):
        return dict.fromkeys(LAYERS, False)
    worker = Worker(Judge(1, unsafe=True)._settings(0, min(os.sched_getaffinity(0))))
    try:
        standing = worker.start()
    finally:
        worker.stop()
    return {layer: layer in standing for layer in LAYERS}
