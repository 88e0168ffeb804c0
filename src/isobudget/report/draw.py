"""The figures of one benchmark's report, by tests and by likelihood, each wide, narrow and as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isobudget.costs.cost import Unit
from isobudget.curves import LIKELIHOOD, TESTS, Comparison
from isobudget.grid import counted
from isobudget.progress import Progress
from isobudget.report.figures.comparison import Drawing, draw
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.page.page import BenchmarkFigures, FigurePair

#: how one of the samples is chosen -> what a figure's title says of it, and what its y axis is called
_KINDS = {
    TESTS: ("chosen by tests", "pass@k"),
    LIKELIHOOD: ("chosen by likelihood, no tests", "rank-score@k by the model's own likelihood"),
}


def figures_of(summary: BenchmarkSummary, stem: str, models: Sequence[str], progress: Progress) -> BenchmarkFigures:
    """Draw a benchmark; `stem` begins the names of its files, `models` decides colours and markers."""
    tests = _figure(summary, summary.by_tests, TESTS, stem, models)
    progress.advance("report", 1)
    likelihood = _figure(summary, summary.by_likelihood, LIKELIHOOD, stem, models) if summary.by_likelihood else None
    progress.advance("report", 1)
    return BenchmarkFigures(tests, likelihood)


def _figure(
    summary: BenchmarkSummary, comparisons: Mapping[Unit, Comparison], selection: str, stem: str, models: Sequence[str]
) -> FigurePair:
    what = f"{summary.name}, {counted(len(summary.first.curves[0].task_ids), 'problem')}"
    file = f"{stem}-{selection}"
    title, meaning = _KINDS[selection]
    drawn = Drawing(comparisons, summary.greedy, tuple(models), f"{what}: {title}")
    wide = draw(drawn, name=file)
    narrow = draw(drawn, stacked=True, formats=("svg",), name=file)
    stars = " Stars: one greedy output." if summary.greedy else ""
    axes = ", ".join(["samples", *(f"{unit} per problem" for unit in comparisons)])
    caption = (
        f"{what}: share solved ({meaning}) against {axes}; x in powers of two. "
        f"Bands: {summary.first.bootstrap.level:.0%} intervals over problems.{stars} Dashed: k above half the samples."
    )
    return FigurePair(file, caption, wide["svg"], wide["png"], narrow["svg"])
