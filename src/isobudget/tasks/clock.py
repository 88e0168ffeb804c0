"""Wall time of a task: from the first draw on, judging included; loading models is kept apart."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Counts seconds against a limit.

    Attributes:
        limit: the most seconds; infinite where something else bounds the task.
        loading_seconds: spent on loading models, which does not count.
    """

    limit: float = math.inf
    loading_seconds: float = 0.0
    _began: float = math.nan
    _ended: float = math.nan

    def start(self) -> None:
        """The first draw begins; later calls change nothing."""
        if math.isnan(self._began):
            self._began = time.monotonic()

    def stop(self) -> None:
        """The task is over; from now on `seconds` stays."""
        if math.isnan(self._ended):
            self._ended = time.monotonic()

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Time that does not count; nothing may be in flight meanwhile."""
        began = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - began
            self.loading_seconds += took
            if not math.isnan(self._began):
                self._began += took

    @property
    def seconds(self) -> float:
        """Seconds that count so far."""
        if math.isnan(self._began):
            return 0.0
        return (time.monotonic() if math.isnan(self._ended) else self._ended) - self._began

    @property
    def deadline(self) -> float:
        """On the monotonic clock; infinite without a limit or before the start."""
        return math.inf if math.isnan(self._began) else self._began + self.limit

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return self.limit - self.seconds
