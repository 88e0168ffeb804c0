"""A comparison laid out for printing, and as flat records for CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from isobudget.curves.beyond import Beyond, beyond_records
from isobudget.curves.compare import Best, Comparison, Crossing
from isobudget.curves.curve import TESTS, Point
from isobudget.curves.stopping import FIRST_PASS
from isobudget.grid import Grid
from isobudget.report.tables.sentence import EXPECTED, with_unit

#: letters of all labels together that leave room for the figures at 80 columns
_WIDEST = 30
#: crossings of a pair that a table has room for
_MOST_CROSSINGS = 6

BUDGET_NOTE = (
    "Cells: success in percent (k). Budgets and costs are per problem. - cannot afford one sample. > all recorded "
    "samples used, the budget would pay for more. ? k above half the recorded samples. Best of a row: bold, or * where "
    "there is no bold; clear against: the paired interval of the difference excludes 0."
)


def comparison_grids(comparison: Comparison) -> list[Grid]:
    """All tables of a comparison: models, success at equal budget, budget for a success, crossings, flips, guesses."""
    short = short_labels([curve.label for curve in comparison.curves])
    grids = [_model_grid(comparison, short), _budget_grid(comparison, short)]
    if len(comparison.curves) > 1:
        grids += [_reach_grid(comparison, short), _crossing_grid(comparison, short), _flip_grid(comparison, short)]
    if comparison.beyond:
        grids.append(_beyond_grid(comparison, short))
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
    expected = comparison.stop == FIRST_PASS
    kind = "equal expected budget" if expected else "equal budget"
    title = f"{comparison.benchmark or 'Success'} at {kind}, by {comparison.unit}"
    kinds = {curve.selection for curve in comparison.curves} - {TESTS}
    chosen = (
        f"The sample is chosen by {' or '.join(sorted(kinds))} where a label says so, else by all tests. "
        if kinds
        else ""
    )
    note = chosen + BUDGET_NOTE + (f" {EXPECTED}" if expected else "")
    return Grid(title, columns, tuple(rows), frozenset(marked), (note,))


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


def _crossing_grid(comparison: Comparison, short: dict[str, str]) -> Grid:
    rows = []
    for (one, other), crossings in comparison.all_crossings().items():
        rows.append((f"{short[one]} / {short[other]}", _changes(crossings, comparison, short)))
    note = (
        "Budgets at which the lead changes, and who then leads, as far as both have samples; chance is not ruled out."
    )
    title = f"{comparison.benchmark or 'Models'}: where the lead changes"
    return Grid(title, ("Models", "Lead changes at"), tuple(rows), notes=(note,))


def _changes(crossings: Sequence[Crossing], comparison: Comparison, short: dict[str, str]) -> str:
    shown = [f"{with_unit(one.budget, comparison.unit)} to {short[one.leader]}" for one in crossings[:_MOST_CROSSINGS]]
    more = [f"{len(crossings) - len(shown)} more"] if len(crossings) > len(shown) else []
    return "; ".join(shown + more) or "never"


def _beyond_grid(comparison: Comparison, short: dict[str, str]) -> Grid:
    from isobudget.statistics.extrapolation import LABEL

    rows: list[tuple[str, ...]] = []
    for beyond in comparison.beyond:
        rows += _beyond_rows(beyond, comparison, short)
    note = (
        "Success in percent with a band that holds the model for true; where the two differ, neither is to be trusted. "
        "No verdict above rests on these numbers."
    )
    reasons = (f"{short[one.label]}: no guess, {one.reason}." for one in comparison.beyond if one.reason)
    title = f"{comparison.benchmark or 'Success'}: {LABEL}"
    return Grid(title, ("Model", "k", "cost", "beta-binomial", "power law"), tuple(rows), notes=(note, *reasons))


def _beyond_rows(beyond: Beyond, comparison: Comparison, short: dict[str, str]) -> list[tuple[str, ...]]:
    rows = []
    guesses = beyond.by_model()
    for at, k in enumerate(beyond.k.tolist() if guesses else []):
        cells = (
            "-"
            if math.isnan(one.success[at])
            else f"{_hundred(one.success[at])} ({_hundred(one.low[at])}-{_hundred(one.high[at])})"
            for one in guesses
        )
        rows.append((short[beyond.label], f"{k:,}", with_unit(float(beyond.cost[at]), comparison.unit), *cells))
    return rows


def _hundred(share: float) -> str:
    return f"{100 * share:.1f}"


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
    if comparison.stop == FIRST_PASS:
        note += " k is the most samples; the ratio counts those drawn on average."
    title = f"{comparison.benchmark or 'Models'}: the cost ratio at which the verdict flips"
    interval = f"{comparison.bootstrap.level:.0%} at k=1"
    return Grid(title, ("Cheap / dear", *(f"k={k}" for k in ks), interval, "now"), tuple(rows), notes=(note,))


def curve_records(comparison: Comparison) -> list[dict[str, Any]]:
    """Every point of every curve as flat records, one per model and k; guesses beyond them have another `kind`."""
    points = [
        {
            "label": curve.label,
            "kind": "estimate",
            "k": k,
            "cost": cost,
            "success": float(curve.success[k - 1]),
            "low": float(curve.low[k - 1]),
            "high": float(curve.high[k - 1]),
        }
        for curve in comparison.curves
        for k, cost in enumerate(curve.cost.tolist(), start=1)
    ]
    return [_record(comparison, point) for point in (*points, *beyond_records(comparison.beyond))]


def _record(comparison: Comparison, point: dict[str, Any]) -> dict[str, Any]:
    curve = comparison.curve(point.pop("label"))
    return {
        "benchmark": comparison.benchmark,
        "unit": str(comparison.unit),
        "model": curve.model,
        "selection": curve.selection,
        "stop": curve.stop,
        **point,
        "trusted": point["k"] <= curve.trusted_k,
        "cost_source": curve.price.source,
    }
