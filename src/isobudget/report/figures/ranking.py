"""Plots the figure of `isobudget rank`, like the paper's figures 8 and 9: a panel per unit, one line per ranker.

A line shows the success of one model's ranked samples against budget. It is solid if the ranker's own cost is not
counted, and dotted if it is. Stars are single greedy outputs of every model, squares single samples. Models use the
first entries in the table of styles and rankers the later ones, so that every combination of colour and marker is
unique.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from isobudget.costs.cost import Unit
from isobudget.files.whole import file_stems
from isobudget.grid import counted
from isobudget.ranking.measure import Ranked, RankedModel
from isobudget.ranking.rank import BenchmarkRanking
from isobudget.report.figures.comparison import SAMPLES, cost_scale
from isobudget.report.figures.parts import SQUARE, STAR, Line, Panel, Plot, PlotPoint, powers_of_two, thinned
from isobudget.report.figures.style import Style, model_style, style_at
from isobudget.report.tables.ranking import filter_text


def ranking_plots(rankings: Sequence[BenchmarkRanking]) -> dict[str, Plot]:
    """One figure for each model of each benchmark, by a name for its file."""
    pairs = [(one, model) for one in rankings for model in one.models]
    stems = file_stems(["-".join(filter(None, (one.benchmark, model.model))) for one, model in pairs])
    return {stem: ranking_plot(one, model) for stem, (one, model) in zip(stems, pairs, strict=True)}


def ranking_plot(ranking: BenchmarkRanking, model: RankedModel) -> Plot:
    """One model's rankers, and the single outputs of all models."""
    units: list[Unit | None] = [None, *model.samples.prices]
    charged = any(len(list(_costs(one, unit))) > 1 for one in model.ranked for unit in one.free)
    title = f"{ranking.benchmark}: samples of {model.model}, chosen without tests{filter_text(ranking)}"
    return Plot(
        name="ranking",
        title=title,
        y_label="chosen sample passes, %",
        panels=tuple(_panel(unit, ranking, model) for unit in units),
        caption=_caption(title, model, charged),
        key=(("dotted", "ranking charged too"),) if charged else (),
    )


def _caption(title: str, model: RankedModel, charged: bool) -> str:
    ends = "; ".join(
        f"{one.ranker}: {100 * one.success[0]:.1f}% of one sample, {100 * one.success[-1]:.1f}% of {one.k_max:,}"
        for one in model.ranked
    )
    problems = counted(len(model.ranked[0].matrix), "problem")
    dotted = " Dotted: with the cost of ranking." if charged else ""
    return (
        f"{title}, as in Figures 8 and 9 of the paper: share solved by the sample that each ranker puts first "
        f"(rank-score@k), {problems}. {ends}.{dotted} Stars: greedy outputs of each model; squares: single samples."
    )


def _panel(unit: Unit | None, ranking: BenchmarkRanking, model: RankedModel) -> Panel:
    ends = [float(end) for one in model.ranked for cost, _ in _costs(one, unit) for end in (cost[0], cost[-1])]
    scale, label = (1.0, SAMPLES) if unit is None else cost_scale(unit, ends)
    lines = tuple(
        _line(one, cost / scale, style_at(len(ranking.models) + place), dotted)
        for place, one in enumerate(model.ranked)
        for cost, dotted in _costs(one, unit)
    )
    return Panel(label, lines, () if unit is None else tuple(_single_outputs(unit, scale, ranking)))


def _costs(ranked: Ranked, unit: Unit | None) -> Iterator[tuple[np.ndarray[tuple[int], np.dtype[np.float64]], bool]]:
    """The costs at k = 1, 2, ..., and whether they include the ranker's own cost."""
    if unit is None:
        yield np.arange(1, ranked.k_max + 1, dtype=np.float64), False
        return
    yield ranked.free[unit].cost, False
    if unit in ranked.charged and ranked.charged[unit].price != ranked.free[unit].price:
        yield ranked.charged[unit].cost, True


def _line(ranked: Ranked, x: np.ndarray[tuple[int], np.dtype[np.float64]], style: Style, dotted: bool) -> Line:
    at = np.union1d(thinned(ranked.k_max), powers_of_two(ranked.k_max))
    marks = np.searchsorted(at, powers_of_two(ranked.k_max))
    filled = 0 if dotted else len(at)
    return Line(ranked.ranker, style, x[at], 100 * ranked.success[at], marks, len(at), filled, dotted=dotted)


def _single_outputs(unit: Unit, scale: float, ranking: BenchmarkRanking) -> Iterator[PlotPoint]:
    models = [model.model for model in ranking.models]
    for model in ranking.models:
        style = model_style(model.model, models)
        price, greedy = model.samples.prices.get(unit), model.samples.greedy
        if price is not None:
            success = 100 * float(model.ranked[0].success[0])
            yield PlotPoint(f"one sample of {model.model}", SQUARE, style, price.cost(1) / scale, success)
        if greedy is not None and unit in greedy.cost:
            yield PlotPoint(
                f"greedy output of {model.model}", STAR, style, greedy.cost[unit] / scale, 100 * greedy.success
            )
