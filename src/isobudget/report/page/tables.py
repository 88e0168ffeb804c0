"""The page's tables of one benchmark, as values; templates turn them into markup."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from isobudget.analysis.load_samples import VerdictCounts
from isobudget.costs.cost import Unit
from isobudget.curves import Comparison, Flip, Point
from isobudget.grid import interval, percent, ratio, with_unit
from isobudget.judge.verdict import Outcome
from isobudget.report.gather import BenchmarkSummary, Tally
from isobudget.report.page.provenance import text_of
from isobudget.report.ranked import RankedAgainstGreedy, against_greedy
from isobudget.report.tables.comparison import clear_means
from isobudget.report.tables.labels import NO_INTERVAL, intervals_over, prompt_note
from isobudget.report.tables.terminal import CAPPED, UNCERTAIN
from isobudget.statistics.pass_at_k import expected_draws_curve

#: marks of cells, as in the terminal's tables, and their meanings
_MARKS = {">": CAPPED, "?": UNCERTAIN}


GREEDY_PASSED = "★"
#: most stop strings that are shown
_SHOWN_STOPS = 4
#: most models that a cell names
_FEW = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: text of the cell.
        small: a second line in small print, such as an interval.
        kind: CSS class, such as `best`, or `text` for alignment as words.
    """

    text: str
    small: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table: a short caption, headings, rows of cells (the first cell is the row's heading), and a note below.

    If the table is `stacked`, the cells of a row stand below each other on a narrow page.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    stacked: bool = True

    @property
    def kinds(self) -> tuple[str, ...]:
        """`text` for each column that holds words, else an empty string."""
        return tuple("text" * any(cell.kind == "text" for cell in cells) for cells in zip(*self.rows, strict=True))


def _table(caption: str, columns: Iterable[str], rows: Iterable[Sequence[str | Cell]], note: str = "") -> PageTable:
    cells = (tuple(one if isinstance(one, Cell) else Cell(one) for one in row) for row in rows)
    return PageTable(caption, tuple(columns), tuple(cells), note)


# equal budget ---------------------------------------------------------------------------------------------------------


def equal_budget(comparison: Comparison) -> PageTable:
    """Success of every model at each budget."""
    rows = [_budget_row(comparison, place) for place in range(len(comparison.best))]
    shown = "".join(one.text + one.small for row in rows for one in row[1:-1] if isinstance(one, Cell))
    marks = (f"{mark} {meaning}" for mark, meaning in _MARKS.items() if mark in shown)
    return _table(
        f"Problems solved at equal budget in {comparison.unit} per problem",
        ("Budget", *(curve.label for curve in comparison.curves), "Lead"),
        rows,
        "\n".join([_explained(comparison), *marks]),
    )


def _explained(comparison: Comparison) -> str:
    clear = f" Clear: {clear_means(comparison)}." if len(comparison.curves) > 1 else ""
    ends = f"With {over}." if (over := intervals_over(comparison)) else NO_INTERVAL
    best = f"{ends} The best is bold."
    return f"{best}{clear} {prompt_note(comparison)}"


def _budget_row(comparison: Comparison, place: int) -> list[str | Cell]:
    best = comparison.best[place]
    cells = [_point(point, best.model == label) for label, point in comparison.points(best.budget).items()]
    return [with_unit(best.budget, comparison.unit), *cells, _lead(comparison, place)]


def _point(point: Point, best: bool) -> Cell:
    if point.k == 0:
        return Cell("–", "cannot afford one")
    ends = interval(point.low, point.high, "–") or "no interval"
    success = f"{'>' * point.capped}{percent(point.success)}%"
    return Cell(success, f"k = {point.k:,}{'' if point.trusted else '?'}, {ends}", "best" * best)


def _lead(comparison: Comparison, place: int) -> Cell:
    best = comparison.best[place]
    rivals, clear = best.affordable[1:], comparison.clear_against(best)
    unclear = [label for label in rivals if label not in clear]
    if not rivals:
        return Cell("–", kind="text")
    if not unclear:
        return Cell("clear", kind="text")
    against = ", ".join(unclear) if clear or len(unclear) == 1 else "all"
    if clear and len(unclear) > _FEW:  # names would make a row of the table taller than a screen
        against = f"{len(unclear)} of {len(rivals)} others"
    return Cell("not clear", f"against {against}", "text")


# flips ----------------------------------------------------------------------------------------------------------------


def flips(comparisons: Mapping[Unit, Comparison]) -> PageTable | None:
    """For every pair of models, the cost ratio at which the winner flips, and the current ratio.

    None if no such ratio is known.
    """
    pairs: dict[tuple[str, str, int], dict[Unit, Flip]] = {}
    for unit, comparison in comparisons.items():
        for flip in comparison.flips:
            if flip.k_dear & (flip.k_dear - 1) == 0:
                pairs.setdefault((flip.cheap, flip.dear, flip.k_dear), {})[unit] = flip
    if all(flip.k_cheap is None for by_unit in pairs.values() for flip in by_unit.values()):
        return None
    level = f"{next(iter(comparisons.values())).bootstrap.level:.0%}"
    note = (
        "If one sample of the more expensive model costs more than this number of further samples of the cheaper one, "
        "the cheaper model does at least as well at equal cost. A shared prompt is left out. Intervals: "
        f"{level}, over problems; ? is an end that the recorded samples do not reach. Ratio now: by the "
        "costs below. " + " ".join(f"By {unit}: {prompt_note(one).lower()}" for unit, one in comparisons.items())
    )
    now = (f"Ratio now, by {unit}" for unit in comparisons)
    models = ("Cheaper model", "More expensive model")
    columns = (*models, "Its samples (k)", "Cheaper samples that do as well", "Flips at ratio", *now)
    rows = (_flip_row(by_unit, list(comparisons)) for by_unit in pairs.values())
    return _table("The cost ratio at which the winner flips", columns, rows, note)


def no_flip(comparisons: Mapping[Unit, Comparison]) -> str:
    """The text that replaces `flips` if several models are compared and no such ratio is known; otherwise empty."""
    flips = [flip for comparison in comparisons.values() for flip in comparison.flips]
    if not flips or any(flip.k_cheap is not None for flip in flips if flip.k_dear & (flip.k_dear - 1) == 0):
        return ""
    return (
        "No price ratio is known at which the winner flips: in every pair, all recorded samples of the cheaper model "
        "together solve less than one sample of the more expensive model."
    )


def _flip_row(by_unit: Mapping[Unit, Flip], units: Sequence[Unit]) -> list[str | Cell]:
    flip = next(iter(by_unit.values()))
    as_many, text = ("not reached", "–") if flip.k_cheap is None else (f"{flip.k_cheap:,}", ratio(flip.ratio))
    turns = Cell(text, f"{ratio(flip.low)} to {ratio(flip.high)}")
    now = (_now(by_unit.get(unit)) for unit in units)
    return [flip.cheap, Cell(flip.dear, kind="text"), f"{flip.k_dear:,}", as_many, turns, *now]


def _now(flip: Flip | None) -> Cell:
    if flip is None:
        return Cell("–", "the other model is cheaper")
    if flip.winner is None:
        return Cell(ratio(flip.now), "not decided: samples run out")
    return Cell(ratio(flip.now), "level" if flip.winner == "level" else f"{flip.winner} wins")


# stopping at the first pass -------------------------------------------------------------------------------------------


def stopping(summary: BenchmarkSummary) -> PageTable:
    """What stopping at the first pass saves, compared with always generating k samples."""
    return _table(
        "Samples generated on average, of at most k, if sampling stops at the first pass",
        ("Model", "At most k", "Solves", "Samples on average", "Saved"),
        _stopping_rows(summary),
        "Saved: compared with always generating k samples, which the budgets above charge for, as in the paper.",
    )


def _stopping_rows(summary: BenchmarkSummary) -> Iterator[list[str | Cell]]:
    tallies = {one.model: one for one in summary.tallies}
    for curve in summary.first.curves:
        chosen = tallies[curve.model].only(curve.task_ids)
        expected = expected_draws_curve(chosen.n, chosen.c, curve.k_max).mean(axis=0)
        for k in dict.fromkeys((curve.trusted_k, curve.k_max)):
            mean = float(expected[k - 1])
            success = Cell(f"{percent(curve.success[k - 1])}%", "" if k <= curve.trusted_k else "k above n/2")
            yield [curve.model, f"{k:,}", success, f"{mean:.2f}", f"{1 - mean / k:.0%}"]


# without tests --------------------------------------------------------------------------------------------------------


def against_greedy_outputs(summary: BenchmarkSummary) -> PageTable | None:
    """A cheaper model's likeliest sample compared with a more expensive model's greedy output.

    None if there is no such pair of models.
    """
    pairs = against_greedy(summary)
    note = (
        "Compared: the likeliest of the cheaper model's samples that this price buys, and the greedy output. The "
        f"difference is in points, with a paired {summary.first.bootstrap.level:.0%} interval."
    )
    models = ("Ranked samples of", "Greedy output of")
    columns = (*models, "Budget", "Likeliest of k", "Greedy", "Difference", "Ranking is")
    caption = "For the price of one greedy output of the more expensive model"
    return _table(caption, columns, map(_greedy_row, pairs), note) if pairs else None


def _greedy_row(pair: RankedAgainstGreedy) -> list[str | Cell]:
    ends = "" if math.isnan(pair.low) else f"{100 * pair.low:+.1f} to {100 * pair.high:+.1f}"
    return [
        pair.cheap,
        Cell(pair.dear, kind="text"),
        with_unit(pair.budget, pair.unit),
        _point(pair.point, False),
        f"{percent(pair.greedy)}%",
        Cell(f"{100 * (pair.point.success - pair.greedy):+.1f}", ends),
        Cell(pair.verdict, kind="text"),
    ]


# what a reader checks a verdict with ----------------------------------------------------------------------------------


def problems(summary: BenchmarkSummary) -> PageTable:
    """The numbers of passed and judged samples of every problem by model, to show where models differ."""
    task_ids = summary.first.curves[0].task_ids
    models = {one.model: one.only(task_ids) for one in summary.tallies}
    rows = [_problem_row(summary, models, place, task_id) for place, task_id in enumerate(task_ids)]
    starred = any(GREEDY_PASSED in cell.text for row in rows for cell in row[1:-1] if isinstance(cell, Cell))
    star = " A star: the greedy output passed; the counts do not include it." if starred else ""
    note = f"Shaded by the share that passed.{star}"
    table = _table("Samples that passed, of those judged", ("Problem", *models, "Solved by samples of"), rows, note)
    return replace(table, stacked=False)


def _problem_row(summary: BenchmarkSummary, models: Mapping[str, Tally], place: int, task_id: str) -> list[str | Cell]:
    cells, solved = [], []
    for model, tally in models.items():
        c, n = int(tally.c[place]), int(tally.n[place])
        star = f"\u00a0{GREEDY_PASSED}" if model in summary.greedy and summary.greedy[model].passed[place] else ""
        cells.append(Cell(f"{c:,}/{n:,}{star}", kind=f"pass-{math.ceil(4 * c / n)}"))
        solved += [model] if c else []
    return [task_id, *cells, Cell(_solved_by(solved, list(models)), kind="text")]


def _solved_by(solved: Sequence[str], models: Sequence[str]) -> str:
    """Which models solve a problem; by name if they are few."""
    if not solved or len(models) == 1:
        return models[0] if solved else "none"
    others = [model for model in models if model not in solved]
    if not others:
        return "all models"
    if len(solved) <= _FEW:
        return f"only {', '.join(solved)}"
    return f"all but {', '.join(others)}" if len(others) <= _FEW else f"{len(solved)} of {len(models)} models"


def cut(table: PageTable, most: int = 200) -> PageTable:
    """The first `most` rows of the table, with a note that says where the others are."""
    left = len(table.rows) - most
    if left <= 0:
        return table
    note = f"{table.note} The first {most:,} are shown; the map above has the other {left:,}, and report.json has all."
    return replace(table, rows=table.rows[:most], note=note)


def division(table: PageTable) -> str:
    """A sentence: how many problems are solved by which models, counted from the last column of `problems`."""
    counted = Counter(row[-1].text for row in table.rows)
    return "Solved by samples of " + "; ".join(f"{by}: {count:,}" for by, count in counted.most_common()) + "."


def outcomes(summary: BenchmarkSummary) -> PageTable:
    """The outcomes of each model's samples, and how far its verdicts can be trusted."""
    shown = [one for one in Outcome if one == Outcome.PASSED or any(row.outcomes[one] for row in summary.verdicts)]
    return _table(
        "Outcomes of the samples, greedy outputs included",
        ("Model", "Samples", "Judged", *(one.value.replace("_", " ") for one in shown), "Cut off"),
        (_outcome_row(row, shown) for row in summary.verdicts),
        f"Cut off: ended at the token limit, whatever the verdict. {_trust(summary.verdicts)}",
    )


def _outcome_row(row: VerdictCounts, shown: Sequence[Outcome]) -> list[str | Cell]:
    counts = (_share(row.outcomes[one], row.judged) for one in shown)
    return [row.model, f"{row.samples:,}", f"{row.judged:,}", *counts, _share(row.cut_off, row.samples)]


def _share(count: int, whole: int) -> Cell:
    return Cell(f"{count:,}", f"{percent(count / whole)}%" if whole else "")


def _trust(verdicts: Sequence[VerdictCounts]) -> str:
    shared, judged = sum(row.shared for row in verdicts), sum(row.judged for row in verdicts)
    if imported := sum(row.imported for row in verdicts):
        which = f"All {judged:,}" if imported == judged else f"{imported:,} of {judged:,}"
        return f"{which} verdicts were imported with the samples, from another tool; run.toml names the files."
    if not shared:
        return f"All {judged:,} verdicts have trust = split: the tests ran apart from the samples."
    which = f"All {judged:,}" if shared == judged else f"{shared:,} of {judged:,}"
    return (
        f"{which} verdicts have trust = shared: the tests ran in the sample's own process, where a program that is "
        "made to deceive could reach them."
    )


def suites(summary: BenchmarkSummary) -> PageTable:
    """How many samples pass the visible tests, and how many of those are wrong by all tests."""
    rows: list[list[str | Cell]] = [
        [
            one.model,
            f"{one.problems:,}",
            Cell(f"{percent(one.share_visible)}%", f"{one.visible:,} of {one.samples:,}"),
            Cell(f"{percent(one.share_right)}%", f"{one.right:,}"),
            Cell("–" if math.isnan(one.wrong) else f"{percent(one.wrong)}%"),
        ]
        for one in summary.suites
    ]
    columns = ("Model", "Problems", "Pass the visible tests", "Pass all tests", "Wrong, of those that pass the visible")
    note = (
        "Shares: means over problems. The visible suite chooses samples and stops sampling; the hidden one measures "
        "success."
    )
    return _table("One sample by two suites of tests", columns, rows, note)


def costs(summary: BenchmarkSummary) -> PageTable:
    """The mean tokens and the cost of one sample of each model, in every unit."""
    samples = {one.model: one for one in summary.samples}
    rows: list[list[str | Cell]] = []
    for curve in summary.first.curves:
        judged = samples[curve.model].only(curve.task_ids).problems if curve.model in samples else ()
        tokens = _mean_tokens([float(one.completion_tokens.mean()) for one in judged])
        prompt = _mean_tokens([one.prompt_tokens for one in judged])
        prices = (_price(comparison, curve.label) for comparison in summary.by_tests.values())
        rows.append([curve.model, prompt, tokens, *prices])
    columns = ("Model", "Prompt tokens", "Completion tokens", *(f"One sample, {unit}" for unit in summary.units))
    return _table("Cost of a sample, on average over problems", columns, rows)


def _mean_tokens(counts: Sequence[float]) -> str:
    """The mean over problems; `-` if counts are not known, as for imported samples."""
    return "-" if min(counts, default=-1) < 0 else f"{sum(counts) / len(counts):.0f}"


def _price(comparison: Comparison, label: str) -> Cell:
    price = comparison.curve(label).price
    shared = f"and {with_unit(price.per_problem, price.unit)} once per problem" if price.per_problem else ""
    return Cell(with_unit(price.per_sample, price.unit), shared)


def sampling(facts: Mapping[str, Any], summaries: Sequence[BenchmarkSummary]) -> PageTable:
    """How samples were generated, and the numbers of all problems and of the compared ones."""
    return _table(
        "How samples were generated",
        ("Benchmark", "Problems", "Compared", "Temperature", "Top-p", "Max tokens", "Seed", "Stops at"),
        (_sampling_row(facts["benchmarks"].get(summary.name, {}), summary) for summary in summaries),
        "Compared: problems with judged samples of every model. Greedy outputs: temperature 0.",
    )


def _sampling_row(stated: Mapping[str, Any], summary: BenchmarkSummary) -> list[str | Cell]:
    stops = Cell(_stops(stated.get("stop", [])), kind="text")
    compared = f"{len(summary.first.curves[0].task_ids):,}"
    settings = (text_of(stated, name) for name in ("temperature", "top_p", "max_tokens", "seed"))
    return [summary.name, text_of(stated, "problems"), compared, *settings, stops]


def _stops(stops: Sequence[str]) -> str:
    """The first few stop strings, and how many more there are; run.toml lists all."""
    shown, left = ", ".join(repr(stop) for stop in stops[:_SHOWN_STOPS]), len(stops) - _SHOWN_STOPS
    return (f"{shown} and {left:,} more" if left > 0 else shown) or "end of text"
