"""Tables of pairs of models: budgets for a success, where the lead changes, where the winner flips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, groupby

from isobudget.curves import FIRST_PASS, Comparison, Crossing, Flip
from isobudget.curves.compare import Reach
from isobudget.curves.crossings import Lead, leads
from isobudget.curves.pairs import ALL, pairs_that_matter
from isobudget.grid import Grid, headed, ratio, with_unit
from isobudget.report.tables.labels import REST, prompt_note, short_names
from isobudget.report.tables.terminal import legend

#: crossings of a pair, and pairs of models, that a table has room for
_MOST_CROSSINGS, _MOST_PAIRS = 6, 15
NOT_REACHED = {"-": "not reached with the recorded samples"}


def reach_table(comparison: Comparison) -> Grid:
    """For each success, the smallest budget with which each model reaches it.

    The narrow form shows only the two models that reach the success at the lowest budget.
    """
    labels, short = [curve.label for curve in comparison.curves], short_names(comparison)
    reaches = comparison.reach()
    rows = tuple(
        (f"{reach.success:.0%}", *(_needed(reach, label, comparison) for label in labels)) for reach in reaches
    )
    marked = {(y, labels.index(reach.cheapest) + 1) for y, reach in enumerate(reaches) if reach.cheapest is not None}
    note = "Cells: smallest budget (k), and the share of it that the cheapest model saves."
    symbols = legend((row[1:] for row in rows), NOT_REACHED)
    title = headed(comparison.benchmark, "budget for a given success")
    narrow = _cheapest_two(title, note, reaches, comparison)
    return Grid(
        title,
        ("Success", *short.values()),
        rows,
        frozenset(marked),
        (note, prompt_note(comparison)),
        symbols,
        narrow=narrow,
    )


def _needed(reach: Reach, label: str, comparison: Comparison) -> str:
    k, saving = reach.k[label], reach.saving(label)
    saved = "" if label == reach.cheapest or math.isnan(saving) else f" {saving:.0%}"
    return "-" if k is None else f"{with_unit(reach.budget[label], comparison.unit)} ({k:,}){saved}"


def _cheapest_two(title: str, note: str, reaches: Sequence[Reach], comparison: Comparison) -> Grid:
    short, rows = short_names(comparison), []
    for reach in reaches:
        known = [label for label, budget in reach.budget.items() if not math.isnan(budget)]
        two = sorted(known, key=lambda label, reach=reach: reach.budget[label])[:2]  # type: ignore[misc]
        cells = [text for label in two for text in (short[label], _needed(reach, label, comparison))]
        rows.append((f"{reach.success:.0%}", *[*cells, "-", "-", "-", "-"][:4]))
    columns = ("Success", "cheapest", "budget", "next", "budget")
    which_two = f"The two cheapest of {len(comparison.curves)} models for each success. {REST}"
    symbols = legend(([row[2], row[4]] for row in rows), NOT_REACHED)
    return Grid(
        title, columns, tuple(rows), notes=(which_two, note, prompt_note(comparison)), legend=symbols, words=(1, 3)
    )


def shown_pairs(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """The pairs of models to show in tables: all if there is room, else those of models that are best at a budget."""
    labels = [curve.label for curve in comparison.curves]
    pairs = list(combinations(labels, 2))
    if len(pairs) > _MOST_PAIRS:
        pairs = pairs_that_matter(labels, comparison.best)
    return tuple(pairs[:_MOST_PAIRS])


def _pairs_note(comparison: Comparison) -> tuple[str, ...]:
    count, shown = math.comb(len(comparison.curves), 2), len(shown_pairs(comparison))
    if shown == count:
        return ()
    rest = "; all are in --json" if len(comparison.curves) <= ALL else ""
    return (f"Shown: {shown} of {count} pairs of models{rest}.",)


def crossing_table(comparison: Comparison) -> Grid:
    """The budgets at which the lead changes between two models."""
    short = short_names(comparison)
    rows = tuple(
        (f"{short[one]} / {short[other]}", _changes(one, other, comparison.crossings(one, other), comparison))
        for one, other in shown_pairs(comparison)
    )
    note = (
        "Budgets at which the lead changes, and the model that leads from there, as far as both models have samples. A "
        "change may be due to chance."
    )
    title = headed(comparison.benchmark, "where the lead changes")
    return Grid(
        title,
        ("Models", "Lead changes at"),
        rows,
        notes=(*_pairs_note(comparison), note, prompt_note(comparison)),
        words=(0, 1),
    )


def _changes(one: str, other: str, crossings: Sequence[Crossing], comparison: Comparison) -> str:
    short, unit = short_names(comparison), comparison.unit
    if not crossings:
        return _unchanged(list(leads(comparison.curve(one), comparison.curve(other))), comparison)
    shown = [f"{with_unit(change.budget, unit)} to {short[change.leader]}" for change in crossings[:_MOST_CROSSINGS]]
    more = [f"{len(crossings) - len(shown)} more"] if len(crossings) > len(shown) else []
    return "; ".join(shown + more)


def _unchanged(shared: Sequence[Lead], comparison: Comparison) -> str:
    """Which model leads throughout, and the range of budgets in which both have samples."""
    if not shared:
        return "no budget affords a sample of both and stays within the recorded samples of both"
    leader = next((lead.leader for lead in shared if lead.leader is not None), None)
    ends = dict.fromkeys(with_unit(lead.budget, comparison.unit) for lead in (shared[0], shared[-1]))
    where = "at " + next(iter(ends)) if len(ends) == 1 else "from " + " to ".join(ends)
    return f"never: {'level' if leader is None else f'{short_names(comparison)[leader]} leads'} {where}"


def flip_table(comparison: Comparison) -> Grid | None:
    """For each pair of models, the cost ratio at which the winner flips; None for a single model."""
    if len(comparison.curves) < 2:
        return None
    ks = [2**power for power in range(8) if any(flip.k_dear == 2**power for flip in comparison.flips)]
    fewest = _flips_at(ks[:1], comparison)
    fewer = replace(_flips_at(ks[::2], comparison), narrow=fewest)
    return replace(_flips_at(ks, comparison), narrow=fewer)


def _flips_at(ks: Sequence[int], comparison: Comparison) -> Grid:
    """The table of flips for these k, the numbers of samples of the more expensive model."""
    by_pair = {pair: list(flips) for pair, flips in groupby(comparison.flips, key=lambda flip: (flip.cheap, flip.dear))}
    rows = tuple(_flip_row(by_pair[pair], ks, short_names(comparison)) for pair in shown_pairs(comparison))
    note = (
        "If a sample of the more expensive model costs more than the stated number of further samples of the cheaper "
        "one, the cheaper one does at least as well as k samples of the other at equal cost. now: the ratio of their "
        "costs. A shared prompt is left out."
    )
    if comparison.stop == FIRST_PASS:
        note += " k is the maximum number of samples; the ratio counts those generated on average."
    meanings = {"never": "not within the recorded samples", "?": "an end that the recorded samples do not reach"}
    return Grid(
        headed(comparison.benchmark, "the cost ratio at which the winner flips"),
        ("Cheap / expensive", *(f"k={k}" for k in ks), f"{comparison.bootstrap.level:.0%} at k=1", "now"),
        rows,
        notes=(*_pairs_note(comparison), note, prompt_note(comparison)),
        legend=legend((row[1:] for row in rows), meanings),
    )


def _flip_row(flips: Sequence[Flip], ks: Sequence[int], short: dict[str, str]) -> tuple[str, ...]:
    by_k = {flip.k_dear: flip for flip in flips}
    cells = ("" if k not in by_k else "never" if by_k[k].k_cheap is None else ratio(by_k[k].ratio) for k in ks)
    first = by_k[1]
    ends = "" if math.isnan(first.low) else f"{ratio(first.low, '.2g')}-{ratio(first.high, '.2g')}"
    return f"{short[first.cheap]} / {short[first.dear]}", *cells, ends, ratio(first.now, ".2f")
