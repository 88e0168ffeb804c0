"""The figure of `isobudget curves`: success against samples and, in the paper's form, against flops and time.

Budgets are compared in one unit. The figure also shows the paper's other units, if the models can be priced in them;
otherwise the caption says why they are left out.
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

#: name of the panel against samples, used like the name of a unit
K = "k"
_PAPER = (Unit.FLOPS, Unit.SECONDS)
#: returns the same comparisons in a given unit
InUnit = Callable[[Unit], Sequence[Comparison]]
#: returns greedy outputs by model, for the comparisons of one benchmark
GreedyOf = Callable[[Mapping[Unit, Comparison]], Mapping[str, Greedy]]


def parse_panels(names: Sequence[str]) -> tuple[str, ...]:
    """Names of panels, each `k` or a unit, without duplicates. Raises `InputError` for any other name."""
    return tuple(dict.fromkeys(name if name == K else str(parse_unit(name)) for name in names))


def curve_plots(
    comparisons: Sequence[Comparison], in_unit: InUnit, greedy: GreedyOf, panels: Sequence[str] = ()
) -> dict[str, Plot]:
    """One figure for each benchmark, by a name for its file.

    Args:
        comparisons: one per benchmark, in the unit of the budgets.
        in_unit: makes the same comparison in another unit; raises `InputError` if a model has no cost in that unit.
        greedy: the models' greedy outputs, shown as stars.
        panels: `k` and units, in order. By default `k`, followed by the paper's flops and time for a comparison in
            flops, seconds or device seconds, and by the comparison's own unit otherwise.

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
