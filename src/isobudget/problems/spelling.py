"""Finds task ids by other spellings: ``Mbpp/11``, ``mbpp/11``, ``MBPP_11`` and ``11`` mean the same problem."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

_PARTS = re.compile(r"(?P<name>.*?)[\W_]?0*(?P<number>\d{1,9})", re.DOTALL)


class Spelling:
    """The task ids of one benchmark, found by other spellings too.

    A spelling matches a task id that ends with the same number and has the same name before it; on either side, the
    name may be missing. It must match a single task id.

    Args:
        task_ids: as the benchmark has them.
    """

    def __init__(self, task_ids: Iterable[str]) -> None:
        self._ids = frozenset(task_ids)

    def of(self, task_id: str) -> str | None:
        """The task id in the benchmark's spelling; None if it matches no problem, or several."""
        if task_id in self._ids:
            return task_id
        name, number = _parts(task_id)
        known = () if number is None else self._by_number.get(number, ())
        fitting = [one for own, one in known if name in ("", own) or not own]
        return fitting[0] if len(fitting) == 1 else None

    @cached_property
    def _by_number(self) -> dict[str | None, list[tuple[str, str]]]:
        by_number: dict[str | None, list[tuple[str, str]]] = {}
        for task_id in self._ids:
            name, number = _parts(task_id)
            by_number.setdefault(number, []).append((name, task_id))
        return by_number


def _parts(task_id: str) -> tuple[str, str | None]:
    """The letters before the number at the end, in lower case, and the number; None without one."""
    match = _PARTS.fullmatch(task_id)
    return ("".join(filter(str.isalpha, match["name"])).lower(), match["number"]) if match else ("", None)
