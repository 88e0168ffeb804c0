"""Sharing an engine's time when every step of it is seen: each step is paid by the samples that it advanced.

An engine that works on many samples together goes on in steps. The time since the last step is shared among the samples
that got tokens by this one, in proportion to these tokens. A step that gave no tokens (part of a long prompt) is paid
with the next. The shares add up to the engine's busy time, so ``k x mean seconds`` is what k samples take at this batch
size on this machine. Energy is shared in the same way where the machine has a meter.

Not covered: the latency of one sample, which is longer than its share.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Charge:
    """What one sample has been charged so far. Joules are NaN where there is no meter."""

    seconds: float = 0.0
    joules: float = 0.0


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
        """What has passed since the last step is nobody's: the engine had nothing to do."""
        self._last, self._last_joules = self._now(), self._meter()

    def charge(self, charges: Sequence[Charge], tokens: Sequence[int]) -> None:
        """A step ended that advanced these samples by so many tokens."""
        total = sum(tokens)
        if not total:
            return
        now, joules = self._now(), self._meter()
        for charge, count in zip(charges, tokens, strict=True):
            charge.seconds += (now - self._last) * count / total
            charge.joules += (joules - self._last_joules) * count / total
        self._last, self._last_joules = now, joules
