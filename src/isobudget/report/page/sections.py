"""The page's sections about one benchmark: verdict, tables, problems, outcomes, costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from isobudget.costs.cost import Unit
from isobudget.curves import Comparison, Flip, Point
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.page.html import Cell, Html, join, table, tag
from isobudget.report.ranked import RankedAgainstGreedy, against_greedy
from isobudget.report.tables.sentence import winner_sentence, with_unit
from isobudget.statistics.pass_at_k import expected_draws_curve


def verdict(summary: BenchmarkSummary) -> Html:
    """The sentence that says which model to use, for every unit."""
    return join(
        tag("p", tag("b", f"{summary.name}, by {unit}"), winner_sentence(comparison), class_="verdict")
        for unit, comparison in summary.by_tests.items()
    )


# equal budget ---------------------------------------------------------------------------------------------------------


def equal_budget(comparison: Comparison) -> Html:
    """Success of every model at each budget."""
    caption = f"Problems solved at equal budget in {comparison.unit} per problem"
    note = (
        f"With {comparison.bootstrap.level:.0%} intervals over problems. The best is bold. * k above half the recorded "
        "samples. † all recorded samples used: the budget buys more."
    )
    columns = ["Budget", *(curve.label for curve in comparison.curves), "Lead"]
    return table(caption, columns, (_budget_row(comparison, place) for place in range(len(comparison.best))), note)


def _budget_row(comparison: Comparison, place: int) -> list[str | Cell]:
    best = comparison.best[place]
    cells = [_point(point, best.model == label) for label, point in comparison.points(best.budget).items()]
    return [with_unit(best.budget, comparison.unit), *cells, _lead(comparison, place)]


def _point(point: Point, best: bool) -> Cell:
    if point.k == 0:
        return Cell("–", "cannot afford one")
    marks = ("" if point.trusted else "*") + ("†" if point.capped else "")
    return Cell(_percent(point.success), f"k = {point.k:,}{marks}, {_ends(point.low, point.high)}", best, "best" * best)


def _lead(comparison: Comparison, place: int) -> Cell:
    best = comparison.best[place]
    if best.model is None or not (best.clear_against or best.unclear_against):
        return Cell("–", kind="text")
    if not best.unclear_against:
        return Cell("clear", kind="text")
    against = ", ".join(best.unclear_against) if best.clear_against or len(best.unclear_against) == 1 else "all"
    return Cell("not clear", f"against {against}", kind="text")


# flips ----------------------------------------------------------------------------------------------------------------


def flips(comparisons: Mapping[Unit, Comparison]) -> Html | None:
    """For every pair the cost ratio at which the verdict flips, and the ratios there are now; None for one model."""
    pairs: dict[tuple[str, str, int], dict[Unit, Flip]] = {}
    for unit, comparison in comparisons.items():
        for flip in comparison.flips:
            if flip.k_dear & (flip.k_dear - 1) == 0:
                pairs.setdefault((flip.cheap, flip.dear, flip.k_dear), {})[unit] = flip
    if not pairs:
        return None
    level = f"{next(iter(comparisons.values())).bootstrap.level:.0%}"
    note = (
        "The cheap model does as well for less while one sample of the dear one costs more than this many of its own. "
        f"With {level} intervals over problems; ? is an end that the recorded samples do not reach. Ratios now follow "
        "from the costs below, a shared prompt counted once."
    )
    now = [f"Ratio now, by {unit}" for unit in comparisons]
    columns = ["Cheap model", "Dear model", "Samples of the dear", "As many of the cheap", "Flips at ratio", *now]
    rows = (_flip_row(found, list(comparisons)) for found in pairs.values())
    return table("The cost ratio at which the verdict flips", columns, rows, note)


def _flip_row(found: Mapping[Unit, Flip], units: Sequence[Unit]) -> list[str | Cell]:
    flip = next(iter(found.values()))
    reached = flip.k_cheap is not None
    as_many = f"{flip.k_cheap:,}" if flip.k_cheap is not None else "not reached"
    ends = f"{_ratio(flip.low)} to {_ratio(flip.high)}"
    ratio = Cell(_ratio(flip.ratio), ends) if reached else Cell("–", ends)
    return [flip.cheap, Cell(flip.dear, kind="text"), f"{flip.k_dear:,}", as_many, ratio, *_now_cells(found, units)]


def _now_cells(found: Mapping[Unit, Flip], units: Sequence[Unit]) -> Iterator[Cell]:
    for unit in units:
        flip = found.get(unit)
        if flip is None:
            yield Cell("–", "the other is cheaper")
        elif flip.winner is None:
            yield Cell(_ratio(flip.now), "not decided: samples run out")
        else:
            yield Cell(_ratio(flip.now), "level" if flip.winner == "level" else f"{flip.winner} wins")


def _ratio(value: float) -> str:
    return "?" if math.isnan(value) else f"{value:.3g}"


# stopping at the first pass -------------------------------------------------------------------------------------------


def stopping(summary: BenchmarkSummary) -> Html:
    """What stopping at the first pass saves, against always drawing k."""
    caption = "Samples drawn on average, of at most k, if drawing stops at the first pass"
    note = "Saved: against always drawing k, which is what the budgets above charge, as the paper does."
    columns = ["Model", "At most k", "Solves", "Draws on average", "Saved"]
    return table(caption, columns, _stopping_rows(summary), note)


def _stopping_rows(summary: BenchmarkSummary) -> Iterator[list[str | Cell]]:
    samples = {one.model: one for one in summary.samples}
    for curve in summary.first.curves:
        chosen = samples[curve.model].only(curve.task_ids)
        draws = expected_draws_curve(chosen.n, chosen.c, curve.k_max).mean(axis=0)
        for k in dict.fromkeys((curve.trusted_k, curve.k_max)):
            mean = float(draws[k - 1])
            success = Cell(_percent(curve.success[k - 1]), "" if k <= curve.trusted_k else "k above n/2")
            yield [curve.model, f"{k:,}", success, f"{mean:.2f}", f"{1 - mean / k:.0%}"]


# without tests --------------------------------------------------------------------------------------------------------


#: stands above the figure
RANKING_TEXT = (
    "Where there are no tests, one of the k samples has to be chosen. Here it is the one that the model itself finds "
    "likeliest (mean log-probability per token; samples that were cut off rank last). Rank-score@k is the chance that "
    "the chosen one is right."
)


def ranking(summary: BenchmarkSummary) -> Html:
    """Choosing by the model's own likelihood: against greedy outputs of dearer models, and at equal budget."""
    pairs = against_greedy(summary)
    parts = [_greedy_table(pairs, summary.first.bootstrap.level)] if pairs else []
    budgets = join(equal_budget(comparison) for comparison in summary.by_likelihood.values())
    return join([*parts, tag("details", tag("summary", "Chosen by likelihood at equal budget, in full"), budgets)])


def _greedy_table(pairs: Sequence[RankedAgainstGreedy], level: float) -> Html:
    caption = "For the price of one greedy output of the dear model"
    note = (
        "The likeliest of the samples that the cheap model affords, against that output. The difference is in points, "
        f"with a paired {level:.0%} interval."
    )
    columns = [
        "Ranked samples of",
        "Greedy output of",
        "Budget",
        "Likeliest of k",
        "Greedy",
        "Difference",
        "Ranking is",
    ]
    return table(caption, columns, map(_greedy_row, pairs), note)


def _greedy_row(pair: RankedAgainstGreedy) -> list[str | Cell]:
    difference = 100 * (pair.point.success - pair.greedy)
    ends = "" if math.isnan(pair.low) else f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}"
    return [
        pair.cheap,
        Cell(pair.dear, kind="text"),
        with_unit(pair.budget, pair.unit),
        _point(pair.point, False),
        _percent(pair.greedy),
        Cell(f"{difference:+.1f}", ends),
        Cell(pair.verdict, kind="text"),
    ]


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _ends(low: float, high: float) -> str:
    return "no interval" if math.isnan(low) else f"{100 * low:.1f}–{100 * high:.1f}"
