"""Options that a command takes several times: one text, or a sequence."""

from __future__ import annotations

from collections.abc import Sequence

Names = str | Sequence[str]


def as_names(value: Names) -> tuple[str, ...]:
    """The texts, of one or of several."""
    return (value,) if isinstance(value, str) else tuple(value)
