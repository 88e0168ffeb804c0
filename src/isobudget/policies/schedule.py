"""A policy as a value: from which arm to draw next, how often, and when to stop.

An arm is a model with a prompt format and a temperature. With tests that only pass or fail, all that a policy sees
before it succeeds is "all failed so far", so that its next draw depends on nothing but how many there were: every
policy is a fixed order of draws with a rule for stopping (docs/policies.md). A `Schedule` is that order; `make` has
functions that make one, `evaluate` says what it achieves and costs, `stepper` plays it live.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from isobudget.errors import InputError


class Stop(StrEnum):
    """When drawing stops before the schedule's end."""

    FIRST_PASS = "first pass"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Schedule:
    """An order of draws.

    Attributes:
        steps: (arm, count), in order; an arm may come again.
        stop: at the first sample that passes, or never, as in the paper.
        batched: whether the samples of a step start together, so that all of them are paid for; else a pass ends the
            step as well.
        last_share: the share of problems for which the last step is made at all; below 1 the schedule is a mixture of
            two neighbouring ones, which meets a budget exactly on average.

    Raises:
        InputError: there is no step, a count is not a positive whole number, or the share does not lie in (0, 1].
    """

    steps: tuple[tuple[str, int], ...]
    stop: Stop = Stop.FIRST_PASS
    batched: bool = False
    last_share: float = 1.0

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError("a schedule needs at least one step, such as ('7b', 4)")
        for arm, count in self.steps:
            if not isinstance(arm, str) or not arm:
                raise InputError(f"the arm of a step is a name, not {arm!r}")
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise InputError(f"the count of a step is a whole number, 1 or more, not {count!r} (arm {arm})")
        if not 0 < self.last_share <= 1:
            raise InputError(f"the share of the last step lies above 0 and up to 1, not {self.last_share!r}")
        if self.last_share < 1 and len(self.steps) < 2 and not isinstance(self, ForSome):
            raise InputError(
                "a mixture needs at least two steps: only the last one is made for a share of the problems"
            )

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms, each once, in the order of their first draw."""
        return tuple(dict.fromkeys(arm for arm, _ in self.steps))

    @property
    def draws(self) -> int:
        """The most samples of one problem."""
        return sum(count for _, count in self.steps)

    def counts(self) -> dict[str, int]:
        """The most samples of each arm."""
        totals = dict.fromkeys(self.arms, 0)
        for arm, count in self.steps:
            totals[arm] += count
        return totals

    def shorter(self) -> Schedule:
        """The schedule without its last step. Raises `InputError` if it has only one."""
        return replace(self, steps=self.steps[:-1], last_share=1.0)

    def chosen(self, chance: float) -> Schedule:
        """The one of a mixture's two schedules to play for a problem.

        Args:
            chance: a random number in [0, 1), a new one for each problem.
        """
        if self.last_share == 1:
            return self
        return replace(self, last_share=1.0) if chance < self.last_share else self.shorter()

    def played(self, chance: float) -> Schedule | None:
        """Like `chosen`; None where nothing is drawn for a problem (`ForSome`)."""
        return None if len(self.steps) == 1 and chance >= self.last_share else self.chosen(chance)

    def merged(self) -> Schedule:
        """The same with neighbouring steps of one arm as one step, where that changes nothing."""
        if self.batched:
            return self
        kept = len(self.steps) - (self.last_share < 1)
        steps: list[tuple[str, int]] = []
        for arm, count in self.steps[:kept]:
            if steps and steps[-1][0] == arm:
                steps[-1] = (arm, steps[-1][1] + count)
            else:
                steps.append((arm, count))
        return replace(self, steps=(*steps, *self.steps[kept:]))

    def single_draws(self) -> Iterator[str]:
        """The arm of every draw, one by one."""
        for arm, count in self.steps:
            yield from (arm for _ in range(count))

    def __str__(self) -> str:
        """Such as ``8b x 5, 70b x 1, 8b x 12``."""
        shown = [f"{arm} x {count}" for arm, count in self.merged().steps]
        if self.last_share < 1:
            shown[-1] += f" (for {self.last_share:.0%} of the problems)"
        return ", ".join(shown)


@dataclass(frozen=True, slots=True)
class ForSome(Schedule):
    """One step for `last_share` of the problems, and nothing for the others.

    What a label or a case may have where one budget is spent over all of them: the part of it that is left may pay for
    the first step of some of its problems only. `played` says which.
    """
