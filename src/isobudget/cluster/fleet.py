"""Interfaces for the dispatcher: a fleet, which starts workers and reports on them, and a handle of one worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: a reference to an answer that may not have arrived yet
Ref = Any


class WorkerLostError(Exception):
    """A worker ended before it answered, or the answer was lost."""


class Handle(Protocol):
    """One worker. Each request returns a reference to its answer at once."""

    def hello(self) -> Ref:
        """Ask the worker to report when it is ready."""
        ...

    def submit(self, items: Sequence[Any]) -> Ref:
        """Give the worker a batch; answered with a result for each item."""
        ...

    def pulse(self) -> Ref:
        """Ask the worker for its `Pulse`. The worker answers even while it is busy."""
        ...

    def stop(self) -> None:
        """Let the worker start no more items. Running items are still answered."""
        ...

    def end(self) -> None:
        """End the worker at once."""
        ...


class Fleet(Protocol):
    """Starts workers and reports on them."""

    def start(self) -> Handle:
        """Request a new worker on any machine; it starts as soon as there is room."""
        ...

    def size(self) -> int:
        """How many workers there should be now."""
        ...

    def wait(self, refs: Sequence[Ref], seconds: float) -> list[Ref]:
        """The references that are answered or lost, after at most this many seconds."""
        ...

    def value(self, ref: Ref) -> Any:
        """The answer behind a reference.

        Raises:
            WorkerLostError: the worker ended before it answered.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pulse:
    """A worker's progress.

    Attributes:
        done: number of items finished so far.
        busy_seconds: time in which the worker had work.
        seconds: time since the worker was ready.
    """

    done: int = 0
    busy_seconds: float = 0.0
    seconds: float = 0.0
