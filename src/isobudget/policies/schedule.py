"""A policy as a value: from which arm to draw next, how often, and when to stop.

An arm is a model with a prompt format and a temperature. If tests only pass or fail, all that a policy sees before it
succeeds is that all draws so far have failed. So its next draw depends only on the number of draws, and every policy is
a fixed order of draws with a rule for stopping (docs/policies.md). A `Schedule` is that order. `make` makes schedules,
`evaluate` computes their success and cost, and `stepper` plays them live.
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
        steps: pairs (arm, count), in order; an arm may occur again.
        stop: at the first sample that passes, or never, as in the paper.
        batched: whether the samples of a step start together, so that all of them are paid for. Otherwise a pass also
            ends the step.
        last_share: share of the problems for which the last step is made. Below 1, the schedule is a mixture of two
            neighbouring ones, which meets a budget exactly on average.

    Raises:
        InputError: there is no step, a count is not a positive whole number, the share is not in (0, 1], or a mixture
            has only one step.
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
                raise InputError(f"the arm of a step must be a name, not {arm!r}")
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise InputError(f"the count of a step must be a whole number of 1 or more, not {count!r} (arm {arm})")
        if not 0 < self.last_share <= 1:
            raise InputError(f"the share of the last step must be above 0 and at most 1, not {self.last_share!r}")
        if self.last_share < 1 and len(self.steps) < 2 and not isinstance(self, ForSome):
            raise InputError(
                "a mixture needs at least two steps: only the last one is made for a share of the problems"
            )

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of the arms, each once, in the order of their first draw."""
        return tuple(dict.fromkeys(arm for arm, _ in self.steps))

    @property
    def draws(self) -> int:
        """The largest number of samples of one problem."""
        return sum(count for _, count in self.steps)

    def counts(self) -> dict[str, int]:
        """The largest number of samples of one problem, by arm."""
        totals = dict.fromkeys(self.arms, 0)
        for arm, count in self.steps:
            totals[arm] += count
        return totals

    def shorter(self) -> Schedule:
        """The schedule without its last step. Raises `InputError` if it has only one."""
        return replace(self, steps=self.steps[:-1], last_share=1.0)

    def chosen(self, chance: float) -> Schedule:
        """Choose which of a mixture's two schedules to play for a problem.

        Args:
            chance: a random number in [0, 1), a new one for each problem.
        """
        if self.last_share == 1:
            return self
        return replace(self, last_share=1.0) if chance < self.last_share else self.shorter()

    def played(self, chance: float) -> Schedule | None:
        """Like `chosen`, but None if nothing is drawn for the problem (`ForSome`)."""
        return None if len(self.steps) == 1 and chance >= self.last_share else self.chosen(chance)

    def merged(self) -> Schedule:
        """The schedule with neighbouring steps of one arm merged, if that does not change what is drawn."""
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
        """The steps as text, such as ``8b x 5, 70b x 1, 8b x 12``."""
        shown = [f"{arm} x {count}" for arm, count in self.merged().steps]
        if self.last_share < 1:
            shown[-1] += f" (for {self.last_share:.0%} of the problems)"
        return ", ".join(shown)


@dataclass(frozen=True, slots=True)
class ForSome(Schedule):
    """A schedule of one step, made for `last_share` of the problems; for the other problems nothing is drawn.

    If labels or cases share one budget, the rest of the budget may pay for the first step of a label on some problems
    only. `played` decides on which problems.
    """
