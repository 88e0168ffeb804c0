"""The page's sections that a reader checks a verdict with: problems, the judge's outcomes, costs and their sources."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from isobudget.analysis.load_samples import ModelSamples, VerdictCounts
from isobudget.curves import Comparison
from isobudget.judge.verdict import Outcome
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.page.html import Cell, Html, join, listing, table, tag
from isobudget.report.tables.sentence import with_unit

#: more problems than this are folded away
_MANY_PROBLEMS = 40


def problems(summary: BenchmarkSummary) -> Html:
    """Passed and drawn samples of every problem by every model: which problems divide the models."""
    task_ids = summary.first.curves[0].task_ids
    models = {one.model: one.only(task_ids) for one in summary.samples}
    rows = [_problem_row(summary, models, place, task_id) for place, task_id in enumerate(task_ids)]
    star = " A star: the greedy output passed." if summary.greedy else ""
    note = f"Shaded by the share that passed.{star}"
    whole = table("Samples that passed, of those judged", ["Problem", *models, "Solved by"], rows, note)
    if len(task_ids) > _MANY_PROBLEMS:
        whole = tag("details", tag("summary", f"All {len(task_ids):,} problems"), whole)
    return join([tag("p", _division(rows)), whole])


def _division(rows: Sequence[Sequence[str | Cell]]) -> str:
    """How many problems are solved by which models, from the last cell of each row."""
    counted = Counter(last.text for *_, last in rows if isinstance(last, Cell))
    return "Solved by " + "; ".join(f"{by}: {count:,}" for by, count in counted.most_common()) + "."


def _problem_row(
    summary: BenchmarkSummary, models: Mapping[str, ModelSamples], place: int, task_id: str
) -> list[str | Cell]:
    cells, solved = [], []
    for model, samples in models.items():
        passed = samples.problems[place].passed
        c, n = int(passed.sum()), len(passed)
        star = "\u00a0★" if model in summary.greedy and summary.greedy[model].passed[place] else ""
        cells.append(Cell(f"{c:,}/{n:,}{star}", kind=f"pass-{math.ceil(4 * c / n)}"))
        solved += [model] if c else []
    everyone = "all models" if len(models) > 1 else "it"
    by = everyone if len(solved) == len(models) else f"only {', '.join(solved)}" if solved else "none"
    return [task_id, *cells, Cell(by, kind="text")]


def outcomes(summary: BenchmarkSummary) -> Html:
    """What the judge said of each model's samples, and how far its verdicts can be trusted."""
    shown = [one for one in Outcome if one is Outcome.PASSED or any(row.outcomes[one] for row in summary.verdicts)]
    columns = ["Model", "Samples", "Judged", *(one.value.replace("_", " ") for one in shown), "Cut off"]
    note = f"Cut off: ended at the token limit, whatever the verdict. {_trust(summary.verdicts)}"
    rows = (_outcome_row(row, shown) for row in summary.verdicts)
    return table("What became of the samples, greedy outputs included", columns, rows, note)


def _outcome_row(row: VerdictCounts, shown: Sequence[Outcome]) -> list[str | Cell]:
    counts = (_share(row.outcomes[one], row.judged) for one in shown)
    return [row.model, f"{row.samples:,}", f"{row.judged:,}", *counts, _share(row.cut_off, row.samples)]


def _share(count: int, whole: int) -> Cell:
    return Cell(f"{count:,}", f"{count / whole:.1%}" if whole else "")


def _trust(verdicts: Sequence[VerdictCounts]) -> str:
    shared, judged = sum(row.shared for row in verdicts), sum(row.judged for row in verdicts)
    if not shared:
        return f"All {judged:,} verdicts have trust = split: the tests ran apart from the samples."
    which = f"All {judged:,}" if shared == judged else f"{shared:,} of {judged:,}"
    return (
        f"{which} verdicts have trust = shared: the tests ran in the sample's own process, where a program that is "
        "made to deceive could reach them."
    )


def costs(summary: BenchmarkSummary) -> Html:
    """What a sample costs in every unit, with the source of each figure."""
    units = summary.units
    samples = {one.model: one for one in summary.samples}
    rows: list[list[str | Cell]] = []
    for curve in summary.first.curves:
        problems = samples[curve.model].only(curve.task_ids).problems
        tokens = sum(float(one.completion_tokens.mean()) for one in problems) / len(problems)
        prompt = sum(one.prompt_tokens for one in problems) / len(problems)
        prices = [_price(summary.by_tests[unit], curve.label) for unit in units]
        rows.append([curve.model, f"{prompt:.0f}", f"{tokens:.0f}", *prices])
    columns = ["Model", "Prompt tokens", "Completion tokens", *(f"One sample, {unit}" for unit in units)]
    caption = "Cost of a sample, on average over problems"
    sources = [
        (f"{curve.model}, {unit}", curve.price.source) for unit in units for curve in summary.by_tests[unit].curves
    ]
    return join([table(caption, columns, rows), listing(sources)])


def _price(comparison: Comparison, label: str) -> Cell:
    price = comparison.curve(label).price
    shared = f"and {with_unit(price.per_problem, price.unit)} once a problem" if price.per_problem else ""
    return Cell(with_unit(price.per_sample, price.unit), shared)
