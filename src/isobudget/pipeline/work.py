"""Determines which samples are missing, divides them into calls, and keeps a backend busy with these.

Sample i of a problem has the seed (base + i), where the base follows from study seed, model and problem. So a larger n
later adds samples and changes none, and a stopped run continues where it was. Calls are made on demand, so that a study
of millions of samples is never listed in full.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from isobudget.backends.base import Backend, Generation, Prompt, Sampling
from isobudget.backends.settings import Pacing
from isobudget.grid import counted
from isobudget.pipeline.interrupts import Interrupts, Landed
from isobudget.problems.problem import Problem
from isobudget.records.keys import SampleKeys
from isobudget.records.rows import SampleKey
from isobudget.study import Study
from isobudget.study.resolve import ResolvedBenchmark, ResolvedModel


@dataclass(frozen=True, slots=True)
class Work:
    """Samples of one problem to generate by one call: a key and a seed for each, in the same order."""

    problem: Problem
    prompt: Prompt
    sampling: Sampling
    keys: tuple[SampleKey, ...]
    seeds: tuple[int, ...]

    def without(self, generations: Sequence[Generation | None]) -> Work:
        """The part of the call that these samples (one entry per requested sample, or None) leave unfinished."""
        left = [place for place in range(len(self.keys)) if not generations or generations[place] is None]
        return replace(
            self, keys=tuple(self.keys[place] for place in left), seeds=tuple(self.seeds[place] for place in left)
        )


def missing_work(
    study: Study, model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark], have: SampleKeys, group: int
) -> Iterator[Work]:
    """The missing samples of one model, at most `group` in a call; samples of a problem follow each other."""
    for benchmark in benchmarks:
        for problem in benchmark.problems:
            yield from _pieces(study, model, benchmark, problem, have, group)


def _pieces(
    study: Study, model: ResolvedModel, benchmark: ResolvedBenchmark, problem: Problem, have: SampleKeys, group: int
) -> Iterator[Work]:
    """The calls of one problem."""
    missing = _missing(study, model, benchmark, problem, have)
    if not missing:
        return
    sampling = model.sampling(benchmark)
    base = base_seed(study.seed, model.name, benchmark.name, problem.task_id)
    prompt = model.prompts[benchmark.name].render(problem).prompt
    for keys in groups_of(missing, group):
        how = replace(sampling, temperature=0.0) if keys[0][3] else sampling
        yield Work(problem, prompt, how, keys, tuple(base + key[4] for key in keys))


def count_missing(study: Study, model: ResolvedModel, benchmarks: Sequence[ResolvedBenchmark], have: SampleKeys) -> int:
    """How many samples `missing_work` will ask for."""
    return sum(
        len(_missing(study, model, benchmark, problem, have))
        for benchmark in benchmarks
        for problem in benchmark.problems
    )


def base_seed(seed: int, model: str, benchmark: str, task_id: str) -> int:
    """The seed of a problem's sample 0: 30 bits, so that base + index stays below 2^31."""
    text = "\0".join((str(seed), model, benchmark, task_id))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 2


def groups_of(keys: Sequence[SampleKey], group: int) -> Iterator[tuple[SampleKey, ...]]:
    """Keys of sampled outputs in groups of about equal size, at most `group`, larger ones first.

    Greedy keys are separate.
    """
    sampled = [key for key in keys if not key[3]]
    pieces = -(-len(sampled) // group)
    for piece in range(pieces):
        start, end = (-(-len(sampled) * place // pieces) for place in (piece, piece + 1))
        yield tuple(sampled[start:end])
    yield from ((key,) for key in keys if key[3])


def _missing(
    study: Study, model: ResolvedModel, benchmark: ResolvedBenchmark, problem: Problem, have: SampleKeys
) -> list[SampleKey]:
    """The keys of a problem's samples that the study requests and the run lacks."""
    name = (benchmark.name, model.name, problem.task_id)
    wanted = {False: model.samples[benchmark.name], True: int(study.greedy)}
    return [(*name, greedy, at) for greedy, n in wanted.items() for at in have.missing((*name, greedy), n)]


Result = tuple[Work, Future[list[Generation]]]


def stopping(awaited: str) -> str:
    """The message after a first Ctrl-C, which says what is still awaited."""
    return (
        f"Stopping: nothing new is started. Waiting for {awaited}; "
        "a second Ctrl-C or SIGTERM leaves at once, without them."
    )


class Feed:
    """Gives out calls in order, on demand, and lets a caller look at the next one before taking it.

    Args:
        work: the calls.
        tell: called with a sentence that the user should see at once.
    """

    def __init__(self, work: Iterable[Work], tell: Callable[[str], None] = lambda _: None) -> None:
        self._work = iter(work)
        self._first: Work | None = None
        self._tell = tell

    def interrupted(self, samples: int, seconds: float | None = None) -> None:
        """Report what is awaited after Ctrl-C: how many samples are in flight, and the seconds left, if known."""
        about = "time left not known yet" if seconds is None else f"about {max(1, round(seconds))} s"
        self._tell(stopping(f"{counted(samples, 'sample')} in flight, {about}"))

    def next(self, fits: Callable[[Work], bool]) -> Work | None:
        """The next call, if there is one and it fits."""
        call = None if self.is_empty() else self._first
        if call is None or not fits(call):
            return None
        self._first = None
        return call

    def is_empty(self) -> bool:
        """Whether no call is left."""
        if self._first is None:
            self._first = next(self._work, None)
        return self._first is None


def in_parallel(backend: Backend, feed: Feed, pace: Pacing, hold: Callable[[], bool]) -> Generator[Result, None, None]:
    """Run calls on a backend, as many at a time as it can use, and yield results as they finish.

    While `hold` returns true, no new call is started; if `hold` still returns true when all running calls have
    finished, the iteration ends.

    After a first Ctrl-C no new call is started and the feed reports it; running calls still finish, then the interrupt
    is raised. A second one exits at once. Interrupts only take effect while results are awaited, so a result that has
    arrived is always delivered.
    """
    most = max(1, int(backend.concurrency * pace.ahead))
    running: dict[Future[list[Generation]], Work] = {}
    clock = _Clock()

    def cost(call: Work) -> int:
        return 1 if pace.by_calls else len(call.keys)

    def fits(call: Work) -> bool:
        return not running or sum(map(cost, running.values())) + cost(call) <= most

    pool, interrupts, landed = ThreadPoolExecutor(max_workers=most), Interrupts(), Landed()
    try:
        with interrupts.held_back():
            try:
                while True:
                    while not hold() and (call := feed.next(fits)):
                        asked = call.prompt, call.sampling, list(call.seeds)
                        future = pool.submit(clock.timed, backend.generate, *asked)
                        running[future] = call
                        landed.watch(future)
                    if not running:
                        return
                    yield from _finished(running, landed, interrupts)
            except KeyboardInterrupt:
                feed.interrupted(sum(len(call.keys) for call in running.values()), clock.left())
                while running:
                    yield from _finished(running, landed, interrupts)
                raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Clock:
    """Measures how long calls take."""

    def __init__(self) -> None:
        self._begun: list[float] = []
        self._longest: float | None = None

    def timed(self, call: Callable[..., list[Generation]], *arguments: object) -> list[Generation]:
        """Run the call and measure its time."""
        begun = time.monotonic()
        self._begun.append(begun)
        try:
            return call(*arguments)
        finally:
            self._begun.remove(begun)
            self._longest = max(self._longest or 0.0, time.monotonic() - begun)

    def left(self) -> float | None:
        """Seconds until all running calls have finished, if none takes longer than the longest so far."""
        if self._longest is None:
            return None
        latest = max(list(self._begun), default=0.0)
        return max(0.0, latest + self._longest - time.monotonic())


def _finished(
    running: dict[Future[list[Generation]], Work], landed: Landed, interrupts: Interrupts
) -> Iterator[Result]:
    """The finished calls, at least one; an interrupt takes effect before or while they are awaited."""
    interrupts.let_in(lambda: None)
    landed.forget()
    while not (ended := [future for future in running if future.done()]):
        interrupts.let_in(landed.wait)
    for future in ended:
        yield running.pop(future), future
