"""Finds the line numbers of keys in a TOML text for messages, because TOML readers do not return them.

The line of a key is the first one such that the text up to it, with open arrays closed, parses and contains the key. It
is found by bisection. A value over several lines that cannot be closed in this way, such as a long string, counts at
its first line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

#: a place in a document: keys and positions in arrays
Place = tuple[str | int, ...]

#: what closes arrays that are open at the end of a line, and inline tables around them
_CLOSING = ("", "]", "]]", "]]]", "]}", "]}]", "]]}")


def line_of(text: str, place: Place) -> int | None:
    """The line, from 1, of a place in a valid TOML text: a key, a header or an array item.

    If the text does not have the place, the line of the nearest table or array around it; None if there is none.
    """
    rows = text.split("\n")
    while place and not _has(_read(rows, len(rows))[1], place):
        place = place[:-1]
    low, high = 1, len(rows)
    while low < high:
        middle = (low + high) // 2
        end, document = _read(rows, middle)
        low, high = (low, middle) if _has(document, place) else (end + 1, high)
    return low if place else None


def _read(rows: Sequence[str], count: int) -> tuple[int, Any]:
    """The document in the first `count` rows, or in as many more as it takes to parse, and the number of rows."""
    for end in range(count, len(rows) + 1):
        for closing in _CLOSING:
            try:
                return end, tomllib.loads("\n".join([*rows[:end], closing]))
            except tomllib.TOMLDecodeError:
                continue
    return len(rows), {}


def _has(value: Any, place: Place) -> bool:
    for part in place:
        if not isinstance(value, dict | list):
            return False
        try:
            value = value[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return False
    return True
