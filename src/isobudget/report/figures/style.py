"""How the report's figures look: colours, markers, sizes.

Colours are those of Okabe and Ito and a grey, which colour-blind readers can tell apart; every model has its own
marker too. The page replaces each of them by one that suits its background (see svg.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

INK, RULE, PAPER = "#1b1f24", "#d9dde2", "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7d8590")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")

#: Matplotlib's settings while a figure is drawn
SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "path",
}


def model_style(model: str, models: Sequence[str]) -> tuple[str, str]:
    """Colour and marker of one of the models; the pair repeats only after 56."""
    place = models.index(model)
    return COLOURS[place % len(COLOURS)], _MARKERS[place % len(_MARKERS)]


def star(colour: str) -> dict[str, Any]:
    """How a greedy output is drawn."""
    return _single_output("*", 12.5, colour)


def square(colour: str) -> dict[str, Any]:
    """How one sampled output is drawn."""
    return _single_output("s", 7.5, colour)


def _single_output(marker: str, size: float, colour: str) -> dict[str, Any]:
    return {
        "marker": marker,
        "markersize": size,
        "color": colour,
        "markeredgecolor": INK,
        "markeredgewidth": 0.7,
        "linestyle": "none",
        "zorder": 5,
        "clip_on": False,
    }
