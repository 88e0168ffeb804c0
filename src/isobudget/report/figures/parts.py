"""The content of a figure as data: panels with lines, bands, markers and single outputs. `render` plots it.

Everything that is plotted comes from here, so that tests can compare each point with the table it was taken from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.report.figures.style import Style

Floats = NDArray[np.float64]

#: about the most points of a line that are plotted, so that the file of a long curve stays small
MOST_POINTS = 160
#: kinds of single outputs
STAR, SQUARE, RING = "star", "square", "ring"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a panel.

    Attributes:
        name: name in the legend; lines with the same name share an entry.
        style: its colour and marker.
        x, y: shape (points,), y in percent.
        low, high: ends of a band, of the same shape; None for no band.
        marks: indexes of points with a marker.
        solid: points before this index are joined by a solid line, later ones by a dashed line.
        filled: markers before this index are filled, later ones hollow.
        dotted: whether the whole line is dotted.
        note: text after the name in the legend.
    """

    name: str
    style: Style
    x: Floats
    y: Floats
    marks: NDArray[np.int64]
    solid: int
    filled: int
    low: Floats | None = None
    high: Floats | None = None
    dotted: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class PlotPoint:
    """A single output or a highlighted point: a `STAR`, a `SQUARE` or a `RING`, y in percent."""

    name: str
    kind: str
    style: Style
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: x in powers of two, y in percent."""

    x_label: str
    lines: tuple[Line, ...]
    points: tuple[PlotPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """A whole figure.

    Attributes:
        name: makes the ids inside its SVG differ from those of other figures.
        title: title above the panels.
        y_label: label of the y axis of all panels.
        panels: the panels, at least one.
        caption: description for readers who cannot see the figure, and for the text below it.
        key: explanations of line kinds, below the names: `dashed`, `dotted` or `hollow`, each with a text.
    """

    name: str
    title: str
    y_label: str
    panels: tuple[Panel, ...]
    caption: str
    key: tuple[tuple[str, str], ...] = ()


def thinned(count: int, *kept: int) -> NDArray[np.int64]:
    """At most about `MOST_POINTS` of the indexes of k = 1, ..., `count`, evenly spaced on a log axis.

    They include both ends and the indexes of the k in `kept`.
    """
    if count <= MOST_POINTS:
        return np.arange(count)
    spaced = np.geomspace(1, count, MOST_POINTS).round().astype(np.int64)
    return np.unique(np.concatenate([spaced, [1, *kept, count]])) - 1


def powers_of_two(count: int) -> NDArray[np.int64]:
    """The indexes of k = 1, 2, 4, ... among k = 1, 2, ..., count."""
    return np.asarray(2 ** np.arange(count.bit_length()) - 1, dtype=np.int64)


def x_limits(panel: Panel) -> tuple[float, float]:
    """The ends of the x axis: around everything plotted, with the upper end at least 4 times the lower one."""
    values = np.concatenate([*(line.x for line in panel.lines), [point.x for point in panel.points]])
    low, high = float(values.min()) / 1.25, float(values.max()) * 1.25
    return (low, high) if high >= 4 * low else (low / 2, high * 2)


def y_limits(plot: Plot) -> tuple[float, float]:
    """The ends of the y axis in percent, around everything plotted.

    The lower end is a multiple of ten, and the upper end is 2 above a multiple of ten.
    """
    lines = [line for panel in plot.panels for line in panel.lines]
    curves = [values for line in lines for values in (line.y, line.low, line.high) if values is not None]
    values = np.concatenate([*curves, [point.y for panel in plot.panels for point in panel.points]])
    known = values[np.isfinite(values)]
    low, high = 10 * math.floor(known.min() / 10), 10 * math.ceil(known.max() / 10)
    return max(0, low - (10 if low == high else 0)), min(102, high + 2)
