"""Plots one panel of a figure as text on a terminal: lines as dots, with a sign per model at each marker.

It uses plotext 6, whose single global figure is cleared before and after.
"""

from __future__ import annotations

import math
from typing import Any

from isobudget.errors import MissingExtraError
from isobudget.grid import printable
from isobudget.report.figures.parts import RING, SQUARE, STAR, Line, Panel, Plot, x_limits, y_limits
from isobudget.report.figures.style import MARKERS
from isobudget.report.figures.words import fitted_to, power_ticks
from isobudget.report.tables.labels import short_labels

#: sign on the terminal for each marker of the table of styles
_SIGNS = dict(zip(MARKERS, "●■▲◆▼✚✖⬟", strict=True))
_SINGLE = {STAR: "★", SQUARE: "▪", RING: "◯"}
_HEIGHT, _LEAST_WIDTH, _MOST_WIDTH = 22, 40, 100


def require_plotext() -> Any:
    """Import plotext.

    Raise `MissingExtraError` if it is missing or older than version 6, which has no figure object.
    """
    try:
        import plotext
    except ImportError:
        raise MissingExtraError("A plot on the terminal", "report") from None
    if not hasattr(plotext, "figure"):
        raise MissingExtraError("A plot on the terminal (plotext 6 or newer)", "report")
    return plotext


def terminal_plot(plot: Plot, width: int = 80, *, colours: bool = False) -> str:
    """The last panel of the plot as text, with a legend of its signs.

    Args:
        plot: the figure.
        width: columns of the terminal; at least 40 and at most 100 are used.
        colours: whether the terminal shows colours; without them, models differ by their signs.

    Raises:
        MissingExtraError: plotext is not installed.
    """
    plotext, panel = require_plotext(), plot.panels[-1]
    wide, figure = max(_LEAST_WIDTH, min(width, _MOST_WIDTH)), plotext.figure
    figure.clear()
    try:
        figure.theme("simple")
        figure.plot_size(wide, _HEIGHT)
        _axes(figure, plot, panel, wide)
        for line in panel.lines:
            _plot_line(figure, line)
        for point in panel.points:
            figure.draw(figure.signal([math.log2(point.x)], [point.y], marker=_SINGLE[point.kind]))
        rendered = str(figure.build()) if colours else str(plotext.uncolorize(figure.build()))
    finally:
        figure.clear()
    return "\n".join([*(row.rstrip() for row in rendered.splitlines()), *_legend(panel, wide)])


def _axes(figure: Any, plot: Plot, panel: Panel, wide: int) -> None:
    low, high = x_limits(panel)
    ticks = power_ticks(low, high, wide - 8, len, 2)
    figure.ruler("x").lim(math.log2(low), math.log2(high))
    figure.ruler("x").ticks([math.log2(value) for value, _ in ticks], [text for _, text in ticks])
    bottom, top = y_limits(plot)
    step = 10 if top - bottom <= 60 else 20
    heights = range(step * math.ceil(bottom / step), int(top) + 1, step)
    figure.ruler("y").lim(bottom, top)
    figure.ruler("y").ticks(list(heights), [f"{height}%" for height in heights])
    figure.title(fitted_to(printable(plot.title), wide - 4))
    figure.label(panel.x_label)


def _plot_line(figure: Any, line: Line) -> None:
    """Plot a line as dots, with the sign of its model at each marker."""
    colour = tuple(int(line.style.colour[at : at + 2], 16) for at in (1, 3, 5))
    x = [math.log2(value) for value in line.x]
    joined = figure.signal(x, line.y.tolist(), marker=require_plotext().marker("braille", colour)).lines()
    figure.draw(joined)
    signs = require_plotext().marker(_SIGNS[line.style.marker], colour)
    figure.draw(figure.signal([x[place] for place in line.marks], line.y[line.marks].tolist(), marker=signs))


def _legend(panel: Panel, wide: int) -> list[str]:
    """The signs with their names, as many per line as fit."""
    short = short_labels([line.name for line in panel.lines])
    entries = [f"{_SIGNS[line.style.marker]} {printable(short[line.name])}" for line in panel.lines]
    entries += [f"{_SINGLE[kind]} {name}" for kind, name in dict.fromkeys((one.kind, one.name) for one in panel.points)]
    lines: list[str] = []
    for entry in (fitted_to(entry, wide - 2) for entry in entries):
        if lines and len(lines[-1]) + 3 + len(entry) <= wide:
            lines[-1] += f"   {entry}"
        else:
            lines.append(f"  {entry}")
    return lines
