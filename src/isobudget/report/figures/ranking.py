"""The figure of `isobudget rank`, in the form of the paper's figures 8 and 9: a panel a unit, one line a ranker.

The ranked samples of one model against budget; solid without the ranker's own cost, dotted with it. Stars are single
greedy outputs of every model, squares single samples.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from isobudget.costs.cost import Unit
from isobudget.report.figures.comparison import require_matplotlib
from isobudget.report.figures.style import INK, PAPER, RULE, SETTINGS, model_style, square, star
from isobudget.report.page.html import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from isobudget.ranking.measure import Ranked, RankedModel
    from isobudget.ranking.rank import BenchmarkRanking

_MOST_CHARACTERS = 44


def draw_ranking(ranking: BenchmarkRanking, model: RankedModel, kind: str = "svg") -> bytes:
    """Draw one model's rankers.

    Args:
        ranking: where single outputs of all models come from.
        model: whose samples are ranked.
        kind: `svg` or `png`.

    Raises:
        MissingExtraError: Matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    units: list[Unit | None] = [None, *model.samples.prices]
    with warnings.catch_warnings(), mpl.rc_context(rc=SETTINGS | {"svg.hashsalt": "ranking"}):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(4.2 * len(units) + 0.6, 4.6), layout="constrained", facecolor=PAPER)
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(units), sharey=True, squeeze=False).ravel()
        for panel, unit in zip(panels, units, strict=True):
            _panel(panel, unit, ranking, model)
        panels[0].set_ylabel("problems solved by the chosen sample, %")
        title = _short(f"{ranking.benchmark}: samples of {model.model}, chosen without tests" + _filter(ranking))
        figure.suptitle(title, parse_math=False, fontsize=11, fontweight="bold")
        _legend(figure, ranking, model)
        out = io.BytesIO()
        figure.savefig(out, format=kind, facecolor=PAPER, dpi=160, metadata={"Date": None} if kind == "svg" else None)
        return out.getvalue()


def _panel(panel: Axes, unit: Unit | None, ranking: BenchmarkRanking, model: RankedModel) -> None:
    names = [one.ranker for one in model.ranked]
    for one in model.ranked:
        colour, marker = model_style(one.ranker, names)
        for x, dotted in _lines(one, unit):
            style = {"linestyle": (0, (1, 1.5)), "linewidth": 1.3} if dotted else {"linewidth": 1.7}
            panel.plot(x, 100 * one.success, color=colour, **style)
            powers = [2**power - 1 for power in range(one.k_max.bit_length()) if 2**power <= one.k_max]
            face = PAPER if dotted else colour
            panel.plot(
                [x[at] for at in powers],
                [100 * one.success[at] for at in powers],
                linestyle="none",
                marker=marker,
                markersize=4.8,
                color=colour,
                markerfacecolor=face,
            )
    _single_outputs(panel, unit, ranking)
    panel.set_xscale("log", base=2)
    panel.set_xlabel("samples of each problem (k)" if unit is None else f"{unit} per problem")
    panel.grid(True, color=RULE, linewidth=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


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
        colour, _ = model_style(model.model, models[::-1])
        price, greedy = (None, None) if unit is None else (model.samples.prices.get(unit), model.samples.greedy)
        if price is not None:
            panel.plot(price.cost(1), 100 * model.ranked[0].success[0], **square(colour))
        if unit is not None and greedy is not None and unit in greedy.cost:
            panel.plot(greedy.cost[unit], 100 * greedy.success, **star(colour))


def _legend(figure: Any, ranking: BenchmarkRanking, model: RankedModel) -> None:
    from matplotlib.lines import Line2D

    names = [one.ranker for one in model.ranked]
    entries = []
    for name in names:
        colour, marker = model_style(name, names)
        entries.append((Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=1.7), name))
    if any(len(_lines(one, unit)) > 1 for one in model.ranked for unit in one.free):
        entries.append((Line2D([], [], color=INK, linewidth=1.3, linestyle=(0, (1, 1.5))), "ranking charged too"))
    models = [one.model for one in ranking.models]
    for name in models:
        colour, _ = model_style(name, models[::-1])
        entries.append((Line2D([], [], **(square(colour) | {"markersize": 6})), f"one sample of {name}"))
        if any(one.model == name and one.samples.greedy is not None for one in ranking.models):
            entries.append((Line2D([], [], **(star(colour) | {"markersize": 9})), f"greedy output of {name}"))
    handles = [handle for handle, _ in entries]
    legend = figure.legend(handles, [" "] * len(handles), loc="outside lower center", ncols=3, frameon=False)
    # Set afterwards: a legend takes a label that begins with an underscore for "do not show".
    for text, (_, label) in zip(legend.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(_short(label))


def _filter(ranking: BenchmarkRanking) -> str:
    return f", filter: {ranking.filter}" if ranking.filter else ""


def _short(text: str) -> str:
    text = printable(text)
    most = 2 * _MOST_CHARACTERS
    return text if len(text) <= most else f"{text[: most - 3]}..."
