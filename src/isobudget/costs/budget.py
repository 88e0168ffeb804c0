"""Budgets as people write them: an amount of a unit, or a number of samples of a model.

8x, 8 samples         eight samples of the cheapest model, their shared prompt counted once
8x:codellama-70b      eight samples of that model
60s, 0.02usd, $0.02   an amount of that unit; 5e13flops and 13.5Tflops, 20000tokens, 300J; 10min and 2h are seconds
4e13                  an amount of a unit that is stated elsewhere, as by --unit

Amounts are displayed with at most three digits (`grid.with_unit`). A displayed cost of a sample, typed as a budget, may
therefore be slightly too small for that sample. So in comparisons and plans, a budget with no more than three digits
stands for the largest cost with the same display (`as_shown`). A budget that limits live spending is taken exactly as
typed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError
from isobudget.files.hints import meant
from isobudget.grid import with_unit

_TEXT = re.compile(
    r"(?P<dollar>\$?)\s*(?P<number>[-+]?(?:\d{1,3}(?:,\d{3})+|\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(?P<rest>.*)",
    re.IGNORECASE,
)
#: text that may mean one amount with commas between its thousands, or several amounts
_THOUSANDS = re.compile(r"\s*(?:\$\s*\d{1,3}(?:,\d{3})+\s*|\d{1,3}(?:,\d{3})+\s*[a-wyz](?![-+\d])[^,]*)", re.IGNORECASE)
_SAMPLES = re.compile(r"(?:x|samples?)(?::(?P<model>.+))?", re.IGNORECASE)
_SHORT = {"s": "seconds", "sec": "seconds", "second": "seconds", "token": "tokens", "flop": "flops", "j": "joules"} | (
    dict.fromkeys(("device s", "device seconds"), "device_seconds")
)
#: longer times, in seconds
_TIMES = dict.fromkeys(("min", "minute", "minutes"), 60.0) | dict.fromkeys(("h", "hour", "hours"), 3600.0)
#: rounding to three digits changes an amount by a factor of at most 1.005; the first has room for calculation errors
_NEAR, _UP = 1.006, 1.005
#: larger amounts, and larger numbers of samples, are refused as mistakes
MOST_AMOUNT = 1e30
_WRITTEN = (
    "8x (samples of the cheapest model), 8x:NAME (of that model), or an amount above 0 such as 60s, 10min, 2h, "
    "0.02usd, 5e13flops or 20000tokens"
)
_PREFIXES = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18}


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as it was written.

    Attributes:
        amount: amount of the unit, or number of samples; above 0.
        unit: unit of the amount; None for samples, and if only a number was written.
        samples: whether the amount counts samples.
        model: the model whose samples are counted; None for the cheapest.
    """

    amount: float
    unit: Unit | None = None
    samples: bool = False
    model: str | None = None

    def times(self, sample: float, unit: Unit | None = None, prices: Mapping[str, SampleCost] | None = None) -> float:
        """The budget as an amount. A number of samples is multiplied by the price of a sample.

        Args:
            sample: the price of a sample of the cheapest model, used if the budget names no model.
            unit: the unit of the result. A budget in any other unit is refused.
            prices: the price of a sample of each model, used if the budget names a model.

        Raises:
            InputError: the budget is in another unit, names a model that is not in `prices`, or is too large a number.
        """
        if self.unit not in (None, unit):
            other = f"--unit {unit}" if unit else "this unit"
            raise InputError(f"a budget in {self.unit} cannot be combined with {other}")
        if self.model is not None:
            if prices is None:
                raise InputError(
                    f"a budget cannot be counted in samples of one model ({self.model!r}) where no model's price is "
                    "given; write an amount such as 60s, or samples of the cheapest model such as 4x"
                )
            sample = prices[self._one_of(prices)].cost(1)
        return self._finite(self.amount * sample if self.samples else self.amount)

    def _one_of(self, prices: Mapping[str, SampleCost]) -> str:
        models = meant(str(self.model), prices)
        if len(models) != 1:
            raise InputError(
                f"a budget counts samples of {self.model!r}, which must match exactly one model; models: "
                f"{', '.join(prices)}"
            )
        return models[0]

    def _finite(self, amount: float) -> float:
        if not math.isfinite(amount):
            raise InputError(f"a budget of {self.amount:g} samples is more than can be counted")
        return amount

    def of(self, unit: Unit, prices: Mapping[str, SampleCost], costs: ArrayLike = ()) -> float:
        """The budget in a unit.

        Args:
            unit: the unit to count in.
            prices: what a sample of each model costs in that unit, by the model's name.
            costs: the amounts that the tables show, see `as_shown`.

        Raises:
            InputError: the budget is in another unit, or counts samples of a model that is not in `prices`.
        """
        if not self.samples:
            if self.unit not in (None, unit):
                raise InputError(f"a budget in {self.unit} cannot be combined with --unit {unit}")
            return as_shown(self.amount, unit, costs)
        if self.model is None:
            return self._finite(min(price.cost(self.amount) for price in prices.values()))
        return self._finite(prices[self._one_of(prices)].cost(self.amount))


def parse_budget(text: str, written: str = _WRITTEN) -> Budget:
    """Read a budget.

    Args:
        text: the budget as written.
        written: how a budget may be written, for the error message.

    Raises:
        InputError: the text is not a budget (the message shows how one is written), or is above `MOST_AMOUNT`.
    """
    match = _TEXT.fullmatch(text.strip())
    amount = float(match["number"].replace(",", "")) if match else 0.0
    if match is None or not (math.isfinite(amount) and amount > 0):
        raise _mistake(text, written)
    rest = match["rest"].strip()
    counted = _SAMPLES.fullmatch(rest)
    if match["dollar"]:
        if rest:
            raise _mistake(text, written)
        return _bounded(Budget(amount, Unit.USD))
    if counted:
        if rest[0] in "sS" and not amount.is_integer():
            raise InputError(
                f"{text!r} is not a budget: samples must be a whole number, such as {math.ceil(amount)}samples"
            )
        return _bounded(Budget(amount, samples=True, model=counted["model"]))
    if not rest:
        return _bounded(Budget(amount))
    scale, unit = _unit(rest.lower())
    if unit is None:
        raise _mistake(text, written)
    return _bounded(Budget(amount * scale, unit))


def parse_budgets(
    budgets: str | float | Sequence[str | float] | None,
    cheapest: float,
    unit: Unit | None = None,
    prices: Mapping[str, SampleCost] | None = None,
) -> list[float] | None:
    """Read budgets as amounts of the unit; None gives None.

    `1e12,4e12` are amounts. `1x,4x` are multiples of `cheapest`, the price of the cheapest model's sample. `4x:NAME` is
    a multiple of that model's price, from `prices`. Numbers and sequences are accepted, too.

    Raises:
        InputError: a part is not a budget, is in another unit, or names a model that has no price.
    """
    return None if budgets is None else [parse_budget(part).times(cheapest, unit, prices) for part in _parts(budgets)]


@dataclass(frozen=True, slots=True)
class Written:
    """The budgets of a comparison as they were written, see `parse_budgets`.

    If `budgets` is None, the comparison chooses its budgets.
    """

    budgets: str | float | Sequence[str | float] | None
    unit: Unit

    def among(
        self, cheapest: float, costs: ArrayLike, prices: Mapping[str, SampleCost] | None = None
    ) -> tuple[list[float] | None, list[str]]:
        """The budgets as amounts, after `as_shown`, and a note if a budget stands for another amount than written.

        Args:
            cheapest: what a sample of the cheapest model costs.
            costs: what every number of samples of every model costs.
            prices: what a sample of each model costs, by the model's name.
        """
        typed = parse_budgets(self.budgets, cheapest, self.unit, prices)
        taken = None if typed is None else [as_shown(amount, self.unit, costs) for amount in typed]
        return taken, shown_note(typed or (), taken or (), self.unit)


def as_shown(budget: float, unit: Unit, costs: ArrayLike) -> float:
    """The budget, or the largest cost above it that is displayed with the same digits.

    A budget with more digits than are displayed is taken exactly.
    """
    known = np.asarray(costs, dtype=np.float64)
    near = known[(known > budget) & (known <= budget * _NEAR)]
    text = with_unit(budget, unit)
    if not len(near) or not math.isclose(parse_budget(text).amount, budget, rel_tol=1e-12):
        return budget
    return max((cost for cost in near.tolist() if with_unit(cost, unit) == text), default=budget)


def shown_note(typed: Iterable[float], taken: Iterable[float], unit: Unit) -> list[str]:
    """A note for the case that a budget stands for a cost that is displayed with the same digits."""
    written = {with_unit(amount, unit): amount for amount in typed}
    moved = sorted({amount for amount in taken if written.get(with_unit(amount, unit), amount) < amount})
    exact = ", ".join(f"{with_unit(amount, unit)} is {amount:.6g} {unit}" for amount in moved)
    return [f"A budget typed as a table's rounded cost stands for the exact cost: {exact}."] if moved else []


def enough(amount: float, unit: Unit) -> str:
    """An amount as displayed, rounded up, so that the displayed amount as a budget covers the exact one."""
    text = with_unit(amount, unit)
    return text if parse_budget(text).amount >= amount * (1 - 1e-9) else with_unit(amount * _UP, unit)


def stated_units(budgets: str | float | Sequence[str | float] | None) -> list[Unit]:
    """The units named in budgets such as `6s`, without duplicates.

    Plain numbers, numbers of samples and None name no unit.

    Raises:
        InputError: a part is not a budget.
    """
    read = [parse_budget(part) for part in ([] if budgets is None else _parts(budgets))]
    return list(dict.fromkeys(one.unit for one in read if one.unit is not None))


def _parts(budgets: str | float | Sequence[str | float]) -> list[str]:
    listed = [str(one) for one in ([budgets] if isinstance(budgets, str | int | float) else budgets)]
    for text in listed:
        if _THOUSANDS.fullmatch(text):
            one, several = text.replace(",", ""), " and ".join(part.strip() for part in text.split(","))
            raise InputError(
                f"{text!r} may be one budget, {one}, or several, {several}; leave out the commas, or the unit"
            )
    return [part for one in listed for part in one.split(",")]


def _bounded(budget: Budget) -> Budget:
    if budget.amount > MOST_AMOUNT:
        what = f"{budget.amount:g} {'samples' if budget.samples else budget.unit or ''}".strip()
        raise InputError(f"a budget of {what} is more than can be counted; the most is {MOST_AMOUNT:g}")
    return budget


def _unit(name: str) -> tuple[float, Unit | None]:
    """The factor of a unit's prefix, and the unit; None if the name is not known."""
    if name in _TIMES:
        return _TIMES[name], Unit.SECONDS
    for scale, rest in ((1.0, name), (_PREFIXES.get(name[0], 0.0), name[1:])):
        plain = _SHORT.get(rest, rest)
        if scale and plain in list(Unit) and (scale == 1 or plain in (Unit.FLOPS, Unit.JOULES, Unit.TOKENS)):
            return scale, Unit(plain)
    return 1.0, None


def _mistake(text: str, written: str) -> InputError:
    return InputError(f"{text!r} is not a budget; write {written}")
