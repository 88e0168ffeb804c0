"""The tables of a comparison, for printing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from isobudget.curves import FIRST_PASS, TESTS, Best, Beyond, Comparison, Point
from isobudget.grid import Grid, counted, headed, interval, percent, with_unit
from isobudget.report.tables.labels import REST, prompt_note, shared_part, short_names, sources_note
from isobudget.report.tables.pairs import crossing_table, flip_table, reach_table
from isobudget.report.tables.sentence import EXPECTED
from isobudget.report.tables.terminal import POINT_SYMBOLS, legend, point_cell

__all__ = ["clear_note", "comparison_grids", "equal_budget_table", "flip_table"]


def comparison_grids(comparison: Comparison) -> list[Grid]:
    """All tables: models, success at equal budget, budget for a success, crossings, flips, extrapolation.

    Budgets for a success, crossings and flips are left out for a single model, and if no model solves anything.
    """
    grids = [_models(comparison), equal_budget_table(comparison)]
    flips = flip_table(comparison)
    if flips is not None and comparison.reach():
        grids += [reach_table(comparison), crossing_table(comparison), flips]
    return [*grids, _guesses(comparison)] if comparison.beyond else grids


def _models(comparison: Comparison) -> Grid:
    short, rows = short_names(comparison), []
    priced: list[tuple[str, str]] = []
    for curve in comparison.curves:
        name, price = short[curve.label], curve.price
        text = curve.label if name == curve.label else f"{name} = {curve.label}"
        ends = interval(curve.low[0], curve.high[0])
        rows.append((text, f"{curve.k_max:,}", with_unit(price.cost(1), curve.unit), percent(curve.success[0]), ends))
        priced.append((name, price.source + shared_part(price, curve.unit)))
    every = len({source for _, source in priced}) == 1 and len(rows) > 2
    note = f"all: {priced[0][1]}." if every else sources_note(priced)
    return Grid(
        headed(comparison.benchmark, counted(len(comparison.curves[0].task_ids), "problem")),
        ("Model", "n", "one sample", "solves, %", f"{comparison.bootstrap.level:.0%} interval"),
        tuple(rows),
        notes=(f"Cost of a sample. {note}", *comparison.notes),
    )


def equal_budget_table(comparison: Comparison) -> Grid:
    """Success of every model at each budget, the best marked.

    The narrow form shows only the best model and the runner-up.
    """
    short, labels = short_names(comparison), [curve.label for curve in comparison.curves]
    points = [comparison.points(best.budget) for best in comparison.best]
    cells = [tuple(map(point_cell, row.values())) for row in points]
    several = len(labels) > 1
    rows = tuple(
        (
            with_unit(best.budget, comparison.unit),
            *row,
            interval(best.low, best.high),
            *([_clear(best, comparison)] if several else []),
        )
        for best, row in zip(comparison.best, cells, strict=True)
    )
    level = f"{comparison.bootstrap.level:.0%}"
    return Grid(
        _title(comparison),
        ("Budget", *short.values(), f"{level} of best", *(["clear against"] if several else [])),
        rows,
        frozenset(
            (y, labels.index(best.model) + 1) for y, best in enumerate(comparison.best) if best.model is not None
        ),
        _notes(comparison),
        legend(cells, POINT_SYMBOLS),
        words=(0, len(labels) + 2) if several else (0,),
        narrow=_best_two(comparison, points) if several else None,
    )


def _title(comparison: Comparison) -> str:
    expected = "expected " * (comparison.stop == FIRST_PASS)
    return f"{comparison.benchmark or 'Success'} at equal {expected}budget, by {comparison.unit}"


def _notes(comparison: Comparison) -> tuple[str, ...]:
    kinds = sorted({curve.selection for curve in comparison.curves} - {TESTS})
    chosen = f"The sample is chosen by {' or '.join(kinds)} where a label says so, else by all tests."
    return (
        *([chosen] if kinds else []),
        "Cells: success in percent (k). Budgets and costs are per problem.",
        prompt_note(comparison),
        *([clear_note(comparison)] if len(comparison.curves) > 1 else []),
        *([EXPECTED] if comparison.stop == FIRST_PASS else []),
    )


def _best_two(comparison: Comparison, points: Sequence[dict[str, Point]]) -> Grid:
    """The best model at each budget and the runner-up."""
    short, rows = short_names(comparison), []
    for best, row in zip(comparison.best, points, strict=True):
        behind = sorted(best.affordable[1:], key=lambda label, row=row: -row[label].success)  # type: ignore[misc]
        two = [label for label in (best.model, *behind[:1]) if label is not None]
        cells = [text for label in two for text in (short[label], point_cell(row[label]))]
        clear = "" if len(two) < 2 else "yes" if two[1] in comparison.clear_against(best) else "no"
        rows.append((with_unit(best.budget, comparison.unit), *[*cells, "-", "-", "-", "-"][:4], clear))
    return Grid(
        _title(comparison),
        ("Budget", "best", "solves", "runner-up", "solves", "clear"),
        tuple(rows),
        notes=(f"The best two of {len(comparison.curves)} models at each budget. {REST}", *_notes(comparison)),
        legend=legend(([*row[2:3], *row[4:5]] for row in rows), POINT_SYMBOLS),
        words=(1, 3),
    )


def clear_note(comparison: Comparison) -> str:
    """The explanation of the last column of the table at equal budget."""
    return f"clear against: {clear_means(comparison)}"


def clear_means(comparison: Comparison) -> str:
    """What a clear lead means in a table of this comparison, and how many budgets it covers."""
    level, budgets = f"{comparison.bootstrap.level:.0%}", counted(len(comparison.best), "budget")
    if comparison.simultaneous or len(comparison.best) == 1:
        return f"{level} confidence, all models and the table's {budgets} tested together"
    each = f"{level} confidence, all models of a row tested together, each of the {budgets} by itself"
    whole = "" if comparison.bootstrap.simultaneous is False else "; the recommendation tests all budgets together"
    return each + whole


def _clear(best: Best, comparison: Comparison) -> str:
    rivals, clear, short = best.affordable[1:], comparison.clear_against(best), short_names(comparison)
    if not rivals:
        return ""
    if set(clear) == set(rivals):
        return "all"
    return ", ".join(short[label] for label in clear) or "none"


def _guesses(comparison: Comparison) -> Grid:
    from isobudget.statistics.extrapolation import LABEL, WARNING

    short = short_names(comparison)
    rows = tuple(row for beyond in comparison.beyond for row in _guess_rows(beyond, comparison, short))
    note = (
        "Success in percent, with a band that spans both extrapolations. It assumes that the extrapolations are right; "
        f"where they differ, trust neither. {WARNING} No recommendation above uses these numbers."
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
