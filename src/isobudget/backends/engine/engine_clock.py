"""Sharing an engine's time among the samples that it works on at once.

Continuous batching works on many samples together, so no sample has a time of its own. What can be measured is how long
the engine was busy. Where every step of it is seen (`StepClock`), the time since the last step is shared among the
samples that got tokens by this one, in proportion to these tokens; a step that gave no tokens (part of a long prompt)
is paid with the next. Elsewhere (`EngineClock`) each moment is shared among the groups of samples then in flight, in
proportion to their sizes; within a group, in proportion to the tokens of each sample. The shares add up to the engine's
busy time exactly. A prompt's computation is charged apart where the engine's steps are seen, and steps with room for
more samples are told from full ones, so that a sample's share does not depend on how many others there were.

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
class Charge:
    """What a sample or group was charged so far.

    Attributes:
        seconds, joules: of the engine; joules are NaN where nothing tells.
        idle_seconds, idle_tokens: the part of them, and its tokens, while the engine had room for more samples.
    """

    seconds: float = 0.0
    joules: float = 0.0
    idle_seconds: float = 0.0
    idle_tokens: int = 0


@dataclass(slots=True, eq=False)
class Ticket(Charge):
    """What a group of samples in flight, `size` of them, was charged so far."""

    size: int = 0


class StepClock:
    """Charges the steps of one engine; used by the one thread that drives it.

    Args:
        now: seconds.
        meter: joules used so far; None where nothing tells.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter, meter: Callable[[], float] | None = None) -> None:
        self._now = now
        self._meter = meter or (lambda: math.nan)
        self.idle()

    def idle(self) -> None:
        """What has passed until now is nobody's: the engine had nothing to do."""
        self._last, self._last_joules = self._now(), self._meter()

    def charge(self, charges: Sequence[Charge], weights: Sequence[int], idle: bool = False) -> None:
        """Share what has passed since the last time in proportion to `weights`, such as the tokens that a step gave.

        `idle` says that the engine had room for more samples meanwhile.
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
        """A group of `size` samples enters the engine."""
        ticket = Ticket(size=size)
        with self._lock:
            self._charge_all()
            self._in_flight.append(ticket)
        return ticket

    def stop(self, ticket: Ticket) -> None:
        """The group leaves the engine; its ticket now holds its share of the busy time and energy."""
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
