"""Where the keys of a TOML text stand: line numbers for messages, which TOML readers do not give.

The text is read from its start to the end of each line in turn, by the reader itself, with arrays that are open there
closed: what a line adds stands on it. A value of several lines that cannot be closed so, such as a long string, stands
where it begins. Reading again and again is slow for long texts, and only done to show a mistake.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

#: a place in a document: keys and positions in arrays
Place = tuple[str | int, ...]

#: what closes arrays that are open at the end of a line, and inline tables around them
_CLOSING = ("", "]", "]]", "]]]", "]}", "]}]", "]]}")


def key_lines(text: str) -> dict[Place, int]:
    """The line, from 1, of every key, table header and array item of a valid TOML text."""
    lines: dict[Place, int] = {}
    rows, first = text.split("\n"), 1
    for number in range(1, len(rows) + 1):
        document = _read("\n".join(rows[:number]))
        if document is not None:
            for place in _places(document):
                lines.setdefault(place, first)
            first = number + 1
    return lines


def line_of(lines: dict[Place, int], place: Place) -> int | None:
    """The line of the nearest place that the text has: the key itself, else the table that it belongs to."""
    nearest = (lines.get(place[:length]) for length in range(len(place), 0, -1))
    return next((line for line in nearest if line is not None), None)


def _read(begin: str) -> dict[str, Any] | None:
    """What the begin of a text says; None if it ends within a value that cannot be closed."""
    for closing in _CLOSING:
        try:
            return tomllib.loads(f"{begin}\n{closing}")
        except tomllib.TOMLDecodeError:
            continue
    return None


def _places(value: Any, at: Place = ()) -> Iterator[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from _places(inner, (*at, key))
