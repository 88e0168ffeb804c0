"""A queue of work from many threads for the one thread that runs an engine.

The engine's thread takes the waiting items that it wants; closing the inbox wakes the thread and returns the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Taken = TypeVar("Taken")


class Inbox(Generic[Item]):
    """A list of waiting items, safe to use from several threads."""

    def __init__(self) -> None:
        self._waiting: list[Item] = []
        self._changed = threading.Condition()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it was closed, so that nothing can be added any more."""
        return self._closed

    def put(self, item: Item) -> bool:
        """Append an item; False if the inbox is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(item)
            self._changed.notify_all()
            return True

    def wait(self, linger_seconds: float = 0.0) -> bool:
        """Wait for an item, then until no more has arrived for `linger_seconds`; False once the inbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            count = len(self._waiting)
            while not self._closed and linger_seconds and self._changed.wait(linger_seconds):
                if len(self._waiting) == count:
                    break
                count = len(self._waiting)
            return not self._closed

    def take(self, choose: Callable[[list[Item]], Taken]) -> Taken:
        """The result of `choose`, which is called with the list of waiting items and removes those that it takes."""
        with self._changed:
            return choose(self._waiting)

    def take_all(self) -> list[Item]:
        """All waiting items."""
        with self._changed:
            taken, self._waiting = self._waiting, []
            return taken

    def close(self) -> list[Item]:
        """Accept no more items, wake the waiting thread, and return the remaining items."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return self.take_all()
