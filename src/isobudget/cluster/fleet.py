"""Protocols of the dispatcher: a fleet, which starts workers and hears from them, and a handle of one worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

#: what stands for an answer that will come
Ref = Any


class WorkerLostError(Exception):
    """The worker ended over what it had been given, or its answer is lost."""


class Handle(Protocol):
    """One worker. Each request returns a reference to its answer at once."""

    def hello(self) -> Ref:
        """Answered when it is ready."""
        ...

    def submit(self, items: Sequence[Any]) -> Ref:
        """Give it a batch; answered with a result for each item."""
        ...

    def pulse(self) -> Ref:
        """Answered with the worker's `Pulse`, even while it is busy."""
        ...

    def stop(self) -> None:
        """Have the worker begin no more items; those already begun are still answered."""
        ...

    def end(self) -> None:
        """End it at once."""
        ...


class Fleet(Protocol):
    """Starts workers and hears of them."""

    def start(self) -> Handle:
        """A new worker, wherever there is room; it comes when there is."""
        ...

    def size(self) -> int:
        """How many workers there should be now."""
        ...

    def wait(self, refs: Sequence[Ref], seconds: float) -> list[Ref]:
        """The references that are answered or lost, after this many seconds at most."""
        ...

    def value(self, ref: Ref) -> Any:
        """The answer behind a reference.

        Raises:
            WorkerLostError: the worker ended before it answered.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pulse:
    """How far a worker is.

    Attributes:
        done: items so far.
        busy_seconds: the time in which it had something to do.
        seconds: the time since it was ready.
    """

    done: int = 0
    busy_seconds: float = 0.0
    seconds: float = 0.0
