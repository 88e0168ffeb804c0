"""Plays a schedule live: given the results so far, it returns the next draw or the reason to stop.

Replay on recorded samples, `solve` and the gateway use the same object, so that a plan runs exactly as it was measured.

    stepper = Stepper(schedule, budget=60.0, prices={"7b": 2.0, "70b": 30.0})
    while isinstance(move := stepper.next(), Draw):
        passed, spent = ...                # generate move.count samples with move.arm, and test them
        stepper.record(passed, spent)
    print(move)                            # Halt.PASSED, Halt.FINISHED or Halt.BUDGET
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from isobudget.errors import InputError
from isobudget.policies.schedule import Schedule, Stop


class Halt(StrEnum):
    """Why a schedule ended."""

    PASSED = "a sample passed"
    FINISHED = "all draws of the schedule are made"
    BUDGET = "the budget does not pay for the next draw"


@dataclass(frozen=True, slots=True)
class Draw:
    """The next move: draw this many samples of an arm, and test them before the move after it."""

    arm: str
    count: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """A schedule played on one problem.

    It says whether a sample passed, how many samples each arm drew, what they cost, and why the schedule stopped.
    """

    passed: bool
    drawn: Mapping[str, int]
    spent: float
    halt: Halt


class Stepper:
    """Plays one schedule on one problem.

    Args:
        schedule: the schedule to play. It must not be a mixture: choose one of its two schedules first
            (`Schedule.chosen`).
        budget: the most to spend on this problem, in any one unit; by default only the schedule limits spending.
        prices: expected cost of one sample by arm, to decide whether a draw still fits into the budget. An arm without
            a price fits as long as any budget is left.

    Raises:
        InputError: the schedule is a mixture, or the budget is not above 0.
    """

    def __init__(self, schedule: Schedule, budget: float = math.inf, prices: Mapping[str, float] | None = None) -> None:
        if schedule.last_share < 1:
            raise InputError("this schedule is a mixture of two; play schedule.chosen(random()) for each problem")
        if not budget > 0:
            raise InputError(f"a budget must be above 0, not {budget!r}")
        self.schedule, self.budget = schedule, budget
        self.prices = dict(prices or {})
        self.spent, self.passed = 0.0, False
        self.drawn = dict.fromkeys(schedule.arms, 0)
        self._moves = _moves(schedule)
        self._asked: Draw | None = None
        self._waiting: Draw | None = None

    def next(self) -> Draw | Halt:
        """The next draw, or why there is none. Returns the same draw until `record` has its results."""
        if self.passed and self.schedule.stop is Stop.FIRST_PASS:
            return Halt.PASSED
        if self._asked is None:
            self._waiting = self._waiting or next(self._moves, None)
            if self._waiting is None:
                return Halt.PASSED if self.passed else Halt.FINISHED
            count = int(min(self._waiting.count, self._affordable(self._waiting.arm)))
            if count < 1:
                return Halt.BUDGET
            self._asked = Draw(self._waiting.arm, count)
        return self._asked

    def record(self, passed: Sequence[bool], spent: float = 0.0) -> None:
        """Record the results of the draw that `next` returned.

        Args:
            passed: one verdict per sample: as many as the draw has, or fewer if some samples are missing.
            spent: total cost of the samples, in the unit of the budget.

        Raises:
            InputError: no draw is waiting for results, there are more verdicts than the draw has samples, or the cost
                is negative.
        """
        if self._asked is None:
            raise InputError("nothing was asked for: call next() first")
        if len(passed) > self._asked.count or not spent >= 0:
            raise InputError(
                f"{len(passed)} verdicts and a cost of {spent!r} do not match what was asked for: {self._asked}"
            )
        self.drawn[self._asked.arm] += len(passed)
        self.spent += spent
        self.passed = self.passed or any(passed)
        self._asked = self._waiting = None

    def _affordable(self, arm: str) -> float:
        price = self.prices.get(arm, 0.0)
        left = self.budget * (1 + 1e-9) - self.spent
        if left <= 0:
            return 0
        return math.inf if price <= 0 or math.isinf(left) else math.floor(left / price)


def replay(
    schedule: Schedule,
    passed: Mapping[str, Sequence[bool]],
    amounts: Mapping[str, Sequence[float]] | None = None,
    *,
    budget: float = math.inf,
    prices: Mapping[str, float] | None = None,
) -> Replayed:
    """Play a schedule on the recorded samples of one problem, in their order.

    Args:
        schedule: the schedule to play; it must not be a mixture.
        passed: verdicts of the samples, by arm.
        amounts: costs of the samples, by arm; 1 each by default.
        budget, prices: as in `Stepper`.

    Raises:
        InputError: the schedule draws more samples of an arm than were recorded.
    """
    stepper = Stepper(schedule, budget, prices)
    while isinstance(move := stepper.next(), Draw):
        start = stepper.drawn[move.arm]
        verdicts = list(passed.get(move.arm, ())[start : start + move.count])
        if len(verdicts) < move.count:
            raise InputError(f"the schedule draws more samples of {move.arm} than the {start + len(verdicts)} recorded")
        costs = [1.0] * move.count if amounts is None else amounts[move.arm][start : start + move.count]
        stepper.record(verdicts, math.fsum(costs))
    return Replayed(stepper.passed, dict(stepper.drawn), stepper.spent, move)


def _moves(schedule: Schedule) -> Iterator[Draw]:
    """The draws in order: whole steps if no draw has to wait for an earlier verdict, otherwise one by one."""
    if schedule.batched or schedule.stop is Stop.NEVER:
        yield from (Draw(arm, count) for arm, count in schedule.steps)
    else:
        yield from (Draw(arm, 1) for arm in schedule.single_draws())
