"""Amounts of a ledger, as integers in small steps of each unit, so that sums are exact.

    usd 10^-9, flops 10^6, seconds 10^-6, joules 10^-3, tokens 1

Fractions of a step are rounded up, so that spending is never understated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from isobudget.costs.cost import Unit

#: steps in one of each unit
STEPS: Mapping[Unit, float] = {
    Unit.USD: 1e9,
    Unit.FLOPS: 1e-6,
    Unit.SECONDS: 1e6,
    Unit.JOULES: 1e3,
    Unit.TOKENS: 1.0,
}
#: largest amount in steps: SQLite's integers have 63 bits, and sums of rows must fit as well
MOST = 2**53
#: what rounding may add to a product that is meant to be whole
_ROUNDING = 1e-6


class Amounts(NamedTuple):
    """The actual or maximum cost of a call, in steps of each unit; None for a unit in which the cost is not known."""

    usd: int | None = None
    flops: int | None = None
    seconds: int | None = None
    joules: int | None = None
    tokens: int | None = None

    @classmethod
    def of(cls, amounts: Mapping[str, float]) -> Amounts:
        """Amounts from values by unit; NaN and missing units mean unknown."""
        return cls(*(steps(Unit(name), amounts.get(name, math.nan)) for name in cls._fields))

    def plain(self) -> dict[str, float | None]:
        """The amounts by unit, in whole units, for display."""
        return {name: None if one is None else one / STEPS[Unit(name)] for name, one in self.by_unit().items()}

    def by_unit(self) -> dict[str, int | None]:
        """The amounts by unit, in steps."""
        return self._asdict()

    def plus(self, other: Amounts) -> Amounts:
        """The sum of both amounts. It is unknown in a unit in which either of them is unknown."""
        pairs = zip(self, other, strict=True)
        return Amounts(*(None if a is None or b is None else a + b for a, b in pairs))

    def exceeds(self, other: Amounts) -> list[str]:
        """The units in which this amount is larger than the other."""
        pairs = zip(self._fields, self, other, strict=True)
        return [name for name, a, b in pairs if a is not None and b is not None and a > b]


NOTHING = Amounts(0, 0, 0, 0, 0)


def steps(unit: Unit, amount: float) -> int | None:
    """An amount in steps of its unit, rounded up, from 0 to `MOST`; None for NaN."""
    if math.isnan(amount):
        return None
    exact = amount * STEPS[unit]
    return MOST if exact >= MOST else max(0, math.ceil(exact - _ROUNDING))


def whole_units(unit: Unit, count: int) -> float:
    """Steps as an amount of the unit."""
    return count / STEPS[unit]
