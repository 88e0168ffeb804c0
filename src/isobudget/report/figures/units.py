"""The figure of `isobudget curves`: success against samples and, in the paper's form, against flops and time.

Budgets are compared in one unit; the figure shows the others of the paper beside it, where the models can be priced in
them too. What cannot be is left out, and the caption says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isobudget.analysis.compare_run import Greedy
from isobudget.costs.cost import Unit, parse_unit
from isobudget.curves import Comparison
from isobudget.errors import InputError
from isobudget.files.whole import file_stems
from isobudget.report.figures.comparison import ComparisonFigure, comparison_plot
from isobudget.report.figures.parts import Plot

#: what a panel against samples is called among the units
K = "k"
_PAPER = (Unit.FLOPS, Unit.SECONDS)
#: from comparisons in a unit to those in another
InUnit = Callable[[Unit], Sequence[Comparison]]
GreedyOf = Callable[[Mapping[Unit, Comparison]], Mapping[str, Greedy]]


def parse_panels(names: Sequence[str]) -> tuple[str, ...]:
    """Panels by name, `k` or a unit, none twice. Raises `InputError` for any other."""
    return tuple(dict.fromkeys(name if name == K else str(parse_unit(name)) for name in names))


def curve_plots(
    comparisons: Sequence[Comparison], in_unit: InUnit, greedy: GreedyOf, panels: Sequence[str] = ()
) -> dict[str, Plot]:
    """One figure for each benchmark, by a name for its file.

    Args:
        comparisons: one a benchmark, in the unit of the budgets.
        in_unit: makes the same in another unit; an `InputError` where a model has no cost in it.
        greedy: the models' greedy outputs, which become stars.
        panels: `k` and units, in this order; by default `k`, and of a comparison in flops, seconds or device seconds
            the paper's flops and time, else its own unit.

    Raises:
        InputError: a model cannot be priced in a unit that `panels` names.
    """
    own = comparisons[0].unit
    wanted = parse_panels(panels) or (K, *_by_default(own))
    by_unit, left_out = {own: comparisons}, ""
    for unit in (Unit(name) for name in wanted if name != K and name != own):
        try:
            by_unit[unit] = in_unit(unit)
        except InputError as error:
            if panels:
                raise
            left_out += f" No panel in {str(unit).replace('_', ' ')}: {str(error).rstrip('.')}."
    known = tuple(name for name in wanted if name == K or Unit(name) in by_unit)
    stems = file_stems([one.benchmark or "counts" for one in comparisons])
    return {
        stem: _plot({unit: of[place] for unit, of in by_unit.items()}, known, greedy, left_out)
        for place, stem in enumerate(stems)
    }


def _plot(of: Mapping[Unit, Comparison], names: Sequence[str], greedy: GreedyOf, left_out: str) -> Plot:
    panels = tuple(None if name == K else Unit(name) for name in names)
    return comparison_plot(ComparisonFigure(of, greedy(of), panels=panels, left_out=left_out))


def _by_default(own: Unit) -> tuple[Unit, ...]:
    if own is Unit.DEVICE_SECONDS:
        return Unit.FLOPS, own
    return _PAPER if own in _PAPER else (own,)
