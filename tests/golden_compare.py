"""Compares a recorded output with today's, after the changes on purpose that `golden/json_changes.toml` states."""

from __future__ import annotations

import html
import math
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from golden_outputs import END, GOLDEN, MASKED, Case, regex

#: of numbers that were scaled, or recorded with other versions: the last digits of a sum or a logarithm may differ
ROUNDING = 1e-12
#: recorded on another processor: sums of replicates are in 32 bits, and added up in another order there
ROUNDING_32_BITS = 1e-6
_CHANGES = tomllib.loads((GOLDEN / "json_changes.toml").read_text("utf-8"))
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")
_SAID = re.compile(r"(?<!\w)'([^']{1,60})'|\"([^\"]{1,60})\"|`([^`]{1,60})`|([\w./-]+\.(?:jsonl|json|toml|gguf))\b")


def changes_of(case: Case, stated: dict[str, Any] = _CHANGES) -> dict[str, list[Any]]:
    """What has been changed on purpose, for a case alone, then for its command."""
    tables = [stated.get(case.title, {}), stated.get(case.command.split()[0], {})]
    return {key: [one for table in tables for one in table.get(key, ())] for key in _KEYS}


_KEYS = ("renamed", "added", "removed", "dropped", "corrected")


def differences(
    old: dict[str, Any], new: dict[str, Any], changes: dict[str, list[Any]], rounding: float
) -> Iterator[str]:
    """What differs, one line each; nothing if all is as it was.

    Args:
        old: as recorded.
        new: as today.
        changes: see `changes_of`.
        rounding: by how much of itself a number may differ; 0 if those that were not scaled must be the same to the
            last digit.
    """
    if old["exit"] != new["exit"]:
        yield f"exit code: {old['exit']} has become {new['exit']}: {new.get('error', '')}"
    for kind in ("documents", "texts"):
        if set(old[kind]) != set(new[kind]):
            yield f"{kind}: {sorted(old[kind])} have become {sorted(new[kind])}"
    for name in set(old["documents"]) & set(new["documents"]):
        yield from _documents(old["documents"][name], new["documents"][name], changes, rounding)
    for name in set(old["texts"]) & set(new["texts"]) - {one.get("text") for one in changes["corrected"]}:
        yield from _texts(name, old["texts"][name], new["texts"][name], rounding)
    yield from _messages(old.get("error", ""), new.get("error", ""), changes["dropped"])


def leaves(value: Any, at: str = "") -> dict[str, Any]:
    """Every value of a document that holds no other, by its path; empty lists and tables count."""
    if not isinstance(value, dict | list) or not value:
        return {at: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {path: leaf for key, inner in items for path, leaf in leaves(inner, f"{at}{key}{END}").items()}


def _documents(old: Any, new: Any, changes: dict[str, list[Any]], rounding: float) -> Iterator[str]:
    today, removed = leaves(new), [regex(one["path"]) for one in changes["removed"]]
    corrected = [regex(one["path"]) for one in changes["corrected"] if "path" in one]
    for path, value in leaves(old).items():
        place, factor = _moved(path, changes["renamed"])
        if place in today:
            found = today.pop(place)
            if not _equal(value, found, factor, rounding) and not any(one.match(place) for one in corrected):
                yield f"{_shown(place)}: {value!r} has become {found!r}" + (f", times {factor}" if factor != 1 else "")
        elif not any(one.match(path) for one in removed):
            yield f"{_shown(place)}: {value!r} is no longer there"
    added = [regex(pattern) for pattern in changes["added"]]
    for path, value in today.items():  # what is masked may be there or not, such as a note on how long something took
        if value != MASKED and not any(one.match(path) for one in added):
            yield f"{_shown(path)}: new"


def _moved(path: str, renamed: list[dict[str, Any]]) -> tuple[str, float]:
    """The place today of what was at a path, and the factor that it was scaled by."""
    for one in renamed:
        if found := regex(one["old"]).match(path):
            stars = iter(found.groups())
            parts = [next(stars) if part in ("*", "**") else part + END for part in one["new"].split(".")]
            return "".join(parts) + path[found.end() :], one.get("factor", 1)
    return path, 1


def _equal(old: Any, new: Any, factor: float, rounding: float) -> bool:
    if isinstance(old, str) and isinstance(new, str) and " " in old:
        return _NUMBER.findall(old) == _NUMBER.findall(new)
    if not _is_number(old) or not _is_number(new):
        return type(old) is type(new) and bool(old == new)
    if not rounding and factor == 1:
        return bool(old == new)
    return math.isclose(old * factor, new, rel_tol=max(rounding, ROUNDING), abs_tol=rounding)


def rounding_of(made_with: dict[str, str], today: dict[str, str]) -> float:
    """By how much numbers may differ from those recorded with other versions or on another processor."""
    if made_with == today:
        return 0.0
    return ROUNDING if made_with["blas"] == today["blas"] else ROUNDING_32_BITS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(name: str, old: str, new: str, rounding: float) -> Iterator[str]:
    if name.endswith(".html"):  # the number of a character that is written by its number is none of the page's
        old, new = html.unescape(old), html.unescape(new)
    before, after = _NUMBER.findall(old), _NUMBER.findall(new)
    pairs = zip(before, after, strict=False)
    at = next((place for place, (a, b) in enumerate(pairs) if not _alike(a, b, rounding)), min(len(before), len(after)))
    if at < max(len(before), len(after)):
        yield f"{name}: number {at} differs: {before[at : at + 5]} have become {after[at : at + 5]}"


def _alike(old: str, new: str, rounding: float) -> bool:
    """Whether two numbers of a text are the same, or several with commas between them, as a table of them has."""
    if old == new or not rounding:
        return old == new
    parts = [text.split(",") for text in (old, new)]
    return len(parts[0]) == len(parts[1]) and all(
        math.isclose(float(a), float(b), rel_tol=rounding) for a, b in zip(*parts, strict=True)
    )


def _messages(old: str, new: str, dropped: list[str]) -> Iterator[str]:
    plain = _plain(new)
    for named in {next(filter(None, one), "") for one in _SAID.findall(_plain(old))}:
        if named not in plain and named not in dropped:
            yield f"the message no longer says {named!r}: {plain}"
    lines = [set(re.findall(r"\bline (\d+)", _plain(text))) for text in (old, new)]
    if lines[0] != lines[1]:
        yield f"the message is about lines {lines[1]}, no longer {lines[0]}: {plain}"


def _plain(text: str) -> str:
    return " ".join(re.sub("[─│╭╮╰╯]", " ", text).split())


def _shown(path: str) -> str:
    return path.rstrip(END).replace(END, ".")
