"""Messages for fields that pydantic finds wrong, in the same words as the checks of `values`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EMPTY = "must not be empty"
_TYPES = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a finite number",
    "bool": "must be true or false",
    "string": "must be a string",
    "list": "must be a list",
    "dict": "must be a table",
    "model": "must be a table",
}


def field_message(error: Mapping[str, Any]) -> str:
    """What is wrong with a field, without its name and value.

    Args:
        error: one of a `ValidationError`'s `errors()`.
    """
    kind, limits = error["type"], error.get("ctx", {})
    match kind:
        case "greater_than_equal":
            return f"must be at least {_plain(limits['ge'])}"
        case "less_than_equal":
            return f"must be at most {_plain(limits['le'])}"
        case "greater_than":
            return f"must be above {_plain(limits['gt'])}"
        case "less_than":
            return f"must be below {_plain(limits['lt'])}"
        case "literal_error":
            return f"must be {limits['expected']}"
        case "too_short" | "string_too_short" if limits["min_length"] == 1:
            return EMPTY
    name, _, check = kind.partition("_")
    if name in _TYPES and (check in ("type", "parsing", "from_float", "number")):
        return _TYPES[name]
    return str(error["msg"]).removeprefix("Value error, ")


def _plain(limit: float) -> str:
    """A limit as people write it: 1,000 and not 1000.0, even for a field that may hold fractions."""
    return f"{int(limit) if limit == int(limit) else limit:,}"
