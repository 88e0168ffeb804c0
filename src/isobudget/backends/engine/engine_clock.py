"""Sharing an engine's time among the samples that it works on at once.

Continuous batching works on many samples together, so no sample has a time of its own. What can be measured is how long
the engine was busy. Each moment of that is shared among the groups of samples then in flight, in proportion to their
sizes; within a group, in proportion to the tokens of each sample. The shares add up to the engine's busy time exactly,
so ``k x mean seconds`` is what k samples take at this batch size on this machine.

Energy is shared in the same way where the machine has a meter.

Not covered: the latency of one sample, which is longer than its share.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Ticket:
    """A group of samples in flight: its size, and the engine seconds and joules it has been charged so far.

    Joules are NaN where there is no meter.
    """

    size: int
    seconds: float = 0.0
    joules: float = 0.0


class EngineClock:
    """Charges busy wall time and energy to the groups in flight. Safe to use from several threads.

    Args:
        now: seconds.
        meter: joules used so far; None where nothing tells.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter, meter: Callable[[], float] | None = None) -> None:
        self._now = now
        self._meter = meter or (lambda: math.nan)
        self._lock = threading.Lock()
        self._in_flight: list[Ticket] = []
        self._last = now()
        self._last_joules = self._meter()

    def start(self, size: int) -> Ticket:
        """A group of `size` samples enters the engine."""
        with self._lock:
            self._charge()
            ticket = Ticket(size)
            self._in_flight.append(ticket)
            return ticket

    def stop(self, ticket: Ticket) -> None:
        """The group leaves the engine; its ticket now holds its share of the busy time and energy."""
        with self._lock:
            self._charge()
            self._in_flight = [other for other in self._in_flight if other is not ticket]

    def _charge(self) -> None:
        now = self._now()
        joules = self._meter()
        passed, self._last = now - self._last, now
        used, self._last_joules = joules - self._last_joules, joules
        size = sum(ticket.size for ticket in self._in_flight)
        for ticket in self._in_flight:
            ticket.seconds += passed * ticket.size / size
            ticket.joules += used * ticket.size / size


def share_by_tokens(amount: float, tokens: Sequence[int]) -> list[float]:
    """Split a group's seconds or joules among its samples in proportion to their tokens (evenly if there are none)."""
    total = sum(tokens)
    if total == 0:
        return [amount / len(tokens)] * len(tokens)
    return [amount * count / total for count in tokens]
