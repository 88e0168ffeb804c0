"""A comparison laid out for printing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from isobudget.curves import FIRST_PASS, TESTS, Best, Beyond, Comparison, Crossing
from isobudget.curves.crossings import Lead, leads
from isobudget.grid import Grid, counted, interval, percent, ratio, with_unit
from isobudget.report.tables.sentence import EXPECTED
from isobudget.report.tables.terminal import POINT_SYMBOLS, legend, point_cell

#: letters of all labels together that leave room for the figures at 80 columns
_WIDEST = 30
#: crossings of a pair that a table has room for
_MOST_CROSSINGS = 6


def comparison_grids(comparison: Comparison) -> list[Grid]:
    """All tables of a comparison: models, success at equal budget, budget for a success, crossings, flips, guesses."""
    grids = [_models(comparison), equal_budget_table(comparison)]
    flips = flip_table(comparison)
    if flips is not None:
        grids += [_reach(comparison), _crossings(comparison), flips]
    return [*grids, _guesses(comparison)] if comparison.beyond else grids


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


def _short(comparison: Comparison) -> dict[str, str]:
    return short_labels([curve.label for curve in comparison.curves])


def _models(comparison: Comparison) -> Grid:
    short, rows = _short(comparison), []
    sources: dict[str, list[str]] = {}
    for curve in comparison.curves:
        name, price = short[curve.label], curve.price
        text = curve.label if name == curve.label else f"{name} = {curve.label}"
        ends = interval(curve.low[0], curve.high[0])
        rows.append((text, f"{curve.k_max:,}", with_unit(price.cost(1), curve.unit), percent(curve.success[0]), ends))
        shared = f", of which {with_unit(price.per_problem, curve.unit)} once per problem" if price.per_problem else ""
        sources.setdefault(price.source + shared, []).append(name)
    priced = " ".join(f"{', '.join(models)}: {source}." for source, models in sources.items())
    return Grid(
        f"{comparison.benchmark or 'models'}: {len(comparison.curves[0].task_ids):,} problems",
        ("Model", "n", "one sample", "solves, %", f"{comparison.bootstrap.level:.0%} interval"),
        tuple(rows),
        notes=(f"Cost of a sample. {priced}", *comparison.notes),
    )


def equal_budget_table(comparison: Comparison) -> Grid:
    """Success of every model at each budget, the best marked."""
    short, labels = _short(comparison), [curve.label for curve in comparison.curves]
    points = [list(comparison.points(best.budget).values()) for best in comparison.best]
    cells = [tuple(map(point_cell, row)) for row in points]
    rows = tuple(
        (with_unit(best.budget, comparison.unit), *row, interval(best.low, best.high), _clear(best, comparison))
        for best, row in zip(comparison.best, cells, strict=True)
    )
    expected = comparison.stop == FIRST_PASS
    kinds = sorted({curve.selection for curve in comparison.curves} - {TESTS})
    chosen = (
        [f"The sample is chosen by {' or '.join(kinds)} where a label says so, else by all tests."] if kinds else []
    )
    clear = [f"clear against: {clear_means(comparison)}"] if len(labels) > 1 else []
    return Grid(
        f"{comparison.benchmark or 'Success'} at equal {'expected ' * expected}budget, by {comparison.unit}",
        ("Budget", *short.values(), f"{comparison.bootstrap.level:.0%} of best", "clear against"),
        rows,
        frozenset(
            (y, labels.index(best.model) + 1) for y, best in enumerate(comparison.best) if best.model is not None
        ),
        (
            *chosen,
            "Cells: success in percent (k). Budgets and costs are per problem.",
            *legend(cells, POINT_SYMBOLS),
            *clear,
            *([EXPECTED] if expected else []),
        ),
    )


def clear_means(comparison: Comparison) -> str:
    """What a clear lead is in a table of this comparison, and of how many budgets that speaks."""
    level, budgets = f"{comparison.bootstrap.level:.0%}", counted(len(comparison.best), "budget")
    if comparison.simultaneous or len(comparison.best) == 1:
        return f"{level} sure, all models and the table's {budgets} together"
    each = f"{level} sure, all models of a row together, each of the {budgets} by itself"
    whole = "" if comparison.bootstrap.simultaneous is False else "; the recommendation: all budgets together"
    return each + whole


def _clear(best: Best, comparison: Comparison) -> str:
    rivals, clear, short = best.affordable[1:], comparison.clear_against(best), _short(comparison)
    if not rivals:
        return ""
    if set(clear) == set(rivals):
        return "all"
    return ", ".join(short[label] for label in clear) or "none"


def _reach(comparison: Comparison) -> Grid:
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
    note = "Cells: smallest budget (k), and how much of it the cheapest model saves."
    symbols = legend((row[1:] for row in rows), {"-": "not reached with the recorded samples"})
    title = f"{comparison.benchmark or 'Models'}: budget for a given success"
    return Grid(title, ("Success", *_short(comparison).values()), tuple(rows), frozenset(marked), (note, *symbols))


def _crossings(comparison: Comparison) -> Grid:
    short = _short(comparison)
    rows = tuple(
        (f"{short[one]} / {short[other]}", _changes(one, other, crossings, comparison))
        for (one, other), crossings in comparison.all_crossings().items()
    )
    note = (
        "Budgets at which the lead changes, and who leads from there, as far as both have samples; chance is not ruled "
        "out."
    )
    title = f"{comparison.benchmark or 'Models'}: where the lead changes"
    return Grid(title, ("Models", "Lead changes at"), rows, notes=(note,))


def _changes(one: str, other: str, crossings: Sequence[Crossing], comparison: Comparison) -> str:
    short, unit = _short(comparison), comparison.unit
    if not crossings:
        return _unchanged(list(leads(comparison.curve(one), comparison.curve(other))), comparison)
    shown = [f"{with_unit(change.budget, unit)} to {short[change.leader]}" for change in crossings[:_MOST_CROSSINGS]]
    more = [f"{len(crossings) - len(shown)} more"] if len(crossings) > len(shown) else []
    return "; ".join(shown + more)


def _unchanged(shared: Sequence[Lead], comparison: Comparison) -> str:
    """Who leads throughout, and from where to where both have samples."""
    if not shared:
        return "no budget at which both have samples"
    leader = next((lead.leader for lead in shared if lead.leader is not None), None)
    ends = dict.fromkeys(with_unit(lead.budget, comparison.unit) for lead in (shared[0], shared[-1]))
    where = "at " + next(iter(ends)) if len(ends) == 1 else "from " + " to ".join(ends)
    return f"never: {'level' if leader is None else f'{_short(comparison)[leader]} leads'} {where}"


def flip_table(comparison: Comparison) -> Grid | None:
    """The cost ratio at which the verdict on each pair of models flips; None for a single model."""
    if len(comparison.curves) < 2:
        return None
    short, flips = _short(comparison), comparison.flips
    ks = [2**power for power in range(8) if any(flip.k_dear == 2**power for flip in flips)]
    rows = []
    for (cheap, dear), pair in groupby(flips, key=lambda flip: (flip.cheap, flip.dear)):
        by_k = {flip.k_dear: flip for flip in pair}
        cells = ("" if k not in by_k else "never" if by_k[k].k_cheap is None else ratio(by_k[k].ratio) for k in ks)
        first = by_k[1]
        ends = f"{ratio(first.low, '.2g')}-{ratio(first.high, '.2g')}"
        rows.append((f"{short[cheap]} / {short[dear]}", *cells, ends, ratio(first.now, ".2f")))
    note = (
        "The cheaper model reaches k samples of the dearer one, and wins, while the price of one of these pays for "
        "more than this many further samples of the cheaper, a shared prompt aside. now: how many it pays for."
    )
    if comparison.stop == FIRST_PASS:
        note += " k is the most samples; the ratio counts those generated on average."
    meanings = {"never": "not within the recorded samples", "?": "an end that the recorded samples do not reach"}
    return Grid(
        f"{comparison.benchmark or 'Models'}: the cost ratio at which the verdict flips",
        ("Cheap / dear", *(f"k={k}" for k in ks), f"{comparison.bootstrap.level:.0%} at k=1", "now"),
        tuple(rows),
        notes=(note, *legend((row[1:] for row in rows), meanings)),
    )


def _guesses(comparison: Comparison) -> Grid:
    from isobudget.statistics.extrapolation import LABEL

    short = _short(comparison)
    rows = tuple(row for beyond in comparison.beyond for row in _guess_rows(beyond, comparison, short))
    note = (
        "Success in percent with a band that takes the model to be true; where the two differ, trust neither. "
        "No verdict above rests on these numbers."
    )
    reasons = (f"{short[one.label]}: no guess, {one.reason}." for one in comparison.beyond if one.reason)
    title = f"{comparison.benchmark or 'Success'}: {LABEL}"
    return Grid(title, ("Model", "k", "cost", "beta-binomial", "power law"), rows, notes=(note, *reasons))


def _guess_rows(beyond: Beyond, comparison: Comparison, short: dict[str, str]) -> Iterator[tuple[str, ...]]:
    guesses = beyond.by_model()
    for at, k in enumerate(beyond.k.tolist() if guesses else []):
        cells = (
            percent(one.success[at])
            + ("" if math.isnan(one.success[at]) else f" ({interval(one.low[at], one.high[at])})")
            for one in guesses
        )
        yield (short[beyond.label], f"{k:,}", with_unit(float(beyond.cost[at]), comparison.unit), *cells)
