"""Checks JSON and TOML values: numbers (true and false are not numbers), and the keys of a table."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from isobudget.files.hints import unknown_key

#: the largest number that is accepted; a larger integer cannot be converted to a float
_LARGEST = sys.float_info.max

#: tests whether a value is valid, and says in words what it must be
Check = tuple[Callable[[object], bool], str]


def is_number(value: object, least: float = -math.inf) -> bool:
    """Whether a value is a finite number of at least `least`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value and abs(value) <= _LARGEST


def is_whole(value: object, least: float = 0, most: float = math.inf) -> bool:
    """Whether a value is an integer within these limits; 2.0 is not an integer."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_day(value: object) -> bool:
    if isinstance(value, date):  # TOML's own, with or without a time
        return True
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value[:10]))
    except ValueError:
        return False


#: the usual checks
TEXT: Check = (lambda value: isinstance(value, str), "a string")
FLAG: Check = (lambda value: isinstance(value, bool), "true or false")
COUNT: Check = (lambda value: is_whole(value, 1), "a whole number of at least 1")
AMOUNT: Check = (lambda value: is_number(value, 0), "a number of 0 or more")
DAY: Check = (lambda value: _is_day(value), "a date such as 2025-01-31")
ANYTHING: Check = (lambda _: True, "anything")


def mistakes_of(
    table: Mapping[str, object], known: Mapping[str, Check], where: str, needed: Iterable[str] = ()
) -> list[str]:
    """The mistakes in a table, key by key: unknown keys, missing keys, wrong values. `where` is put before each key."""
    unknown = [f"{where}{key}: {unknown_key(key, known)}" for key in table if key not in known]
    missing = [f"{where}{key}: is missing" for key in needed if key not in table]
    return [
        *unknown,
        *missing,
        *(
            f"{where}{key}: must be {wanted}, not {table[key]!r}"
            for key, (fits, wanted) in known.items()
            if key in table and not fits(table[key])
        ),
    ]
