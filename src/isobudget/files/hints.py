"""Spelling hints: the known names that an unknown one may mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

#: number of keys above which a message names only the one that may be meant
_LONG_LIST = 12
_PARTS = re.compile(r"[-_/ :()\[\]]+")


def nearest(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The most similar known names, most similar first; case is ignored.

    Known names that are much longer or shorter than `name` are left out, unless the longer begins with the shorter.
    """
    short = name.casefold()
    spelled = {one.casefold(): one for one in known}
    spelled = {text: one for text, one in spelled.items() if _alike_in_length(short, text)}
    return [spelled[one] for one in get_close_matches(short, spelled, most, cutoff)]


def _alike_in_length(one: str, other: str) -> bool:
    return (
        3 * min(len(one), len(other)) >= 2 * max(len(one), len(other)) or one.startswith(other) or other.startswith(one)
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence with a space before it, `` Did you mean 'mbpp'?``, or nothing if no known name is near."""
    return "".join(f" Did you mean {one!r}?" for one in nearest(name, known))


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message about an unknown key of a table: the key that may be meant, and all known keys.

    A long list of keys is left out if one of them may be meant.
    """
    names = [str(one) for one in known]  # units are an enumeration
    hint = did_you_mean(key, names)
    if hint and len(names) > _LONG_LIST:
        return f"unknown key.{hint}"
    return f"unknown key{_known(hint, 'keys', names)}"


def unknown(kind: str, name: object, known: Iterable[str], kinds: str = "") -> str:
    """The message about an unknown name, such as that of a unit: the name that may be meant, and all known names.

    Args:
        kind: what the name is of, such as ``unit``.
        name: the unknown name.
        known: the known names.
        kinds: the plural of `kind`, if it is not formed with s.
    """
    names = [str(one) for one in known]
    return f"unknown {kind} {name!r:.80}{_known(did_you_mean(str(name), names), kinds or f'{kind}s', names)}"


def _known(hint: str, kinds: str, names: Iterable[str]) -> str:
    return f"{f'.{hint} Known' if hint else '; known'} {kinds}: {', '.join(names)}"


def is_part(name: str, model: str) -> bool:
    """Whether a short name is part of a model's name, ignoring case: `7b` in `codellama-7b`."""
    return name.lower() in _PARTS.split(model.lower())


def meant(name: str, known: Iterable[str]) -> list[str]:
    """The known names that a name may mean: the name itself if it is known, else the names of which it is a part."""
    names = list(known)
    return [name] if name in names else [one for one in names if is_part(name, one)]
