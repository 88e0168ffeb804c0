"""Tables as data, and the formatting of numbers: amounts, percentages, intervals, ratios.

This module imports nothing else of isobudget, so that every package may use it, for instance in messages. The package
`report` prints a `Grid` on a terminal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

#: removes the characters that `printable` keeps although `str.isprintable` is false for them
_KEPT = str.maketrans("", "", "\n\t\u00a0")
#: decimal prefixes, largest first
_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_UNITS = {"seconds": "s", "device_seconds": "device s", "joules": "J"}
#: types of values that JSON takes as they are, but for floats that are not finite
_PLAIN = {str, int, float, bool, type(None)}


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of finished text.

    Attributes:
        title: what the table shows.
        columns: headings; the first is left-aligned, the others right.
        rows: one text per column.
        marked: (row, column) of the cells to highlight, such as the best of a row.
        notes: lines below the table.
        legend: the meaning of the marks, one line each; shown below the notes.
        words: columns of words, such as names, whose cells may be wrapped; cells of other columns never are.
        narrow: a table to show instead if this one is too wide.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()
    notes: tuple[str, ...] = field(default=())
    legend: tuple[str, ...] = ()
    words: tuple[int, ...] = (0,)
    narrow: Grid | None = None


def with_notes(grids: Sequence[Grid], *notes: str) -> list[Grid]:
    """The grids, with the notes added below the last one; the notes hold for all of the grids."""
    return [*grids[:-1], *(replace(last, notes=(*last.notes, *notes)) for last in grids[-1:])]


def json_value(value: Any) -> Any:
    """The value in types that JSON has: arrays as lists, keys as text, NaN and infinities as None, at every depth."""
    if type(value) in _PLAIN:
        return value if type(value) is not float or math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return json_value(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def picked(value: object, *names: str) -> dict[str, Any]:
    """Some attributes of an object by name, for `json_value`; each is None if the object is None."""
    return {name: None if value is None else getattr(value, name) for name in names}


#: least width of a heading and of a column of words; blanks between two columns; blanks at both edges together
_LEAST_LETTERS, _BETWEEN, _EDGES = 10, 2, 2


def column_widths(grid: Grid, width: int) -> list[int] | None:
    """Column widths such that the table is at most `width` wide and no number is broken; None if that is not possible.

    If there is room, a column is as wide as its heading and its cells. Otherwise headings and columns of words are
    narrowed, to no less than `_LEAST_LETTERS`, and their text is wrapped.
    """
    columns = list(zip(*((len(text) for text in row) for row in (grid.columns, *grid.rows)), strict=True))
    wanted = [max(column) for column in columns]
    least = [
        min(max(column), _LEAST_LETTERS) if x in grid.words else max(min(column[0], _LEAST_LETTERS), *column[1:], 1)
        for x, column in enumerate(columns)
    ]
    room = width - _EDGES - _BETWEEN * (len(columns) - 1) - sum(least)
    if room < 0:
        return None
    while room and (short := [x for x, most in enumerate(wanted) if least[x] < most]):
        narrowest = min(short, key=lambda x: least[x])
        least[narrowest] += 1
        room -= 1
    return least


# numbers as text ------------------------------------------------------------------------------------------------------


def amount(value: float) -> str:
    """A number in three significant digits, or as a whole number from 1,000 on; `-` for NaN.

    Numbers below 0.01, except 0, and numbers from 100,000 on have a power of ten: `1.23e6`.
    """
    if math.isnan(value):
        return "-"
    if value == 0 or 0.01 <= abs(value) < 100_000:
        return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"
    return f"{value:.2e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def with_unit(value: float, unit: str) -> str:
    """An amount in a unit (a `Unit` or its name), as text: `13.5 Tflops`, `0.395 s`, `$0.0018`; `-` for NaN."""
    if math.isnan(value):
        return "-"
    if unit == "flops":
        scale, prefix = si_prefix(value, least=1e6)
        return f"{amount(value / scale)} {prefix}flops"
    if unit == "usd":
        return usd(value)
    return f"{amount(value)} {_UNITS.get(unit, unit)}"


def usd(value: float) -> str:
    """Dollars in three significant digits, or whole dollars from 100 on: `$0.0000312`, `$0.42`, `$1,235`; `-` for NaN.

    Amounts below a billionth have an exponent: `$1e-300`.
    """
    if math.isnan(value):
        return "-"
    if 0 < abs(value) < 1e-9:
        return f"${value:.3g}"
    return f"${Decimal(f'{value:.3g}'):f}" if abs(value) < 100 else f"${value:,.0f}"


def si_prefix(value: float, least: float = 1e3) -> tuple[float, str]:
    """The largest decimal prefix whose factor lies between `least` and the value: (1e12, "T"); (1, "") if none does."""
    return next(((scale, prefix) for scale, prefix in _PREFIXES if value >= scale >= least), (1.0, ""))


def short(value: float, unit: str = "") -> str:
    """A number in three digits with a decimal prefix: `12.3 M`, `1.06 GB`, `850`."""
    scale, prefix = si_prefix(value)
    return f"{amount(value / scale) if prefix else round(value)} {prefix}{unit}".strip()


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, without the percent sign: `38.8`; `-` for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.{digits}f}"


def interval(low: float, high: float, dash: str = "-") -> str:
    """An interval of a share in percent: `3.8-85.0`; empty where there is none, as for a single problem."""
    return "" if math.isnan(low) else f"{percent(low)}{dash}{percent(high)}"


def ratio(value: float, digits: str = ".3g") -> str:
    """A ratio, in three digits by default; `?` for NaN, as where the samples do not reach the end of an interval."""
    return "?" if math.isnan(value) else f"{value:{digits}}"


def times_as_much(value: float) -> str:
    """A ratio of two amounts in words, to follow "costs": `the same`, `26.8 times as much`, `12% more`, `96% less`."""
    if abs(value - 1) < 1e-9:
        return "the same"
    if not round(100 * abs(value - 1)):
        return "about the same"
    if value >= 1.995:
        return f"{ratio(value)} times as much"
    if value > 1:
        return f"{value - 1:.0%} more"
    return f"{1 - value:.0%} less" if value >= 0.01 else f"{100 * value:.2g}% as much"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    return " and ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), *words[-1:]])


def counted(number: float, thing: str) -> str:
    """A number of things: `1 sample`, `1,000 samples`, `0.5 CPUs`."""
    shown = int(number) if float(number).is_integer() else number
    return f"{shown:,} {thing}{'' if number == 1 else 's'}"


def headed(benchmark: str, text: str) -> str:
    """A caption that begins with the benchmark's name; the capitalized text alone if the benchmark has no name."""
    return f"{benchmark}: {text}" if benchmark else text[:1].upper() + text[1:]


def printable(text: str) -> str:
    """The text with U+FFFD for control characters and characters that change the direction of writing.

    Newlines, tabs and no-break spaces are kept.
    """
    if text.translate(_KEPT).isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t\u00a0" else "\ufffd" for one in text)
