"""Spelling hints: which known names an unknown one may be meant for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_PARTS = re.compile(r"[-_/ :()\[\]]+")


def nearest(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The known names that are most alike, the nearest first; upper and lower case do not matter."""
    spelled = {one.casefold(): one for one in known}
    return [spelled[one] for one in get_close_matches(name.casefold(), spelled, most, cutoff)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with a space before it, `` Did you mean 'mbpp'?``, or nothing if no known name is near."""
    return "".join(f" Did you mean {one!r}?" for one in nearest(name, known))


def is_part(name: str, model: str) -> bool:
    """Whether a short name is a part of a model's name: `7b` of `codellama-7b`, whatever the case."""
    return name.lower() in _PARTS.split(model.lower())


def meant(name: str, known: Iterable[str]) -> list[str]:
    """The known names that a name means: itself, or else those that have it as a part."""
    names = list(known)
    return [name] if name in names else [one for one in names if is_part(name, one)]
