"""Spelling hints: the known names that an unknown one may mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_PARTS = re.compile(r"[-_/ :()\[\]]+")


def nearest(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The most similar known names, most similar first; case is ignored."""
    spelled = {one.casefold(): one for one in known}
    return [spelled[one] for one in get_close_matches(name.casefold(), spelled, most, cutoff)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with a space before it, `` Did you mean 'mbpp'?``, or nothing if no known name is near."""
    return "".join(f" Did you mean {one!r}?" for one in nearest(name, known))


def is_part(name: str, model: str) -> bool:
    """Whether a short name is part of a model's name, ignoring case: `7b` in `codellama-7b`."""
    return name.lower() in _PARTS.split(model.lower())


def meant(name: str, known: Iterable[str]) -> list[str]:
    """The known names that a name may mean: itself, or else those that contain it as a part."""
    names = list(known)
    return [name] if name in names else [one for one in names if is_part(name, one)]
