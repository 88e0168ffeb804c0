"""The paper's three-panel figures: success against samples, flops and seconds per problem, one line per model.

As in the paper's figures 2 to 6, the x axis has powers of two and a star marks the greedy output. In addition, a band
shows the interval over problems, and a line is dashed where it uses more than half of the recorded samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from isobudget.costs.cost import Unit
from isobudget.curves import FIRST_PASS, TESTS, Comparison, Curve
from isobudget.grid import counted, si_prefix
from isobudget.report.figures.look import Look
from isobudget.report.figures.parts import STAR, Floats, Line, Panel, Plot, PlotPoint, powers_of_two, thinned
from isobudget.report.figures.render import render
from isobudget.report.figures.shipped import shipped
from isobudget.report.figures.style import Style, model_style
from isobudget.report.tables.labels import NO_INTERVAL, intervals_over

if TYPE_CHECKING:
    from isobudget.analysis.compare_run import Greedy

SAMPLES = "samples of each problem (k)"
#: meaning of a dashed line, in the legend
LESS_CERTAIN = "k above n/2"
GREEDY = "greedy output"


@dataclass(frozen=True, slots=True)
class ComparisonFigure:
    """The content of a figure that compares models.

    Attributes:
        comparisons: comparisons of the same models and problems, one per unit, at least one.
        greedy: greedy outputs by model, plotted as stars.
        models: names of all models of the run, which determine each model's colour and marker.
        title: title above the panels.
        panels: unit of each panel, None for success against samples; by default None, then each unit.
        left_out: sentences that say what is not shown, and why.
    """

    comparisons: Mapping[Unit, Comparison]
    greedy: Mapping[str, Greedy] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    title: str = ""
    panels: tuple[Unit | None, ...] = ()
    left_out: str = ""

    @property
    def first(self) -> Comparison:
        """The comparison in the first unit, used for everything that does not depend on the unit."""
        return next(iter(self.comparisons.values()))

    def style(self, model: str) -> Style:
        """Colour and marker of a model."""
        return model_style(model, [*self.models, *(curve.model for curve in self.first.curves)])


@dataclass(frozen=True, slots=True)
class _Axis:
    """The meaning of the x axis: the comparison with the curves, and its unit, or None for the number of samples."""

    comparison: Comparison
    unit: Unit | None
    scale: float
    label: str

    def cost(self, curve: Curve) -> Floats:
        values = curve.k if self.unit is None else curve.cost / self.scale
        return np.asarray(values, dtype=np.float64)

    def greedy(self, greedy: Greedy) -> float:
        return 1.0 if self.unit is None else greedy.cost.get(self.unit, math.nan) / self.scale


def page_figure(
    shown: ComparisonFigure, *, stacked: bool = False, formats: Sequence[str] = ("svg", "png"), name: str = "figure"
) -> dict[str, bytes]:
    """One figure for the page: a panel for the number of samples and one for each unit.

    Panels are side by side or, for narrow pages, `stacked` below each other. `name` makes the ids inside the SVG unique
    among figures. Returns the files' contents by format.
    """
    plot = comparison_plot(shown, name)
    look = Look(width=3.75 * len(plot.panels), points=9.0, dots=160)
    if stacked:
        look = replace(look, width=4.4, beside=1)
    return shipped(plot, look, formats) or render(plot, look, formats)


def comparison_plot(shown: ComparisonFigure, name: str = "figure") -> Plot:
    """A panel for the number of samples and one for each unit."""
    axes = [_axis(unit, shown) for unit in shown.panels or (None, *shown.comparisons)]
    dashed = any(curve.k_max > curve.trusted_k for curve in shown.first.curves)
    return Plot(
        name=name,
        title=shown.title or figure_title(shown.first),
        y_label="problems solved: pass@k, %" if _by_tests(shown) else "problems solved: rank-score@k, %",
        panels=tuple(_panel(axis, shown) for axis in axes),
        caption=caption(shown),
        key=(("dashed", LESS_CERTAIN),) if dashed else (),
    )


def figure_title(comparison: Comparison) -> str:
    """The benchmark, and how many of its problems are compared."""
    problems = counted(len(comparison.curves[0].task_ids), "problem")
    return ", ".join(filter(None, [comparison.benchmark, problems]))


def caption(shown: ComparisonFigure) -> str:
    """A description of the figure for readers who cannot see it: what it shows, and where each line begins and ends."""
    first, tests = shown.first, _by_tests(shown)
    meaning = "pass@k" if tests else "rank-score@k by the model's own likelihood"
    panels = shown.panels or (None, *shown.comparisons)
    axes = ["samples" if unit is None else f"{_plain(unit)} per problem" for unit in panels]
    expected = " Costs are expected ones: sampling stops at the first pass." * (first.stop == FIRST_PASS)
    ends = "; ".join(_ends(curve) for curve in first.curves)
    stars = " Stars: one greedy output." if shown.greedy else ""
    bands = f"Bands: {over}." if (over := intervals_over(first)) else NO_INTERVAL
    return (
        f"{figure_title(first)}: share solved ({meaning}) against {_and(axes)}; x in powers of two. "
        f"{ends}. {bands}{stars} Dashed: k above half the "
        f"samples.{expected}{shown.left_out}"
    )


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _ends(curve: Curve) -> str:
    start, end = (f"{100 * float(value):.1f}%" for value in (curve.success[0], curve.success[-1]))
    return f"{curve.model}: {start} with 1 sample" + (f", {end} with {curve.k_max:,}" if curve.k_max > 1 else "")


def _by_tests(shown: ComparisonFigure) -> bool:
    return shown.first.curves[0].selection == TESTS


def _plain(unit: Unit) -> str:
    return str(unit).replace("_", " ")


def _axis(unit: Unit | None, shown: ComparisonFigure) -> _Axis:
    if unit is None:
        return _Axis(shown.first, None, 1.0, SAMPLES)
    comparison = shown.comparisons[unit]
    costs = [float(cost) for curve in comparison.curves for cost in (curve.cost[0], curve.cost[-1])]
    return _Axis(comparison, unit, *cost_scale(unit, costs))


def cost_scale(unit: Unit, costs: Sequence[float]) -> tuple[float, str]:
    """The divisor for costs on an axis, and the axis label that fits it: `Tflops per problem`."""
    middle = math.sqrt(min(costs) * max(costs))
    if unit == Unit.FLOPS:
        scale, prefix = si_prefix(middle, least=1e6)
        return scale, f"{prefix}flops per problem"
    if 0 < middle < 0.01:
        return 1e-3, f"{_plain(unit)} per 1,000 problems"
    return 1.0, f"{_plain(unit)} per problem"


def _panel(axis: _Axis, shown: ComparisonFigure) -> Panel:
    lines = tuple(_line(curve, axis.cost(curve), shown.style(curve.model)) for curve in axis.comparison.curves)
    stars = [
        PlotPoint(GREEDY, STAR, shown.style(curve.model), axis.greedy(greedy), 100 * greedy.success)
        for curve in axis.comparison.curves
        if (greedy := shown.greedy.get(curve.model)) is not None
    ]
    return Panel(axis.label, lines, tuple(star for star in stars if not math.isnan(star.x)))


def _line(curve: Curve, x: Floats, style: Style) -> Line:
    """A curve as a line.

    Markers stand at powers of two. Beyond the trusted k, the line is dashed and its markers are hollow.
    """
    at = np.union1d(thinned(curve.k_max, curve.trusted_k), powers_of_two(curve.k_max))
    before = int(np.searchsorted(at, curve.trusted_k))
    return Line(
        name=curve.model,
        style=style,
        x=x[at],
        y=100 * curve.success[at],
        low=100 * curve.low[at],
        high=100 * curve.high[at],
        marks=np.searchsorted(at, powers_of_two(curve.k_max)),
        solid=before,
        filled=before,
        note=f"(n = {curve.k_max:,})",
    )
