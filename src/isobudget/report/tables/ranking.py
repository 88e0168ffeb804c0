"""What `isobudget rank` shows: tables for a terminal, JSON, and a figure in the form of the paper's figures 8 and 9.

A table a model: every ranker beside a random sample, at powers of two of k. A table a unit: every ranker of every model
at the price of one greedy output, and of one sampled output, of each other model: without the ranker's own cost, and
with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from isobudget.costs.cost import Unit
from isobudget.curves import Curve
from isobudget.grid import Grid, json_value
from isobudget.rankers.auc import Auc
from isobudget.rankers.calibration import Calibration
from isobudget.ranking.measure import Ranked, RankedModel
from isobudget.ranking.rank import BenchmarkRanking
from isobudget.report.tables.sentence import with_unit

_MOST_COLUMNS = 7


def ranking_grids(ranking: BenchmarkRanking) -> list[Grid]:
    """All tables of one benchmark."""
    grids = [_model_grid(ranking, model) for model in ranking.models]
    grids.append(_quality_grid(ranking))
    units = dict.fromkeys(unit for model in ranking.models for unit in model.samples.prices)
    return grids + [grid for unit in units if (grid := _budget_grid(ranking, unit)) is not None]


def shown_k(k_max: int) -> list[int]:
    """Powers of two up to k_max, the largest ones if there are many, and k_max."""
    powers = [2**power for power in range(k_max.bit_length()) if 2**power <= k_max]
    return list(dict.fromkeys([1, *powers[1:][-(_MOST_COLUMNS - 2) :], k_max]))


def _model_grid(ranking: BenchmarkRanking, model: RankedModel) -> Grid:
    pool, first = model.samples.pool, model.ranked[0]
    ks = shown_k(first.k_max)
    rows = []
    for one in model.ranked:
        ends = _interval(float(one.low[-1]), float(one.high[-1])) or "-"
        rows.append((one.ranker, *(f"{100 * one.success[k - 1]:.2f}" for k in ks), ends))
    level = f"{ranking.bootstrap.level:.0%} at k={ks[-1]}"
    n = f"{pool.sizes.min()}" if pool.sizes.min() == pool.sizes.max() else f"{pool.sizes.min()} to {pool.sizes.max()}"
    title = (
        f"{pool.model}, {ranking.benchmark or 'samples'}: {len(pool.problems):,} problems, n = {n}{_filter(ranking)}"
    )
    caption = [
        f"Success in percent of the sample chosen from k without tests. k above {max(first.k_max // 2, 1)} hangs on "
        "few samples. " + _ways(model.ranked)
    ]
    if (greedy := model.samples.greedy) is not None:
        ends = _interval(greedy.low, greedy.high)
        caption.append(f"Its greedy output solves {100 * greedy.success:.2f}" + (f" ({ends})." if ends else "."))
    if model.samples.left_out:
        caption.append(f"{model.samples.left_out} samples have no verdict and are left out.")
    columns = ("Ranker", *(f"k={k}" for k in ks), level)
    return Grid(title, columns, tuple(rows), notes=(*caption, *_notes(model.ranked)))


def _filter(ranking: BenchmarkRanking) -> str:
    return f", filter: {ranking.filter}" if ranking.filter else ""


def _notes(ranked: Sequence[Ranked]) -> Iterator[str]:
    """Each note once, after the rankers that it is about."""
    about: dict[str, list[str]] = {}
    for one in ranked:
        for text in one.notes:
            about.setdefault(text, []).append(one.ranker)
    yield from (f"{', '.join(names)}: {text}." for text, names in about.items())


def _interval(low: float, high: float) -> str:
    """In percent; nothing for one that a single problem does not give."""
    return "" if math.isnan(low) else f"{100 * low:.1f}-{100 * high:.1f}"


def _ways(ranked: Sequence[Ranked]) -> str:
    estimated = [one for one in ranked if one.monte_carlo is not None]
    exact = "Per-sample rankers: rank-score@k, exact for these samples."
    if not estimated:
        return exact
    error = max(float(one.monte_carlo.max()) for one in estimated if one.monte_carlo is not None)
    names = ", ".join(one.ranker for one in estimated)
    return f"{exact} By random prefixes, with an error of at most {100 * error:.2f} points of their own: {names}."


def _quality_grid(ranking: BenchmarkRanking) -> Grid:
    rows = []
    measured = [(model, one) for model in ranking.models for one in model.ranked]
    for model, one in measured:
        if one.auc is None:
            continue
        found, value = one.auc, one.calibration
        ranker = one.ranker if len(ranking.models) == 1 else f"{model.model}, {one.ranker}"
        counted = f"{one.undefined:,}", f"{one.set_aside:,}"
        rows.append((ranker, _area(found), f"{found.problems}", *_calibrated(value), *counted))
    k = " or ".join(map(str, dict.fromkeys(one.calibration.k for _, one in measured if one.calibration is not None)))
    note = (
        "AUC within problems that have right and wrong samples (0.5: chance); of rankers by set, of all n samples "
        f"together. Calibration of the sample chosen from k = {k}, cross-fitted by problem: Brier score, in brackets "
        "that of saying the mean; expected calibration error. No score: NaN, they rank last; set aside: cut off or "
        "filtered, they rank last too."
    )
    columns = ("Ranker", "AUC", "problems", "Brier", "ECE", "no score", "set aside")
    return Grid(
        f"{ranking.benchmark or 'Rankers'}: how far the scores can be trusted{_filter(ranking)}",
        columns,
        tuple(rows),
        notes=(note,),
    )


def _area(found: Auc) -> str:
    """The AUC with its interval, which a single problem does not give."""
    if math.isnan(found.value):
        return "-"
    return f"{found.value:.3f}" + ("" if math.isnan(found.low) else f" ({found.low:.3f}-{found.high:.3f})")


def _calibrated(value: Calibration | None) -> tuple[str, str]:
    if value is None or math.isnan(value.brier):
        return "-", "-"
    return f"{value.brier:.3f} ({value.brier_reference:.3f})", f"{value.ece:.3f}"


# at equal budget ------------------------------------------------------------------------------------------------------


def _budget_grid(ranking: BenchmarkRanking, unit: Unit) -> Grid | None:
    budgets = list(_budgets(ranking, unit))
    rows, unknown = [], []
    for model in ranking.models:
        for one in model.ranked:
            if unit not in one.free:
                continue
            label = f"{model.model}, {one.ranker}"
            rows.append((label, *(_cell(one.free[unit], budget) for _, budget, _ in budgets)))
            if one.ranker != "random" and unit in one.charged and one.charged[unit].price != one.free[unit].price:
                rows.append((f"{label}, charged", *(_cell(one.charged[unit], budget) for _, budget, _ in budgets)))
            elif unit not in one.charged:
                unknown.append(one.ranker)
    if not rows or not budgets:
        return None
    for place, (what, budget, success) in enumerate(budgets):
        cells = ["" for _ in budgets]
        cells[place] = f"{100 * success:.1f}"
        rows.append((f"{what}: {with_unit(budget, unit)}", *cells))
    note = (
        "Cells: success in percent (k); each column is the price of the output that the last rows name, per problem. "
        "charged: the ranker's own cost is paid for as well. > all samples used. ? k above half the samples."
    )
    notes = [note]
    if unknown:
        notes.append(
            f"The ranker's own cost is not known in {unit}, so it is not charged: {', '.join(dict.fromkeys(unknown))}."
        )
    columns = ("Model and ranker", *(f"({place})" for place in range(1, len(budgets) + 1)))
    return Grid(
        f"{ranking.benchmark}: at equal budget, by {unit}{_filter(ranking)}", columns, tuple(rows), notes=tuple(notes)
    )


def _budgets(ranking: BenchmarkRanking, unit: Unit) -> Iterator[tuple[str, float, float]]:
    """What is compared with: name, price per problem and success of single outputs."""
    for model in ranking.models:
        price, greedy = model.samples.prices.get(unit), model.samples.greedy
        if price is not None:
            yield f"{model.model}, one sample", price.cost(1), float(model.ranked[0].success[0])
        if greedy is not None and unit in greedy.cost:
            yield f"{model.model}, greedy", greedy.cost[unit], greedy.success


def _cell(curve: Curve, budget: float) -> str:
    point = curve.at(budget)
    if not point.k:
        return "-"
    return f"{'>' if point.capped else ''}{100 * point.success:.1f} ({point.k:,}){'' if point.trusted else '?'}"


# JSON -----------------------------------------------------------------------------------------------------------------


def ranking_json(ranking: BenchmarkRanking) -> dict[str, Any]:
    """Everything as plain values; success in [0, 1]."""
    whole = {
        "benchmark": ranking.benchmark,
        "level": ranking.bootstrap.level,
        "filter": ranking.filter,
        "models": [_model_json(model) for model in ranking.models],
    }
    plain: dict[str, Any] = json_value(whole)
    return plain


def _model_json(model: RankedModel) -> dict[str, Any]:
    samples, greedy = model.samples, model.samples.greedy
    return {
        "model": model.model,
        "problems": len(samples.pool.problems),
        "n_min": int(samples.pool.sizes.min()),
        "n_max": int(samples.pool.sizes.max()),
        "left_out": samples.left_out,
        "greedy": {
            **{name: None if greedy is None else getattr(greedy, name) for name in ("success", "low", "high")},
            "cost": {} if greedy is None else {str(unit): cost for unit, cost in greedy.cost.items()},
        },
        "unpriced": {str(unit): why for unit, why in samples.unpriced.items()},
        "rankers": [_ranked_json(one) for one in model.ranked],
    }


def _ranked_json(one: Ranked) -> dict[str, Any]:
    return {
        "ranker": one.ranker,
        "exact": one.exact,
        "k": list(range(1, one.k_max + 1)),
        "success": one.success.tolist(),
        "low": one.low.tolist(),
        "high": one.high.tolist(),
        "monte_carlo_error": None if one.monte_carlo is None else one.monte_carlo.tolist(),
        "cost": {
            str(unit): {
                "free": curve.cost.tolist(),
                "charged": one.charged[unit].cost.tolist() if unit in one.charged else None,
                "source": one.charged[unit].price.source if unit in one.charged else curve.price.source,
            }
            for unit, curve in one.free.items()
        },
        "scoring": {
            "source": one.spending.source,
            "amounts": {
                str(unit): {"per_problem": amount.per_problem, "per_sample": amount.per_sample}
                for unit, amount in one.spending.amounts.items()
            },
        },
        "auc": None
        if one.auc is None
        else {name: getattr(one.auc, name) for name in ("value", "low", "high", "problems")},
        "calibration": None if one.calibration is None else _calibration_json(one.calibration),
        "no_score": one.undefined,
        "set_aside": one.set_aside,
        "notes": list(one.notes),
    }


def _calibration_json(found: Calibration) -> dict[str, Any]:
    return {
        "k": found.k,
        "brier": found.brier,
        "brier_of_the_mean": found.brier_reference,
        "ece": found.ece,
        "problems": found.problems,
        "reliability": [
            {name: getattr(row, name) for name in ("low", "high", "predicted", "right", "weight")} for row in found.bins
        ],
    }
