"""The gateway's ledger and keys as tables, with the amounts in all units in one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isobudget.grid import Grid, short, with_unit

_UNITS = ("usd", "flops", "seconds", "joules", "tokens")


def ledger_grid(rows: Sequence[Mapping[str, Any]], request: str | None = None) -> Grid:
    """The amounts spent, by day, key and model; or by call, for one request."""
    columns = ("day", "key", "model", "calls") if request is None else ("call", "time", "key", "model", "note")
    title = "Spent, by day, key and model" if request is None else f"Calls of {request}"
    cells = tuple((*(_cell(name, row[name]) for name in columns), spent(row)) for row in rows)
    flying = sum(row["in_flight"] for row in rows)
    notes = (f"calls in flight: {flying}; each is counted at the most that it may cost",) * bool(flying)
    words = tuple(columns.index(name) for name in ("key", "model", "note") if name in columns)
    return Grid(title, (*columns, "spent"), cells, notes=notes, words=(*words, len(columns)))


def keys_grid(rows: Sequence[Mapping[str, Any]]) -> Grid:
    """The gateway's keys with their budgets."""
    columns = tuple(rows[0])
    cells = tuple(tuple(_cell(name, value) for name, value in row.items()) for row in rows)
    return Grid("Keys", columns, cells, words=tuple(range(len(columns))))


def spent(amounts: Mapping[str, float | None]) -> str:
    """Amounts in several units as one text, without unknown ones: `$0.0012, 1.2 Tflops, 3.4 s, 410 tokens`."""
    known = {unit: value for unit in _UNITS if (value := amounts.get(unit)) is not None}
    texts = (f"{short(value)} {unit}" if unit == "tokens" else with_unit(value, unit) for unit, value in known.items())
    return ", ".join(texts) or "-"


def _cell(name: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None or value == "" else value[11:19] if name == "time" else str(value)
