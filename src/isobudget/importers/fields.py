"""Fields of a line of JSON, checked. What is wrong is a `ValueError` that names the field; the reader adds the line."""

from __future__ import annotations

from typing import Any

MOST_SAMPLES = 2**31 - 1


def name(record: dict[str, Any], field: str, required: bool = True) -> str:
    """A text that can be printed, or a number as its text; empty where it may be missing and is."""
    value = record.get(field)
    if value is None and not required:
        return ""
    if value is None:
        raise ValueError(f"field `{field}` is missing")
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise ValueError(f"field `{field}` must be a text or a number, got {shown(value)}")
    if not str(value).isprintable():
        raise ValueError(f"field `{field}` holds characters that cannot be printed: {shown(value)}")
    return str(value)


def whole(value: object, field: str) -> int:
    """A whole number from 0 to `MOST_SAMPLES`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SAMPLES:
        raise ValueError(f"field `{field}` must be a whole number, 0 or more, got {shown(value)}")
    return value


def shown(value: object) -> str:
    """The value for a message, cut if it is long."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
