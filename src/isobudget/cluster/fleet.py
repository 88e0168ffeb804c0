"""Interfaces for the dispatcher: a fleet, which starts workers and reports on them, and a handle of one worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: what stands for an answer that will come
Ref = Any


class WorkerLostError(Exception):
    """The worker ended while it had work, or its answer is lost."""


class Handle(Protocol):
    """One worker. Each request returns a reference to its answer at once."""

    def hello(self) -> Ref:
        """Answered when the worker is ready."""
        ...

    def submit(self, items: Sequence[Any]) -> Ref:
        """Give the worker a batch; answered with a result for each item."""
        ...

    def pulse(self) -> Ref:
        """Answered with the worker's `Pulse`, even while it is busy."""
        ...

    def stop(self) -> None:
        """Start no more items; running ones are still answered."""
        ...

    def end(self) -> None:
        """End the worker at once."""
        ...


class Fleet(Protocol):
    """Starts workers and reports on them."""

    def start(self) -> Handle:
        """A new worker on any machine with room; it starts when there is room."""
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
        busy_seconds: time in which it had work.
        seconds: time since it was ready.
    """

    done: int = 0
    busy_seconds: float = 0.0
    seconds: float = 0.0
