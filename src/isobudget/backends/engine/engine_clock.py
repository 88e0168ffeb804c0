"""Shares an engine's time among the samples that it works on at the same time.

Continuous batching works on many samples together, so no sample has a time of its own. What can be measured is how long
the engine was busy. If every step of the engine can be seen (`StepClock`), the time since the last step is shared among
the samples that got tokens in this step, in proportion to these tokens. A step without tokens (part of a long prompt)
is charged with the next one. Otherwise (`EngineClock`) each moment is shared among the groups of samples in flight, in
proportion to their sizes, and within a group in proportion to each sample's tokens. The shares add up to the engine's
busy time exactly. If the engine's steps can be seen, a prompt's computation is charged separately, and steps with room
for more samples are distinguished from full ones, so that a sample's share does not depend on how many others there
were.

Energy is shared in the same way if the machine has a meter.

Not covered: the latency of one sample, which is longer than its share.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Charge:
    """The amounts charged to a sample or group so far.

    Attributes:
        seconds, joules: engine time and energy; joules are NaN if not measured.
        idle_seconds: the part of `seconds` in which the engine had room for more samples.
        idle_tokens: the tokens generated while the engine had room for more samples.
    """

    seconds: float = 0.0
    joules: float = 0.0
    idle_seconds: float = 0.0
    idle_tokens: int = 0


@dataclass(slots=True, eq=False)
class Ticket(Charge):
    """The amounts charged so far to a group of `size` samples in flight."""

    size: int = 0


class StepClock:
    """Charges the steps of one engine; used only by the thread that runs it.

    Args:
        now: returns the time in seconds.
        meter: returns the joules used so far; None if not measured.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter, meter: Callable[[], float] | None = None) -> None:
        self._now = now
        self._meter = meter or (lambda: math.nan)
        self.idle()

    def idle(self) -> None:
        """Charge the time until now to no sample, because the engine was idle."""
        self._last, self._last_joules = self._now(), self._meter()

    def charge(self, charges: Sequence[Charge], weights: Sequence[int], idle: bool = False) -> None:
        """Share the time since the last charge in proportion to `weights`, such as the tokens of a step.

        `idle` means that the engine had room for more samples meanwhile.
        """
        total = sum(weights)
        if not total:
            return
        seconds, joules = self._last, self._last_joules
        self.idle()
        for charge, weight in zip(charges, weights, strict=True):
            share = (self._last - seconds) * weight / total
            charge.seconds += share
            if idle:
                charge.idle_seconds += share
                charge.idle_tokens += weight
            charge.joules += (self._last_joules - joules) * weight / total


class EngineClock(StepClock):
    """Charges busy time and energy to the groups in flight. Safe to use from several threads."""

    def __init__(self, now: Callable[[], float] = time.perf_counter, meter: Callable[[], float] | None = None) -> None:
        super().__init__(now, meter)
        self._lock = threading.Lock()
        self._in_flight: list[Ticket] = []

    def start(self, size: int) -> Ticket:
        """Note that a group of `size` samples enters the engine."""
        ticket = Ticket(size=size)
        with self._lock:
            self._charge_all()
            self._in_flight.append(ticket)
        return ticket

    def stop(self, ticket: Ticket) -> None:
        """Note that the group leaves the engine. The ticket then holds the group's share of busy time and energy."""
        with self._lock:
            self._charge_all()
            self._in_flight.remove(ticket)

    def _charge_all(self) -> None:
        if not self._in_flight:
            self.idle()
        self.charge(self._in_flight, [ticket.size for ticket in self._in_flight])


def share_by_tokens(amount: float, tokens: Sequence[int]) -> list[float]:
    """Split a group's seconds or joules among its samples in proportion to their tokens (evenly if there are none)."""
    total = sum(tokens)
    if total == 0:
        return [amount / len(tokens)] * len(tokens)
    return [amount * count / total for count in tokens]
