"""Wall time of a task: from the first draw, with the time for judging but without that for loading models."""

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
        limit: maximum in seconds; infinite if the budget is in another unit.
        loading_seconds: seconds spent on loading models; they do not count.
    """

    limit: float = math.inf
    loading_seconds: float = 0.0
    _began: float = math.nan
    _ended: float = math.nan

    def start(self) -> None:
        """Start at the first draw; later calls have no effect."""
        if math.isnan(self._began):
            self._began = time.monotonic()

    def stop(self) -> None:
        """Stop at the end of the task; `seconds` stays constant from then on."""
        if math.isnan(self._ended):
            self._ended = time.monotonic()

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Exclude the time spent in the block. No sample may be in flight meanwhile."""
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
        """Seconds counted so far."""
        if math.isnan(self._began):
            return 0.0
        return (time.monotonic() if math.isnan(self._ended) else self._ended) - self._began

    @property
    def deadline(self) -> float:
        """The time on the monotonic clock when the limit is reached; infinite without a limit or before the start."""
        return math.inf if math.isnan(self._began) else self._began + self.limit

    @property
    def left(self) -> float:
        """Seconds left until the limit."""
        return self.limit - self.seconds
