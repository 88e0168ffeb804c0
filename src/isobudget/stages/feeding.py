"""Keeping a backend busy: which call to begin next, and results as they come.

An engine that keeps the prompt of a call that has ended computes it again when the next call of the same problem lands
where another one was. So for such an engine the calls of a problem follow each other (`Pacing.follow`): the next begins
when the last has come back, before any call of another problem, and the room that it finds is the one it left.

Not covered: what a call does, and what becomes of its result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import groupby

from isobudget.backends.base import Backend, Generation
from isobudget.backends.opening import Pacing
from isobudget.records.rows import SampleKey
from isobudget.stages.work import Work

Result = tuple[Work, Future[list[Generation]]]


class Feed:
    """Hands out calls. Calls of one problem must be next to each other in `work`.

    Args:
        work: all calls, in their order; taken as needed.
        follow: whether a problem's next call waits for its last one.
    """

    def __init__(self, work: Iterable[Work], follow: bool) -> None:
        self._problems = (list(calls) for _, calls in groupby(work, key=lambda one: one.keys[0][:3]))
        self._follow = follow
        self._ready: deque[deque[Work]] = deque()
        self._under_way: dict[tuple[SampleKey, ...], deque[Work]] = {}

    def next(self, fits: Callable[[Work], bool]) -> Work | None:
        """A call to begin now: of a problem that was begun, else the first of a new one; None if it must wait."""
        for calls in self._ready:
            if fits(calls[0]):
                return self._begin(calls)
        if self._ready or (fresh := next(self._problems, None)) is None:
            return None
        calls = deque(fresh)
        self._ready.append(calls)
        return self._begin(calls) if fits(calls[0]) else None

    def came_back(self, call: Work) -> None:
        """The call has ended, and what follows on it may begin."""
        calls = self._under_way.pop(call.keys)
        if self._follow and calls:
            self._ready.appendleft(calls)

    def is_empty(self) -> bool:
        """Whether no call is left to begin, now or later."""
        if self._ready or any(self._under_way.values()):
            return False
        fresh = next(self._problems, None)
        if fresh is not None:
            self._ready.append(deque(fresh))
        return fresh is None

    def _begin(self, calls: deque[Work]) -> Work:
        call = calls.popleft()
        self._under_way[call.keys] = calls
        if self._follow or not calls:
            self._ready.remove(calls)
        return call


def in_parallel(backend: Backend, feed: Feed, pace: Pacing, hold: Callable[[], bool]) -> Generator[Result, None, None]:
    """Results as they come, with as many calls under way as the backend can use.

    While `hold` says so, nothing new is begun; if it still does when all that was under way has come back, it ends.

    A first Ctrl-C ends the feeding: what is in flight still comes back, then the interrupt goes on. A second one leaves
    at once.
    """
    most = max(1, int(backend.concurrency * pace.ahead))
    running: dict[Future[list[Generation]], Work] = {}

    def cost(call: Work) -> int:
        return 1 if pace.by_calls else len(call.keys)

    def fits(call: Work) -> bool:
        return not running or sum(map(cost, running.values())) + cost(call) <= most

    pool = ThreadPoolExecutor(max_workers=most)
    try:
        while True:
            while not hold() and (call := feed.next(fits)):
                running[pool.submit(backend.generate, call.prompt, call.sampling, list(call.seeds))] = call
            if not running:
                return
            yield from _finished(running, feed)
    except KeyboardInterrupt:
        while running:
            yield from _finished(running, feed)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _finished(running: dict[Future[list[Generation]], Work], feed: Feed) -> Iterator[Result]:
    ended, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in ended:
        call = running.pop(future)
        feed.came_back(call)
        yield call, future
