"""Options that a command takes several times: one text, or a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Names = str | Sequence[str]
#: run folders, files, folders of files and patterns, and (where counts are read) data frames; one or several
Sources = Any


def as_names(value: Names) -> tuple[str, ...]:
    """The texts, of one or of several."""
    return (value,) if isinstance(value, str) else tuple(value)
