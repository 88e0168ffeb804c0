"""The rankers by name. A new ranker is a class in a file of this folder, and its name here.

This module holds names alone, so that the command line can list them without loading the rankers' libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from isobudget.errors import InputError
from isobudget.files.hints import unknown

if TYPE_CHECKING:
    from isobudget.rankers.ranker import Ranker

#: each file with the names of its `RANKERS`, in the order in which they are listed
FILES: Mapping[str, tuple[str, ...]] = {
    "likelihood": ("own", "own-sum", "likelihood", "likelihood-sum", "reviewer", "reviewer-sum"),
    "verifier": ("verifier", "verifier-alone", "classifier"),
    "agreement": ("agreement", "votes"),
    "dual": ("tests",),
    "order": ("order",),
}
NAMES = tuple(name for names in FILES.values() for name in names)


def find_ranker(name: str) -> Ranker:
    """The ranker of that name.

    Raises:
        InputError: there is no such ranker; the message lists the rankers.
    """
    file = next((file for file, names in FILES.items() if name in names), None)
    if file is None:
        raise InputError(unknown("ranker", name, NAMES))
    rankers: tuple[Ranker, ...] = import_module(f"isobudget.rankers.{file}").RANKERS
    return next(one for one in rankers if one.name == name)
