"""The figure of `isobudget rank`, in the form of the paper's figures 8 and 9: a panel a unit, one line a ranker.

The ranked samples of one model against budget; solid without the ranker's own cost, dotted with it. Stars are single
greedy outputs of every model, squares single samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.files.whole import file_stems, write_whole
from isobudget.report.figures import style
from isobudget.report.tables.ranking import filter_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isobudget.ranking.measure import Ranked, RankedModel
    from isobudget.ranking.rank import BenchmarkRanking

_MOST_CHARACTERS = 88


def draw_ranking(ranking: BenchmarkRanking, model: RankedModel, kind: str = "svg") -> bytes:
    """Draw one model's rankers, and the single outputs of all models, as `svg` or `png`."""
    units: list[Unit | None] = [None, *model.samples.prices]
    with style.drawing("ranking"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.2 * len(units) + 0.6, 4.6), layout="constrained", facecolor=style.PAPER)
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(units), sharey=True, squeeze=False).ravel()
        for panel, unit in zip(panels, units, strict=True):
            _panel(panel, unit, ranking, model)
        panels[0].set_ylabel("problems solved by the chosen sample, %")
        title = f"{ranking.benchmark}: samples of {model.model}, chosen without tests{filter_text(ranking)}"
        style.set_title(figure, style.cut(title, _MOST_CHARACTERS), 11)
        style.set_legend(figure, _entries(ranking, model), 3)
        return style.saved(figure, kind)


def check_figure(path: Path) -> None:
    """Raise `InputError` for a file that `save_rankings` could not write: before the work, not after it."""
    if path.suffix.lower() not in (".svg", ".png"):
        raise InputError(f"--figure {path}: the name must end in .svg or .png")
    if not path.parent.is_dir():
        raise InputError(f"--figure {path}: there is no folder {path.parent}")


def save_rankings(rankings: Sequence[BenchmarkRanking], path: Path) -> list[Path]:
    """One figure for each model; several get the benchmark's and the model's name before the ending."""
    pairs = [(one, model) for one in rankings for model in one.models]
    stems = file_stems(["-".join(filter(None, (path.stem, one.benchmark, model.model))) for one, model in pairs])
    places = [path] if len(pairs) == 1 else [path.with_name(f"{stem}{path.suffix}") for stem in stems]
    for (one, model), place in zip(pairs, places, strict=True):
        write_whole(place, draw_ranking(one, model, path.suffix.removeprefix(".").lower()))
    return places


def _panel(panel: Axes, unit: Unit | None, ranking: BenchmarkRanking, model: RankedModel) -> None:
    names = [one.ranker for one in model.ranked]
    for one in model.ranked:
        colour, marker = style.model_style(one.ranker, names)
        for x, dotted in _lines(one, unit):
            line = {"linestyle": (0, (1, 1.5)), "linewidth": 1.3} if dotted else {"linewidth": 1.7}
            panel.plot(x, 100 * one.success, color=colour, **line)
            powers = [2**power - 1 for power in range(one.k_max.bit_length()) if 2**power <= one.k_max]
            at_powers = [x[at] for at in powers], [100 * one.success[at] for at in powers]
            style.mark(panel, *at_powers, marker, colour, style.PAPER if dotted else colour)
    _single_outputs(panel, unit, ranking)
    style.dress(panel, "samples of each problem (k)" if unit is None else f"{unit} per problem")


def _lines(one: Ranked, unit: Unit | None) -> list[tuple[Sequence[float], bool]]:
    """The costs at k = 1, 2, ..., and whether the ranker's own cost is charged in them."""
    if unit is None:
        return [(list(range(1, one.k_max + 1)), False)]
    lines: list[tuple[Sequence[float], bool]] = [(one.free[unit].cost.tolist(), False)]
    if unit in one.charged and one.charged[unit].price != one.free[unit].price:
        lines.append((one.charged[unit].cost.tolist(), True))
    return lines


def _single_outputs(panel: Axes, unit: Unit | None, ranking: BenchmarkRanking) -> None:
    models = [model.model for model in ranking.models]
    for model in ranking.models:
        colour, _ = style.model_style(model.model, models[::-1])
        price, greedy = (None, None) if unit is None else (model.samples.prices.get(unit), model.samples.greedy)
        if price is not None:
            panel.plot(price.cost(1), 100 * model.ranked[0].success[0], **style.square(colour))
        if unit is not None and greedy is not None and unit in greedy.cost:
            panel.plot(greedy.cost[unit], 100 * greedy.success, **style.star(colour))


def _entries(ranking: BenchmarkRanking, model: RankedModel) -> list[tuple[Any, str]]:
    """What the legend explains: a sign and its text each."""
    from matplotlib.lines import Line2D

    names = [one.ranker for one in model.ranked]
    entries = [(style.line_sign(*style.model_style(name, names)), name) for name in names]
    if any(len(_lines(one, unit)) > 1 for one in model.ranked for unit in one.free):
        entries.append((Line2D([], [], color=style.INK, linewidth=1.3, linestyle=(0, (1, 1.5))), "ranking charged too"))
    models = [one.model for one in ranking.models]
    for name in models:
        colour, _ = style.model_style(name, models[::-1])
        entries.append((Line2D([], [], **(style.square(colour) | {"markersize": 6})), f"one sample of {name}"))
        if any(one.model == name and one.samples.greedy is not None for one in ranking.models):
            entries.append((Line2D([], [], **(style.star(colour) | {"markersize": 9})), f"greedy output of {name}"))
    return [(handle, style.cut(label, _MOST_CHARACTERS)) for handle, label in entries]
