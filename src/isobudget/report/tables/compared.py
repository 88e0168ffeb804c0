"""A comparison of two models as a table, rows, JSON, and a verdict in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isobudget.analysis.compare_two import Compared, Side
from isobudget.costs.cost import Unit
from isobudget.grid import (
    Grid,
    counted,
    headed,
    interval,
    json_value,
    listed,
    percent,
    picked,
    times_as_much,
    with_unit,
)
from isobudget.report.tables.labels import prompts_note, shared_part, sources_note
from isobudget.report.tables.power import detectable_text


def compared_grid(compared: Compared) -> Grid:
    """A table of both sides' success and costs; below it the difference, its p-value and the detectable difference."""
    units = _units(compared)
    rows = tuple(
        (
            side.label,
            percent(side.success),
            interval(side.low, side.high),
            *(with_unit(side.costs[unit], unit) for unit in units),
        )
        for side in (compared.one, compared.other)
    )
    title = headed(compared.benchmark, counted(compared.problems, "problem"))
    columns = ("Model@samples", "solves, %", "interval", *(f"cost, {unit}" for unit in units))
    notes = (difference_text(compared), *compared.notes, *(_cost_note(compared, unit) for unit in units))
    beside = Grid(title, ("", *(row[0] for row in rows)), tuple(zip(columns, *rows, strict=True))[1:], notes=notes)
    return Grid(title, columns, rows, notes=notes, narrow=beside)


def _units(compared: Compared) -> list[Unit]:
    """The units in which both sides have a price."""
    return [unit for unit in compared.one.costs if unit in compared.other.costs]


def _cost_note(compared: Compared, unit: Unit) -> str:
    """Where the prices of a unit come from, and how they count prompts."""
    priced = [(side.label, side.prices[unit]) for side in (compared.one, compared.other)]
    sources = sources_note((name, price.source + shared_part(price, unit)) for name, price in priced)
    return f"Cost of a sample in {unit}. {sources} {prompts_note(priced)}"


def difference_text(compared: Compared) -> str:
    """The paired difference in points, with interval and p-value, and the smallest detectable difference."""
    ends = f"{100 * compared.low:+.1f} to {100 * compared.high:+.1f}"
    detectable = detectable_text(compared.power, compared.problems, (compared.low, compared.high))
    return f"Difference {100 * compared.difference:+.1f} points ({ends}), p = {compared.p_value:.2g}; {detectable}."


def verdict(compared: Compared) -> str:
    """A sentence: which of the two does better, and what it costs compared with the other."""
    if not compared.clear:
        none = f"No clear difference between {compared.one.label} and {compared.other.label} on these problems"
        return f"{none}{_price(compared.one, compared.other, _units(compared))}."
    better, worse = (compared.one, compared.other) if compared.difference > 0 else (compared.other, compared.one)
    more = f"{better.label} solves {100 * abs(compared.difference):.1f} points more than {worse.label}"
    return f"{more}{_price(better, worse, _units(compared))}."


def _price(side: Side, other: Side, units: Sequence[Unit]) -> str:
    """A side's costs relative to the other's; units with the same ratio are named together."""
    units_by_ratio: dict[str, list[str]] = {}
    for unit in units:
        units_by_ratio.setdefault(times_as_much(side.costs[unit] / other.costs[unit]), []).append(unit)
    parts = [f"{much} in {listed(named)}" for much, named in units_by_ratio.items()]
    return f"; compared with {other.label}, {side.label} costs {listed(parts)}" if parts else ""


#: attributes of a side, and of the power, in JSON and CSV
_SIDE, _POWER = ("k", "success", "low", "high"), ("error", "detectable", "problems", "samples")


def compared_json(compared: Compared) -> dict[str, Any]:
    """The comparison as a dict for JSON: success in [0, 1], costs by unit, undefined values null."""
    sides = {
        name: picked(side, "label", *_SIDE, "costs") | _said_of(side)
        for name, side in (("one", compared.one), ("other", compared.other))
    }
    numbers = picked(compared, "benchmark", "problems", "difference", "low", "high", "p_value", "notes")
    power = picked(compared.power, *_POWER)
    plain: dict[str, Any] = json_value(
        numbers | sides | {"power": power, "clear": compared.clear, "sentence": verdict(compared)}
    )
    return plain


def _said_of(side: Side) -> dict[str, dict[Unit, str]]:
    """By unit, the source of a side's price and how the price counts prompts."""
    sources = {unit: price.source for unit, price in side.prices.items()}
    return {"sources": sources, "prompts": {unit: price.prompt_said for unit, price in side.prices.items()}}


def compared_record(compared: Compared) -> dict[str, Any]:
    """The comparison as one flat row."""
    row: dict[str, Any] = {"benchmark": compared.benchmark, "problems": compared.problems}
    for name, side in (("one", compared.one), ("other", compared.other)):
        row |= {name: side.label} | {f"{name}_{key}": value for key, value in picked(side, *_SIDE).items()}
        row |= {f"{name}_{unit}": cost for unit, cost in side.costs.items()}
        row |= {f"{name}_{unit}_source": price.source for unit, price in side.prices.items()}
    power = {f"power_{key}": value for key, value in picked(compared.power, *_POWER).items()}
    return row | picked(compared, "difference", "low", "high", "p_value", "clear") | power
