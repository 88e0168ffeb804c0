"""What a task has spent and may still spend: counted in every known unit, limited in the budget's unit.

    spent + in flight + maximum of the next sample <= budget

A sample in flight counts with its maximum cost, that of the prompt and of `max_tokens`, until the sample is settled by
its own token counts. A sample that is given up stays counted with its maximum cost, because its real cost is unknown.
So a budget of tokens, usd, flops or samples is never exceeded, as long as models keep to their token limits. Wall time
is limited in `clock`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from isobudget.backends.base import Generation
from isobudget.costs.budget import Budget
from isobudget.costs.cost import Unit
from isobudget.costs.flops import completion_flops, prompt_flops
from isobudget.costs.prices import TokenPrice
from isobudget.errors import InputError
from isobudget.models.architecture import Architecture
from isobudget.tasks.options import WRITTEN

#: the key under which samples are counted, beside the units
SAMPLES = "samples"
#: a year, the longest that a task may take
MOST_SECONDS = 365 * 86_400
_MILLION = 1e6
#: a budget meant for an exact number of samples may miss it by rounding
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ArmPrice:
    """What samples of one model cost.

    Attributes:
        name: name of the arm.
        prompt_tokens: maximum number of prompt tokens.
        max_tokens: maximum number of completion tokens.
        architecture: the model's architecture, from which flops are computed; None if not known.
        price: price per token; None if not known.
        shares_prompt: whether the engine computes the prompt once for all samples.
    """

    name: str
    prompt_tokens: int
    max_tokens: int
    architecture: Architecture | None = None
    price: TokenPrice | None = None
    shares_prompt: bool = False

    def amounts(self, prompt: int, context: int, completion: int) -> dict[str, float]:
        """The cost of a sample by unit; NaN where it is not known.

        Args:
            prompt: prompt tokens that are paid for.
            context: prompt tokens before the completion.
            completion: tokens of the completion.
        """
        flops = usd = math.nan
        if self.architecture is not None:
            flops = float(prompt_flops(self.architecture, prompt)) if prompt else 0.0
            flops += float(completion_flops(self.architecture, max(context, 1), completion))
        if self.price is not None:
            rates = self.price.usd_per_million_input, self.price.usd_per_million_output
            usd = (prompt * rates[0] + completion * rates[1]) / _MILLION
        return {SAMPLES: 1.0, Unit.TOKENS: float(prompt + completion), Unit.FLOPS: flops, Unit.USD: usd}

    def most(self, prompt_paid: bool) -> dict[str, float]:
        """The maximum cost of a sample."""
        return self.amounts(0 if prompt_paid else self.prompt_tokens, self.prompt_tokens, self.max_tokens)


@dataclass(frozen=True, slots=True)
class TaskReservation:
    """Amounts set aside for one sample in flight."""

    arm: str
    amounts: Mapping[str, float]
    pays_prompt: bool
    own_prompt: bool = False


@dataclass(slots=True)
class TaskLedger:
    """The account of one task.

    Attributes:
        unit: unit of the budget; None if only time or nothing limits the task.
        limit: the budget in that unit.
        arms: prices by name.
        spent: settled amounts by unit; the sum of a unit is NaN as soon as one amount is not known.
        notes: notes for the user, for instance that a model used more tokens than its limits allow.
    """

    unit: str | None
    limit: float
    arms: Mapping[str, ArmPrice]
    spent: dict[str, float] = field(
        default_factory=lambda: {SAMPLES: 0.0, Unit.TOKENS: 0.0, Unit.FLOPS: 0.0, Unit.USD: 0.0}
    )
    notes: list[str] = field(default_factory=list)
    _flying: list[TaskReservation] = field(default_factory=list)
    _paid: set[str] = field(default_factory=set)
    _prompts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, budget: Budget, arms: Mapping[str, ArmPrice]) -> TaskLedger:
        """The account for a budget.

        Raises:
            InputError: the budget cannot be limited, see `bounded_unit`, or a model's cost in the budget's unit is not
                known.
        """
        unit = bounded_unit(budget)
        for arm in arms.values():
            if unit is not None and math.isnan(arm.most(prompt_paid=False)[unit]):
                raise InputError(unknown_cost(arm.name, unit))
        return cls(unit, budget.amount if unit is not None else math.inf, arms)

    @property
    def in_flight(self) -> float:
        """The amount set aside, in the budget's unit."""
        return 0.0 if self.unit is None else math.fsum(one.amounts[self.unit] for one in self._flying)

    @property
    def left(self) -> float:
        """The amount neither spent nor set aside, in the budget's unit."""
        return math.inf if self.unit is None else self.limit - self.spent[self.unit] - self.in_flight

    def reserve(self, arm: str, own_prompt: int | None = None) -> TaskReservation | None:
        """Set aside the maximum cost of a sample; None if the budget does not cover it.

        Args:
            arm: name of the arm.
            own_prompt: maximum tokens of a prompt that only this sample uses, such as that of a repair.
        """
        own = own_prompt is not None
        amounts, pays = self._most(arm, own_prompt)
        if self.unit is not None and amounts[self.unit] > self.left + self.limit * _ROUNDING:
            return None
        reservation = TaskReservation(arm, amounts, pays, own)
        self._flying.append(reservation)
        if not own:
            self._paid.add(arm)
        return reservation

    def next_amount(self, arm: str) -> float:
        """The maximum cost of the next sample, in the budget's unit."""
        return 0.0 if self.unit is None else self._most(arm)[0][self.unit]

    def _most(self, arm: str, own_prompt: int | None = None) -> tuple[dict[str, float], bool]:
        """The maximum cost of a sample, and whether the sample pays for its prompt; see `reserve`."""
        price = self.arms[arm]
        pays = own_prompt is not None or not (price.shares_prompt and arm in self._paid)
        known = self._prompts.get(arm) if own_prompt is None else own_prompt
        return price.most(not pays) if known is None else price.amounts(known * pays, known, price.max_tokens), pays

    def settle(self, reservation: TaskReservation, generation: Generation) -> dict[str, float]:
        """Count a sample's real cost. Returns the cost by unit."""
        price = self.arms[reservation.arm]
        prompt = generation.prompt_tokens if reservation.pays_prompt else 0
        if generation.billed_prompt_tokens is not None and not price.shares_prompt:
            prompt = generation.billed_prompt_tokens
        if not reservation.own_prompt:
            self._prompts[reservation.arm] = max(generation.prompt_tokens, self._prompts.get(reservation.arm, 0))
        amounts = price.amounts(prompt, generation.prompt_tokens, generation.completion_tokens)
        if self.unit is not None and amounts[self.unit] > reservation.amounts[self.unit] * (1 + _ROUNDING):
            note = f"{reservation.arm} used more tokens than its limits allow, so the budget may be exceeded"
            if note not in self.notes:
                self.notes.append(note)
        self._close(reservation, amounts)
        return amounts

    def give_up(self, reservation: TaskReservation) -> None:
        """Give up a sample that never came back: it stays counted with its maximum."""
        self._close(reservation, reservation.amounts)

    def release(self, reservation: TaskReservation) -> None:
        """Release a sample that was never started: nothing is counted."""
        self._flying.remove(reservation)

    def _close(self, reservation: TaskReservation, amounts: Mapping[str, float]) -> None:
        self._flying.remove(reservation)
        for unit, amount in amounts.items():
            self.spent[unit] += amount


def bounded_unit(budget: Budget) -> str | None:
    """The unit that the ledger limits; None for seconds, which the clock limits.

    Raises:
        InputError: the budget has no unit or a unit that cannot be limited, such as joules; or it counts samples
            of one model, or is longer than a year.
    """
    if budget.samples:
        if budget.model is not None:
            raise InputError("a budget of solve counts samples of any model; write it as 20samples")
        return SAMPLES
    if budget.unit is None:
        raise InputError(f"a budget of solve needs a unit: {WRITTEN}")
    if budget.unit is Unit.JOULES:
        raise InputError(
            "joules are known only after a sample; give solve a budget of time, usd, flops, tokens or samples instead"
        )
    if budget.unit not in (Unit.SECONDS, Unit.TOKENS, Unit.FLOPS, Unit.USD):
        raise InputError(f"solve has no budget in {budget.unit}; write it as {WRITTEN}")
    if budget.unit is not Unit.SECONDS:
        return str(budget.unit)
    if budget.amount > MOST_SECONDS:
        raise InputError(f"a budget of solve is at most a year ({MOST_SECONDS:,}s), not {budget.amount:g}s")
    return None


def unknown_cost(arm: str, unit: str) -> str:
    """The message which says that a model's cost in a unit is not known, and what to do."""
    remedy = {
        Unit.USD: "state its price in the models file (price = { input = ..., output = ... })",
        Unit.FLOPS: "state its architecture in the models file",
    }
    return f"{arm}: the cost of a sample in {unit} is not known; {remedy.get(Unit(unit), 'choose another unit')}"
