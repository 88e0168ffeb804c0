"""The table of styles: the colour and marker of every model, ranker and policy, in all figures and on the page.

The colours are those of Okabe and Ito plus a grey, which colour-blind readers can tell apart. Each colour also has its
own marker. A model's style is given by the place of its name among the sorted models of the run, with numbers in
numeric order (7b before 13b), so that it looks the same in every unit and command. The page replaces each colour by one
that suits its background (see page/svg.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

from isobudget.errors import MissingExtraError

INK, RULE, PAPER = "#1b1f24", "#d9dde2", "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7d8590")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")

_PLOTTING = "Drawing figures"
_NUMBERS = re.compile(r"(\d+(?:\.\d+)?)")


class Style(NamedTuple):
    """How a line, its markers and its single outputs look."""

    colour: str
    marker: str


def style_at(place: int) -> Style:
    """The style at an index of the table, from 0; combinations repeat after 56."""
    return Style(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])


def model_style(model: str, models: Sequence[str]) -> Style:
    """The style of one of the models, independent of their order."""
    return style_at(in_order(models).index(model))


def in_order(names: Sequence[str]) -> list[str]:
    """The distinct names, sorted by letters and by the value of numbers in them."""
    return sorted(dict.fromkeys(names), key=_key)


def _key(name: str) -> tuple[tuple[str | float, ...], str]:
    parts = _NUMBERS.split(name.casefold())  # texts and numbers by turns
    return tuple(float(part) if place % 2 else part for place, part in enumerate(parts)), name


def find_matplotlib() -> None:
    """Check that Matplotlib is installed, without importing it, which takes most of a second."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError(_PLOTTING, "report")


def require_matplotlib() -> None:
    """Check that figures can be plotted: raise `MissingExtraError` if Matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MissingExtraError(_PLOTTING, "report") from None
