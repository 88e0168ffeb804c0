"""A comparison laid out for printing, and as flat records for CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from isobudget.curves.compare import Best, Comparison
from isobudget.curves.curve import TESTS, Point
from isobudget.curves.sentence import with_unit
from isobudget.grid import Grid

#: letters of all labels together that leave room for the figures at 80 columns
_WIDEST = 30

BUDGET_NOTE = (
    "Cells: success in percent (k). Budgets and costs are per problem. - cannot afford one sample. > all recorded "
    "samples used, the budget would pay for more. ? k above half the recorded samples. Best of a row: bold, or * where "
    "there is no bold; clear against: the paired interval of the difference excludes 0."
)


def comparison_grids(comparison: Comparison) -> list[Grid]:
    """All tables of a comparison: its models, success at equal budget, budget for a given success, and flips."""
    short = short_labels([curve.label for curve in comparison.curves])
    grids = [_model_grid(comparison, short), _budget_grid(comparison, short)]
    if len(comparison.curves) > 1:
        grids += [_reach_grid(comparison, short), _flip_grid(comparison, short)]
    return grids


def short_labels(labels: Sequence[str]) -> dict[str, str]:
    """Labels without what they all begin and end with, cut at a boundary, if they are too long for a heading."""
    if len(labels) < 2 or sum(len(label) for label in labels) <= _WIDEST:
        return {label: label for label in labels}
    parts = [re.split(r"(?<=[-_/ ])|(?=[-_/ ])", label) for label in labels]
    start = _common(parts)
    end = _common([part[start:][::-1] for part in parts])
    short = ["".join(part[start : len(part) - end]).strip("-_/ ") for part in parts]
    usable = all(short) and len(set(short)) == len(short)
    return dict(zip(labels, short if usable else labels, strict=True))


def _common(parts: Sequence[Sequence[str]]) -> int:
    """How many parts all begin with."""
    differ = (at for at, column in enumerate(zip(*parts, strict=False)) if len(set(column)) > 1)
    return next(differ, min(len(part) for part in parts))


def _model_grid(comparison: Comparison, short: dict[str, str]) -> Grid:
    title = f"{comparison.benchmark or 'models'}: {len(comparison.curves[0].task_ids):,} problems"
    rows = []
    sources: dict[str, list[str]] = {}
    for curve in comparison.curves:
        name = short[curve.label]
        text = curve.label if name == curve.label else f"{name} = {curve.label}"
        price, ends = curve.price, f"{curve.low[0]:.1%} - {curve.high[0]:.1%}"
        rows.append((text, f"{curve.k_max:,}", with_unit(price.cost(1), curve.unit), f"{curve.success[0]:.1%}", ends))
        shared = f", of which {with_unit(price.per_problem, curve.unit)} once a problem" if price.per_problem else ""
        sources.setdefault(price.source + shared, []).append(name)
    columns = ("Model", "n", "one sample", "solves", f"{comparison.bootstrap.level:.0%} interval")
    return Grid(title, columns, tuple(rows), notes=(_sources(sources), *comparison.notes))


def _sources(names: dict[str, list[str]]) -> str:
    """Where the costs come from, models of one source together."""
    return "Cost of a sample. " + " ".join(f"{', '.join(models)}: {source}." for source, models in names.items())


def _budget_grid(comparison: Comparison, short: dict[str, str]) -> Grid:
    labels = [curve.label for curve in comparison.curves]
    rows, marked = [], set()
    for y, best in enumerate(comparison.best):
        points = comparison.points(best.budget)
        cells = (_cell(points[label]) for label in labels)
        rows.append((with_unit(best.budget, comparison.unit), *cells, _interval(best), _clear(best, short)))
        if best.model is not None:
            marked.add((y, labels.index(best.model) + 1))
    level = f"{comparison.bootstrap.level:.0%} of best"
    columns = ("Budget", *(short[label] for label in labels), level, "clear against")
    title = f"{comparison.benchmark or 'Success'} at equal budget, by {comparison.unit}"
    kinds = {curve.selection for curve in comparison.curves} - {TESTS}
    chosen = (
        f"The sample is chosen by {' or '.join(sorted(kinds))} where a label says so, else by all tests. "
        if kinds
        else ""
    )
    return Grid(title, columns, tuple(rows), frozenset(marked), (chosen + BUDGET_NOTE,))


def _cell(point: Point) -> str:
    if point.k == 0:
        return "-"
    return f"{'>' if point.capped else ''}{100 * point.success:.1f} ({point.k:,}){'' if point.trusted else '?'}"


def _interval(best: Best) -> str:
    return "" if math.isnan(best.low) else f"{100 * best.low:.1f}-{100 * best.high:.1f}"


def _clear(best: Best, short: dict[str, str]) -> str:
    if best.model is None or not (best.clear_against or best.unclear_against):
        return ""
    if not best.unclear_against:
        return "all"
    return ", ".join(short[label] for label in best.clear_against) or "none"


def _reach_grid(comparison: Comparison, short: dict[str, str]) -> Grid:
    labels = [curve.label for curve in comparison.curves]
    rows, marked = [], set()
    for y, reach in enumerate(comparison.reach()):
        cells = []
        for label in labels:
            k, saving = reach.k[label], reach.saving(label)
            saved = "" if label == reach.cheapest or math.isnan(saving) else f" {saving:.0%}"
            cells.append("-" if k is None else f"{with_unit(reach.budget[label], comparison.unit)} ({k:,}){saved}")
        rows.append((f"{reach.success:.0%}", *cells))
        if reach.cheapest is not None:
            marked.add((y, labels.index(reach.cheapest) + 1))
    note = "Smallest budget (k), and how much of it the cheapest model saves. - not reached with the recorded samples."
    title = f"{comparison.benchmark or 'Models'}: budget for a given success"
    return Grid(title, ("Success", *(short[label] for label in labels)), tuple(rows), frozenset(marked), (note,))


def _flip_grid(comparison: Comparison, short: dict[str, str]) -> Grid:
    flips = comparison.flips
    ks = [2**power for power in range(8) if any(flip.k_dear == 2**power for flip in flips)]
    by_place = {(flip.cheap, flip.dear, flip.k_dear): flip for flip in flips}
    rows = []
    for cheap, dear in dict.fromkeys((flip.cheap, flip.dear) for flip in flips):
        cells = []
        for k in ks:
            flip = by_place.get((cheap, dear, k))
            cells.append("" if flip is None else "never" if flip.k_cheap is None else f"{flip.ratio:.3g}")
        first = by_place[cheap, dear, 1]
        low, high = (f"{end:.2g}" if not math.isnan(end) else "?" for end in (first.low, first.high))
        rows.append((f"{short[cheap]} / {short[dear]}", *cells, f"{low}-{high}", f"{first.now:.2f}"))
    note = (
        "The cheap model reaches k samples of the dear one, and wins, while one dear sample costs more than this many "
        "cheap ones. never: not within the recorded samples."
    )
    title = f"{comparison.benchmark or 'Models'}: the cost ratio at which the verdict flips"
    interval = f"{comparison.bootstrap.level:.0%} at k=1"
    return Grid(title, ("Cheap / dear", *(f"k={k}" for k in ks), interval, "now"), tuple(rows), notes=(note,))


def curve_records(comparison: Comparison) -> list[dict[str, Any]]:
    """Every point of every curve as flat records, one per model and k."""
    return [
        {
            "benchmark": comparison.benchmark,
            "unit": str(comparison.unit),
            "model": curve.model,
            "selection": curve.selection,
            "k": k,
            "cost": float(curve.cost[k - 1]),
            "success": float(curve.success[k - 1]),
            "low": float(curve.low[k - 1]),
            "high": float(curve.high[k - 1]),
            "trusted": k <= curve.trusted_k,
            "cost_source": curve.price.source,
        }
        for curve in comparison.curves
        for k in range(1, curve.k_max + 1)
    ]
