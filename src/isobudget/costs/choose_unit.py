"""Chooses the unit of a comparison if none is stated. docs/costs.md has the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from isobudget.costs.budget import stated_units
from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import BY_TOKEN, CostsFile
from isobudget.costs.one_line import OneLine
from isobudget.errors import InputError, NoPriceError
from isobudget.grid import listed

#: budgets as they were written
Budgets = str | float | Sequence[str | float] | None
_Priced = TypeVar("_Priced")

#: the order of preference among units that costs state; and the unit that each key of a costs file states
_OF_COSTS = (Unit.USD, Unit.SECONDS, Unit.DEVICE_SECONDS, Unit.JOULES, Unit.TOKENS)
_STATED_BY = {
    **{key: unit for unit in Unit for key in (str(unit), f"{unit}_per_problem")},
    **dict.fromkeys(("tokens_per_second", "profile", "gpu"), Unit.SECONDS),
    **dict.fromkeys(("usd_per_gpu_hour", "price", *BY_TOKEN), Unit.USD),
    "joules_per_token": Unit.JOULES,
    "gpus": Unit.DEVICE_SECONDS,
}
#: keys of a costs file that are about flops
_OF_FLOPS = frozenset(("flops", "flops_per_problem", "architecture"))
#: units to try if the costs state none: prices, then the units that most results have recorded
RECORDED = (Unit.USD, Unit.TOKENS, Unit.SECONDS, Unit.JOULES)


def in_chosen_unit(
    unit: Unit | None,
    budgets: Budgets,
    costs: CostsFile | str | None,
    priced: Callable[[Unit], _Priced],
) -> tuple[Unit, _Priced]:
    """The unit to count in, and what is priced in it.

    Args:
        unit: the stated unit. None chooses it: the unit of the budgets, else that of command-line options, else the
            first unit in which every model has a price, in the order flops, units of a costs file, usd, tokens,
            measured units.
        budgets: as they were written.
        costs: a costs file that has been read, ``paper``, or None.
        priced: prices all models in a unit; raises `InputError` if a model has no price in that unit.

    Raises:
        InputError: a budget is not valid, a stated price is not valid, or no unit has a price for every
            model. In this last case the message says why the first unit that the costs state has none, or else why
            flops has none. If flops failed for another reason than a missing price, that reason takes precedence.
    """
    asked = stated_units(budgets)
    if unit is None and len(asked) > 1:
        raise InputError(f"a budget in {asked[1]} cannot be combined with one in {asked[0]}; use one unit")
    chosen = unit or next(iter([*asked, *_units_of_options(costs)]), None)
    if chosen is not None:
        return chosen, priced(chosen)
    stated = units_of_costs(costs)
    why: dict[Unit, InputError] = {}
    for one in dict.fromkeys((Unit.FLOPS, *stated, *RECORDED)):
        try:
            return one, priced(one)
        except InputError as error:
            if str(error) in map(str, why.values()):
                break  # it is not about this unit
            if one in stated and not isinstance(error, NoPriceError):
                raise  # a price that was stated wrongly is not passed over for another unit
            why[one] = error
    priceless = isinstance(why[Unit.FLOPS], NoPriceError)
    raise why[next((one for one in stated if one in why and priceless), Unit.FLOPS)]


def passed_over(asked: Unit | None, budgets: Budgets, chosen: Unit, costs: CostsFile | str | None) -> list[str]:
    """A note if flops were chosen although a costs file states prices in other units only."""
    stated = units_of_costs(costs)
    if asked or stated_units(budgets) or chosen is not Unit.FLOPS or not stated or not isinstance(costs, CostsFile):
        return []
    if any(not _OF_FLOPS.isdisjoint(table) for table in costs.tables()):
        return []
    others = listed([str(one) for one in stated])
    return [
        f"Counted in flops, which are known without prices. The costs file states {others}; to count in "
        f"{stated[0]}: --unit {stated[0]}."
    ]


def units_of_report(costs: CostsFile | str | None) -> tuple[Unit, ...]:
    """The default units of a report: those of options, flops and time, and those of a costs file.

    Models are compared by time in device seconds, see docs/costs.md.
    """
    return tuple(
        dict.fromkeys((*typed_units(costs), Unit.FLOPS, Unit.DEVICE_SECONDS, *_by_devices(units_of_costs(costs))))
    )


def typed_units(costs: CostsFile | str | None) -> list[Unit]:
    """The units that options state for a report. A model without a price in one of these units is an error."""
    return _by_devices(_units_of_options(costs))


def _by_devices(units: Iterable[Unit]) -> list[Unit]:
    return [Unit.DEVICE_SECONDS if unit is Unit.SECONDS else unit for unit in units]


def units_of_costs(costs: CostsFile | str | None) -> list[Unit]:
    """The units that a costs file or options state, each once."""
    return _stated(costs.tables()) if isinstance(costs, CostsFile) else []


def _units_of_options(costs: CostsFile | str | None) -> list[Unit]:
    """The units that command-line options state. A user who enters a rate wants to see its effect."""
    return _stated(costs.stated.values()) if isinstance(costs, OneLine) else []


def _stated(tables: Iterable[Mapping[str, Any]]) -> list[Unit]:
    units = {_STATED_BY[key] for values in tables for key in values if key in _STATED_BY}
    return [unit for unit in _OF_COSTS if unit in units]
