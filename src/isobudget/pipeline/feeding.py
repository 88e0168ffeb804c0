"""Keeping a backend busy: as many calls under way as it can use, and results as they come.

Not covered: what a call does, and what becomes of its result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from isobudget.backends.base import Backend, Generation
from isobudget.backends.settings import Pacing
from isobudget.pipeline.work import Work

Result = tuple[Work, Future[list[Generation]]]


class Feed:
    """Hands out calls in their order, taken as needed, and shows the next one before it is taken."""

    def __init__(self, work: Iterable[Work]) -> None:
        self._work = iter(work)
        self._first: Work | None = None

    def next(self, fits: Callable[[Work], bool]) -> Work | None:
        """The next call if there is one and it fits."""
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
            yield from _finished(running)
    except KeyboardInterrupt:
        while running:
            yield from _finished(running)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _finished(running: dict[Future[list[Generation]], Work]) -> Iterator[Result]:
    ended, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in ended:
        yield running.pop(future), future
