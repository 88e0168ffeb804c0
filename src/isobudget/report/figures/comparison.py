"""The paper's three-panel figures: success against samples, flops and seconds per problem, one line a model.

As in the paper's figures 2 to 6, x runs in powers of two and a star marks the greedy output. Beyond the paper, a band
shows the interval over problems, and the part of a line that rests on more than half of the recorded samples is dashed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import Unit
from isobudget.curves import TESTS, Comparison, Curve
from isobudget.grid import si_prefix
from isobudget.report.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from isobudget.analysis.compare_run import Greedy

#: points of a line that are drawn, so that a curve of thousands of samples stays small
_MOST_POINTS = 160
#: letters that fit below one panel, two of them between labels
_TICK_CHARACTERS = 42
#: letters of one name, and of a row of the legend below one panel and below three
_MOST_CHARACTERS, _STACKED_CHARACTERS, _LEGEND_CHARACTERS = 40, 46, 105


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a figure shows.

    Attributes:
        comparisons: of the same models and problems, one a unit, at least one.
        greedy: greedy outputs by model, drawn as stars.
        models: all models of the run, in the order that decides colours and markers.
        title: above the panels.
    """

    comparisons: Mapping[Unit, Comparison]
    greedy: Mapping[str, Greedy]
    models: tuple[str, ...]
    title: str

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The curves in the first unit; they stand for what does not depend on the unit."""
        return next(iter(self.comparisons.values())).curves

    def style(self, model: str) -> tuple[str, str]:
        """Colour and marker of a model."""
        return style.model_style(model, self.models)


@dataclass(frozen=True, slots=True)
class _Axis:
    """What x means: the comparison to take curves from, and its unit, or None for the number of samples."""

    comparison: Comparison
    unit: Unit | None
    scale: float
    label: str

    def cost(self, curve: Curve) -> NDArray[np.float64]:
        values = curve.k if self.unit is None else curve.cost / self.scale
        return np.asarray(values, dtype=np.float64)

    def greedy(self, greedy: Greedy) -> float:
        return 1.0 if self.unit is None else greedy.cost[self.unit] / self.scale


def draw(
    shown: Drawing, *, stacked: bool = False, formats: Sequence[str] = ("svg", "png"), name: str = "figure"
) -> dict[str, bytes]:
    """Draw one figure: a panel for samples and one for each unit.

    Panels stand side by side or, for narrow pages, `stacked` below each other; the `name` makes the ids inside the SVG
    differ from those of other figures. Gives the files' contents by format, `svg` or `png`.
    """
    with style.drawing(name):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        figure = _figure(shown, stacked)
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # one layout serves every format
        return {kind: style.saved(figure, kind) for kind in formats}


def _figure(shown: Drawing, stacked: bool) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    axes = list(_axes(shown.comparisons))
    rows, columns = (len(axes), 1) if stacked else (1, len(axes))
    legend = _entries(shown)
    legend_columns = _columns(legend, _STACKED_CHARACTERS if stacked else _LEGEND_CHARACTERS)
    height = 0.4 + 3.1 * rows + 0.2 * math.ceil(len(legend) / legend_columns)
    figure = Figure(
        figsize=(4.4 if stacked else 3.75 * columns, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    )
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, axis in zip(panels, axes, strict=True):
        _panel(panel, axis, shown)
    for panel in panels if stacked else panels[:1]:
        panel.set_ylabel(_y_label(shown.curves[0].selection))
    panels[0].set_ylim(*_y_limits(shown))
    style.set_title(figure, style.cut(shown.title, 56 if stacked else 90), 9 if stacked else 11)
    style.set_legend(figure, legend, legend_columns)
    return figure


def _axes(comparisons: Mapping[Unit, Comparison]) -> Iterator[_Axis]:
    first = next(iter(comparisons.values()))
    yield _Axis(first, None, 1.0, "samples of each problem (k)")
    for unit, comparison in comparisons.items():
        costs = [cost for curve in comparison.curves for cost in (curve.cost[0], curve.cost[-1])]
        middle = math.sqrt(min(costs) * max(costs))
        scale, prefix = si_prefix(middle, least=1e6) if unit == Unit.FLOPS else (1.0, "")
        yield _Axis(comparison, unit, scale, f"{prefix}{unit} per problem")


def _y_label(selection: str) -> str:
    return "problems solved: pass@k, %" if selection == TESTS else "problems solved: rank-score@k, %"


def _panel(panel: Axes, axis: _Axis, shown: Drawing) -> None:
    reach: list[float] = []
    for curve in axis.comparison.curves:
        x = axis.cost(curve)
        reach += [x[0], x[-1]]
        _line(panel, curve, x, *shown.style(curve.model), band=0.4 / max(3, len(shown.curves)))
    for curve in axis.comparison.curves:
        greedy = shown.greedy.get(curve.model)
        if greedy is not None:
            colour, _ = shown.style(curve.model)
            reach.append(axis.greedy(greedy))
            panel.plot(reach[-1], 100 * greedy.success, **style.star(colour))
    style.dress(panel, axis.label)
    _x_ticks(panel, min(reach), max(reach))
    panel.tick_params(length=3, labelleft=True)


def _line(panel: Axes, curve: Curve, x: NDArray[np.float64], colour: str, marker: str, band: float) -> None:
    """Band, line (dashed beyond the trusted k) and a marker at each power of two, hollow beyond the trusted k."""
    at = _thinned(curve.k_max, curve.trusted_k)
    solid, dashed = at[at < curve.trusted_k], at[at >= curve.trusted_k - 1]
    success = 100 * curve.success
    panel.fill_between(x[at], 100 * curve.low[at], 100 * curve.high[at], color=colour, alpha=band, linewidth=0)
    panel.plot(x[solid], success[solid], color=colour, linewidth=1.7)
    panel.plot(x[dashed], success[dashed], color=colour, linewidth=1.3, linestyle=(0, (3, 2)))
    powers = 2 ** np.arange(int(math.log2(curve.k_max)) + 1) - 1
    for chosen, face in ((powers[powers < curve.trusted_k], colour), (powers[powers >= curve.trusted_k], style.PAPER)):
        style.mark(panel, x[chosen], success[chosen], marker, colour, face, edge=1.2)


def _thinned(k_max: int, trusted: int) -> NDArray[np.int64]:
    """Places of at most about `_MOST_POINTS` points, evenly on a log axis, with both ends and the trusted k."""
    if k_max <= _MOST_POINTS:
        return np.arange(k_max)
    spaced = np.geomspace(1, k_max, _MOST_POINTS).round().astype(np.int64)
    return np.unique(np.concatenate([spaced, [1, trusted, k_max]])) - 1


def _x_ticks(panel: Axes, low: float, high: float) -> None:
    """Ticks at powers of two, few enough to be read."""
    low, high = low / 1.25, high * 1.25
    if high < 4 * low:
        low, high = low / 2, high * 2
    powers = range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
    for step in range(1, len(powers) + 1):
        ticks = [2.0**power for power in powers if power % step == 0]
        labels = [f"{tick:,.0f}" if tick >= 1 else f"{tick:.3g}" for tick in ticks]
        if sum(len(label) + 2 for label in labels) <= _TICK_CHARACTERS:
            break
    panel.set_xlim(low, high)
    panel.set_xticks(ticks, labels)
    panel.minorticks_off()


def _y_limits(shown: Drawing) -> tuple[float, float]:
    """In percent, on tens, with everything that is drawn inside."""
    values = [value for curve in shown.curves for part in (curve.low, curve.high, curve.success) for value in part]
    values += [greedy.success for greedy in shown.greedy.values()]
    known = [100 * value for value in values if not math.isnan(value)]
    low, high = 10 * math.floor(min(known) / 10), 10 * math.ceil(max(known) / 10)
    return max(0, low - (10 if low == high else 0)), min(102, high + 2)


def _entries(shown: Drawing) -> list[tuple[Any, str]]:
    """What the legend explains: a sign and its text each."""
    from matplotlib.lines import Line2D

    entries: list[tuple[Any, str]] = []
    for curve in shown.curves:
        name = f"{style.cut(curve.model, _MOST_CHARACTERS)} (n = {curve.k_max:,})"
        entries.append((style.line_sign(*shown.style(curve.model)), name))
    if any(curve.model in shown.greedy for curve in shown.curves):
        entries.append((Line2D([], [], **style.star(style.PAPER)), "greedy output"))
    if any(curve.k_max > curve.trusted_k for curve in shown.curves):
        dashes = Line2D([], [], color=style.INK, linewidth=1.3, linestyle=(0, (3, 2)))
        entries.append((dashes, "k above n/2: less certain"))
    return entries


def _columns(entries: Sequence[tuple[Any, str]], characters: int) -> int:
    widest = max(len(label) for _, label in entries) + 6
    return max(1, min(len(entries), characters // widest))
