"""Ctrl-C where it does no harm: while what is in flight is waited for, and not between two steps of keeping books.

An interrupt may come at any instruction: between a call that is begun and the note of it, or while a result is written
down. What had been paid for would be lost there.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")


class Interrupts:
    """Interrupts that wait until they are let in; one that comes while another waits is not held back.

    Only what raises in the main thread is meant: the handlers of SIGINT and SIGTERM, as far as Python has some.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._waiting: int | None = None
        self._open = False

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Meanwhile they are let in by `let_in` alone; one that still waits at the end is raised then."""
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
        """The result of waiting, which an interrupt may end."""
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


class Landed:
    """Futures that have ended, waited for in a way that an interrupt cannot break.

    Waiting for a future itself, by `result` or `concurrent.futures.wait`, locks it. An interrupt in the middle of that
    leaves it locked, and the thread that is to set its result waits for ever. A queue's `get` is a single step.
    """

    def __init__(self) -> None:
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each; futures would keep their results

    def watch(self, future: Future[Any]) -> None:
        """Have `wait` return once this one has ended."""
        future.add_done_callback(lambda _: self._ended.put(None))

    def wait(self) -> None:
        """Until one has ended since `forget`; it may be one that was seen already."""
        self._ended.get()

    def forget(self) -> None:
        """What has ended so far is not waited for; to be called before one looks which have."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._ended.get_nowait()
