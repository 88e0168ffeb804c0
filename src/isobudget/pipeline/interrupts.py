"""Delays Ctrl-C until it does no harm: Ctrl-C takes effect while results are awaited, not while they are recorded.

An interrupt may come at any instruction: after a call is started but before the call is noted, or while a result is
recorded. Results that were paid for would then be lost.
"""

from __future__ import annotations

import contextlib
import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")
#: the longest wait in one step: the system may give a signal to any thread, and only a step's end lets Python see it
_STEP_SECONDS = 0.2


class Interrupts:
    """Delays interrupts until they are allowed. A second interrupt, while the first is delayed, takes effect at once.

    This covers Python's handlers of SIGINT and SIGTERM, which raise in the main thread.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._waiting: int | None = None
        self._open = False

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Delay interrupts in this context, except inside `let_in`; an interrupt still delayed is raised at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                self._before[number] = handler
                signal.signal(number, self._come)
        try:
            yield
        finally:
            for taken, handler in self._before.items():
                signal.signal(taken, handler)
            self._raise_waiting()

    def let_in(self, wait: Callable[[], Result]) -> Result:
        """Call `wait`, which an interrupt may end, and return its result."""
        self._open = True
        try:
            self._raise_waiting()
            return wait()
        finally:
            self._open = False

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._open or self._waiting is not None:
            self._waiting = None
            self._before[number](number, frame)
        else:
            self._waiting = number

    def _raise_waiting(self) -> None:
        number, self._waiting = self._waiting, None
        if number is not None:
            self._before[number](number, None)


def get_interruptibly(arrived: queue.SimpleQueue[Result], seconds: float) -> Result:
    """The next item of a queue; a Ctrl-C ends the wait also where another thread was given the signal.

    Raises:
        queue.Empty: none came within that many seconds.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > _STEP_SECONDS:
        with contextlib.suppress(queue.Empty):
            return arrived.get(timeout=_STEP_SECONDS)
    return arrived.get(timeout=max(0.0, left))


class Landed:
    """Waits for futures to finish, in a way that an interrupt cannot break.

    Waiting for a future by `result` or `concurrent.futures.wait` locks it. An interrupt in the middle of that leaves
    the future locked, and the thread that should set its result waits forever. A queue's `get` is a single step
    instead.
    """

    def __init__(self) -> None:
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each; futures would keep their results

    def watch(self, future: Future[Any]) -> None:
        """Let `wait` return once this future has finished."""
        future.add_done_callback(lambda _: self._ended.put(None))

    def wait(self) -> None:
        """Wait until a watched future has finished since the last `forget`, perhaps one that the caller has handled."""
        get_interruptibly(self._ended, math.inf)

    def forget(self) -> None:
        """Ignore futures that have finished so far; call this before checking which futures have finished."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._ended.get_nowait()
