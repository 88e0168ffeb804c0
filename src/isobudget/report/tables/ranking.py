"""The tables of `isobudget rank`.

For each model, one table compares every ranker with a random sample at powers of two of k. One table shows the quality
of the scores. For each unit, one table shows the success of every ranker of every model at several budgets, without and
with the ranker's own cost. The budgets are the prices of one greedy output and of one sample of each model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from isobudget.costs.cost import Unit
from isobudget.grid import Grid, counted, interval, percent, with_unit
from isobudget.rankers.base import RANDOM
from isobudget.rankers.calibration import Calibration
from isobudget.rankers.measure import Auc
from isobudget.report.tables.terminal import POINT_SYMBOLS, legend, point_cell

if TYPE_CHECKING:
    from isobudget.ranking.measure import Ranked, RankedModel
    from isobudget.ranking.rank import BenchmarkRanking

_MOST_COLUMNS = 7


def ranking_grids(ranking: BenchmarkRanking) -> list[Grid]:
    """All tables of one benchmark."""
    units = dict.fromkeys(unit for model in ranking.models for unit in model.samples.prices)
    budgets = (_budget_grid(ranking, unit) for unit in units)
    models = (_model_grid(ranking, model) for model in ranking.models)
    return [*models, _quality_grid(ranking), *(grid for grid in budgets if grid is not None)]


def ranking_headline(ranking: BenchmarkRanking) -> str:
    """Two lines: the success of the best ranker, and the success of a random sample and of greedy outputs."""
    ranked = [(model, one) for model in ranking.models for one in model.ranked if one.ranker != RANDOM]
    if not ranked:
        return ""
    model, best = max(ranked, key=lambda pair: float(pair[1].success[-1]))
    ends = interval(best.low[-1], best.high[-1])
    samples = f"1 of {counted(best.k_max, 'sample')} of {model.model}"
    passed = f"{percent(best.success[-1])}% pass{f' ({ends})' if ends else ''}"
    outputs = [(one.model, one.samples.greedy) for one in ranking.models]
    greedy = ", ".join(f"{name} {percent(one.success)}%" for name, one in outputs if one is not None)
    others = f"A random one: {percent(model.ranked[0].success[0])}%.{f' Greedy: {greedy}.' if greedy else ''}"
    return f"Without tests, {best.ranker} chooses {samples}: {passed}.\n{others}"


def shown_k(k_max: int) -> list[int]:
    """Powers of two up to k_max, only the largest if there are many, and k_max itself."""
    powers = [2**power for power in range(k_max.bit_length()) if 2**power <= k_max]
    return list(dict.fromkeys([1, *powers[1:][-(_MOST_COLUMNS - 2) :], k_max]))


def filter_text(ranking: BenchmarkRanking) -> str:
    """The part of a title that describes the filter."""
    return f", filter: {ranking.filter}" if ranking.filter else ""


def _model_grid(ranking: BenchmarkRanking, model: RankedModel) -> Grid:
    pool, ranked = model.samples.pool, model.ranked
    ks = shown_k(ranked[0].k_max)
    n = " to ".join(map(str, dict.fromkeys((pool.sizes.min(), pool.sizes.max()))))
    notes = [
        "Success in percent of the sample chosen from k without tests. "
        f"k above {max(ranked[0].k_max // 2, 1)} rests on few samples. {_ways(ranked)}"
    ]
    if (greedy := model.samples.greedy) is not None:
        ends = interval(greedy.low, greedy.high)
        notes.append(f"Its greedy output solves {percent(greedy.success, 2)}{f' ({ends})' if ends else ''}.")
    notes += [f"{note}." for note in model.samples.left_out.notes(pool.model)]
    return Grid(
        f"{pool.model}, {ranking.benchmark or 'samples'}: {counted(len(pool.problems), 'problem')}, n = {n}"
        + filter_text(ranking),
        ("Ranker", *(f"k={k}" for k in ks), f"{ranking.bootstrap.level:.0%} at k={ks[-1]}"),
        tuple(
            (one.ranker, *(percent(one.success[k - 1], 2) for k in ks), interval(one.low[-1], one.high[-1]) or "-")
            for one in ranked
        ),
        notes=(*notes, *_notes(ranked)),
    )


def _notes(ranked: Sequence[Ranked]) -> Iterator[str]:
    """Each note once, after the names of the rankers it concerns."""
    about: dict[str, list[str]] = {}
    for one in ranked:
        for text in one.notes:
            about.setdefault(text, []).append(one.ranker)
    yield from (f"{', '.join(names)}: {text}." for text, names in about.items())


def _ways(ranked: Sequence[Ranked]) -> str:
    errors = {one.ranker: float(one.monte_carlo.max()) for one in ranked if one.monte_carlo is not None}
    exact = "Per-sample rankers: rank-score@k, exact for these samples."
    if not errors:
        return exact
    most = percent(max(errors.values()), 2)
    return f"{exact} By random prefixes, with a Monte Carlo error of at most {most} points: {', '.join(errors)}."


def _quality_grid(ranking: BenchmarkRanking) -> Grid:
    measured = [(model, one) for model in ranking.models for one in model.ranked]
    rows = tuple(
        (
            one.ranker if len(ranking.models) == 1 else f"{model.model}, {one.ranker}",
            _area(one.auc),
            f"{one.auc.problems}",
            *_calibrated(one.calibration),
            f"{one.undefined:,}",
            f"{one.set_aside:,}",
        )
        for model, one in measured
        if one.auc is not None
    )
    k = " or ".join(map(str, dict.fromkeys(one.calibration.k for _, one in measured if one.calibration is not None)))
    notes = (
        "AUC: within problems that have right and wrong samples (0.5: chance); set rankers score all n samples "
        "together.",
        f"Brier, ECE: Brier score and expected calibration error of the sample chosen from k = {k}, calibrated by "
        "cross-fitting over problems. In brackets: the Brier score of always predicting the mean.",
        "No score (NaN) and set aside (cut off or filtered): these samples rank last.",
    )
    title = f"{ranking.benchmark or 'Rankers'}: how far the scores can be trusted{filter_text(ranking)}"
    return Grid(title, ("Ranker", "AUC", "problems", "Brier", "ECE", "no score", "set aside"), rows, notes=notes)


def _area(auc: Auc) -> str:
    """The AUC with its interval, which is missing for a single problem."""
    if math.isnan(auc.value):
        return "-"
    return f"{auc.value:.3f}" + ("" if math.isnan(auc.low) else f" ({auc.low:.3f}-{auc.high:.3f})")


def _calibrated(value: Calibration | None) -> tuple[str, str]:
    if value is None or math.isnan(value.brier):
        return "-", "-"
    return f"{value.brier:.3f} ({value.brier_reference:.3f})", f"{value.ece:.3f}"


# at equal budget ------------------------------------------------------------------------------------------------------


def _budget_grid(ranking: BenchmarkRanking, unit: Unit) -> Grid | None:
    budgets = list(_budgets(ranking, unit))
    rows = [row for model in ranking.models for row in _ranked_rows(model, unit, [budget for _, budget, _ in budgets])]
    if not rows or not budgets:
        return None
    symbols = legend((row[1:] for row in rows), POINT_SYMBOLS)
    for place, (what, budget, success) in enumerate(budgets):
        cells = ("" if at != place else percent(success) for at in range(len(budgets)))
        rows.append((f"{what}: {with_unit(budget, unit)}", *cells))
    ranked = [one for model in ranking.models for one in model.ranked if unit in one.free]
    unknown = dict.fromkeys(one.ranker for one in ranked if unit not in one.charged)
    notes = [
        "Cells: success in percent (k). Each column is a budget per problem: the price of an output in the last rows.",
        *symbols,
    ]
    if len(rows) > len(ranked) + len(budgets):
        notes.append("charged: the budget pays for the ranker's own cost, too.")
    if unknown:
        notes.append(f"The ranker's own cost is not known in {unit}, so it is not charged: {', '.join(unknown)}.")
    columns = ("Model and ranker", *(f"({place})" for place in range(1, len(budgets) + 1)))
    title = f"{ranking.benchmark}: at equal budget, by {unit}{filter_text(ranking)}"
    return Grid(title, columns, tuple(rows), notes=tuple(notes))


def _ranked_rows(model: RankedModel, unit: Unit, budgets: Sequence[float]) -> Iterator[tuple[str, ...]]:
    for ranked in model.ranked:
        if unit not in ranked.free:
            continue
        label, free, charged = f"{model.model}, {ranked.ranker}", ranked.free[unit], ranked.charged.get(unit)
        yield (label, *(point_cell(free.at(budget)) for budget in budgets))
        if ranked.ranker != RANDOM and charged is not None and charged.price != free.price:
            yield (f"{label}, charged", *(point_cell(charged.at(budget)) for budget in budgets))


def _budgets(ranking: BenchmarkRanking, unit: Unit) -> Iterator[tuple[str, float, float]]:
    """The single outputs to compare with: name, price per problem and success."""
    for model in ranking.models:
        price, greedy = model.samples.prices.get(unit), model.samples.greedy
        if price is not None:
            yield f"{model.model}, one sample", price.cost(1), float(model.ranked[0].success[0])
        if greedy is not None and unit in greedy.cost:
            yield f"{model.model}, greedy", greedy.cost[unit], greedy.success
