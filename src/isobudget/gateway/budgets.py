"""Budgets of a key: an amount per period, such as `5usd/day`, `1e6tokens/hour`, `0.01usd/request`, or `20usd` in total.

Periods follow UTC: a day begins at midnight, a week on Monday, a month on its first day. An amount counts in the period
in which it was reserved, whenever it is settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from isobudget.costs.budget import parse_budget
from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.gateway.amounts import MOST, STEPS
from isobudget.grid import with_unit

_MICRO = 1_000_000
#: by how much rounding may miss a whole number
_ROUNDING = 1e-6


class Period(StrEnum):
    """The period of a budget."""

    REQUEST = "request"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ALL = "all"


#: the units in which a call's maximum cost can be known before the call
_UNITS = (Unit.USD, Unit.TOKENS, Unit.FLOPS, Unit.SECONDS)
_WRITTEN = "an amount above 0, in all or in a period, such as 20usd, 5usd/day, 1e6tokens/hour or 0.01usd/request"
_WRITTEN_OF_REQUEST = "an amount above 0 of one request, such as 0.01usd, 20000tokens, 1e15flops, 30s or 10min"


@dataclass(frozen=True, slots=True)
class PeriodBudget:
    """A budget for a period.

    Attributes:
        unit: unit of the amount.
        limit: the amount in steps of the unit (`amounts`), above 0.
        period: the period.
    """

    unit: Unit
    limit: int
    period: Period

    def __str__(self) -> str:
        """The budget for display: `$5 a day`."""
        amount = with_unit(self.limit / STEPS[self.unit], self.unit)
        each = "an" if self.period is Period.HOUR else "a"
        return f"{amount} in all" if self.period is Period.ALL else f"{amount} {each} {self.period}"

    def begin(self, now_us: int) -> int:
        """When the period that contains `now_us` began, in microseconds since 1970; 0 for `ALL` and `REQUEST`."""
        if self.period in (Period.ALL, Period.REQUEST):
            return 0
        return int(_begin(self.period, now_us).timestamp()) * _MICRO

    def end(self, now_us: int) -> int | None:
        """When the next period begins, in microseconds since 1970; None for a budget in total or for one request."""
        if self.period in (Period.ALL, Period.REQUEST):
            return None
        begin = _begin(self.period, now_us)
        if self.period is Period.MONTH:
            after = (begin + timedelta(days=32)).replace(day=1)
        else:
            after = begin + _LENGTHS[self.period]
        return int(after.timestamp()) * _MICRO


_LENGTHS = {
    Period.MINUTE: timedelta(minutes=1),
    Period.HOUR: timedelta(hours=1),
    Period.DAY: timedelta(days=1),
    Period.WEEK: timedelta(weeks=1),
}


def _begin(period: Period, now_us: int) -> datetime:
    moment = datetime.fromtimestamp(now_us // _MICRO, UTC).replace(second=0)
    if period is Period.MINUTE:
        return moment
    moment = moment.replace(minute=0)
    if period is Period.HOUR:
        return moment
    moment = moment.replace(hour=0)
    if period is Period.WEEK:
        return moment - timedelta(days=moment.weekday())
    return moment.replace(day=1) if period is Period.MONTH else moment


def parse_period_budget(text: str, default: Period = Period.ALL) -> PeriodBudget:
    """Parse a budget.

    Args:
        text: such as `5usd/day`, or `20usd` without a period.
        default: the period if none is stated.

    Raises:
        InputError: the text is not a budget; the message shows the format.
    """
    amount, slash, period = text.partition("/")
    written = _WRITTEN_OF_REQUEST if default is Period.REQUEST else _WRITTEN
    try:
        found = Period(period.strip().lower()) if slash else default
    except ValueError:
        raise InputError(f"{text!r}: the period of a budget is one of {', '.join(Period)}; write {written}") from None
    budget = parse_budget(amount, written)
    if budget.samples or budget.unit is None:
        raise InputError(
            f"{text!r}: the budget of a key or request needs a unit, one of {', '.join(_UNITS)}; write {written}"
        )
    if budget.unit not in _UNITS:
        raise InputError(
            f"{text!r}: the {budget.unit} of a call are not known before the call, so a budget cannot be in "
            f"{budget.unit}; write {written}"
        )
    limit = int(min(budget.amount * STEPS[budget.unit], 2.0 * MOST) + _ROUNDING)
    if limit > MOST:
        most = with_unit(MOST / STEPS[budget.unit], budget.unit)
        raise InputError(f"{text!r} is more than a ledger can count ({most}); write {written}")
    if not limit:
        raise InputError(f"{text!r} is less than the smallest amount that a ledger can count; write {written}")
    return PeriodBudget(budget.unit, limit, found)


def parse_period_budgets(texts: Iterable[str]) -> tuple[PeriodBudget, ...]:
    """Parse several budgets; duplicates count once."""
    return tuple(dict.fromkeys(map(parse_period_budget, texts)))
