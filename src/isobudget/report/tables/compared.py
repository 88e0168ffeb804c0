"""Two models compared, as a table, rows, JSON, and the verdict in a sentence."""

from __future__ import annotations

import math
from typing import Any

from isobudget.analysis.compare_two import Compared, Side
from isobudget.grid import Grid, counted, headed, interval, json_value, percent, picked, with_unit


def compared_grid(one: Compared) -> Grid:
    """Success and costs of both sides, then difference, p-value and what could be found."""
    units = [unit for unit in one.one.costs if unit in one.other.costs]
    rows = tuple(
        (
            side.label,
            percent(side.success),
            interval(side.low, side.high),
            *(with_unit(side.costs[unit], unit) for unit in units),
        )
        for side in (one.one, one.other)
    )
    title = headed(one.benchmark, counted(one.problems, "problem"))
    columns = ("Model@samples", "solves, %", "interval", *(f"cost, {unit}" for unit in units))
    notes = (difference_text(one), *one.notes)
    beside = Grid(title, ("", *(row[0] for row in rows)), tuple(zip(columns, *rows, strict=True))[1:], notes=notes)
    return Grid(title, columns, rows, notes=notes, narrow=beside)


def difference_text(one: Compared) -> str:
    """The paired difference in points, with interval and p-value, and the smallest one that could be told."""
    ends = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
    least = one.power.detectable
    found = f"a true difference of {100 * least:.1f} points would be found 4 times in 5"
    if least >= 1:
        found = f"{counted(one.problems, 'problem')} cannot tell any difference from chance 4 times in 5"
    return f"Difference {100 * one.difference:+.1f} points ({ends}), p = {one.p_value:.2g}; {found}."


def verdict(one: Compared) -> str:
    """Which of the two does better, and what it costs."""
    better, worse = (one.one, one.other) if one.difference > 0 else (one.other, one.one)
    price = _price(better, worse)
    if not one.clear:
        return f"No clear difference between {one.one.label} and {one.other.label} on these problems{price}."
    return f"{better.label} solves {100 * abs(one.difference):.1f} points more than {worse.label}{price}."


def _price(better: Side, worse: Side) -> str:
    said = []
    for unit, cost in better.costs.items():
        other = worse.costs.get(unit, math.nan)
        if other > 0 and cost > 0:
            said.append(f"{cost / other:.2g} times its {unit}")
    return f"; {better.label} costs {', '.join(said)}" if said else ""


def compared_json(one: Compared) -> dict[str, Any]:
    """For JSON: success in [0, 1], costs by unit, what is undefined null."""
    sides = {
        name: picked(getattr(one, name), "label", "k", "success", "low", "high", "costs") for name in ("one", "other")
    }
    numbers = picked(one, "benchmark", "problems", "difference", "low", "high", "p_value", "notes")
    power = picked(one.power, "error", "detectable", "problems", "samples")
    plain: dict[str, Any] = json_value(numbers | sides | {"power": power, "clear": one.clear, "sentence": verdict(one)})
    return plain


def compared_record(one: Compared) -> dict[str, Any]:
    """A flat row."""
    row: dict[str, Any] = {"benchmark": one.benchmark, "problems": one.problems}
    for name, side in (("one", one.one), ("other", one.other)):
        row |= {name: side.label, f"{name}_success": side.success}
        row |= {f"{name}_{unit}": cost for unit, cost in side.costs.items()}
    return row | picked(one, "difference", "low", "high", "p_value")
