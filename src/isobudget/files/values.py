"""Values as JSON and TOML have them, checked: numbers that are not true or false, and the keys of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

#: whether a value fits, and in words what it must be
Check = tuple[Callable[[object], bool], str]


def is_number(value: object, least: float = -math.inf) -> bool:
    """Whether a value is a finite number of at least so much."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value and abs(value) < math.inf


def is_whole(value: object, least: float = 0, most: float = math.inf) -> bool:
    """Whether a value is a whole number in these limits; 2.0 is none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def mistakes_of(table: Mapping[str, object], known: Mapping[str, Check], where: str) -> list[str]:
    """What is wrong with a table, key by key; `where` stands before the key. Unknown keys first, then wrong values."""
    keys = ", ".join(known)
    return [f"{where}{key}: unknown key; known keys: {keys}" for key in table if key not in known] + [
        f"{where}{key}: must be {wanted}, not {table[key]!r}"
        for key, (fits, wanted) in known.items()
        if key in table and not fits(table[key])
    ]
