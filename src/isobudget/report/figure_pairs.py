"""The figures of one benchmark's report: by tests and by likelihood, each wide, narrow and as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isobudget.costs.cost import Unit
from isobudget.curves import LIKELIHOOD, TESTS, Comparison
from isobudget.grid import counted
from isobudget.progress import Progress
from isobudget.report.figures.comparison import ComparisonFigure, caption, page_figure
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.page.page import BenchmarkFigures, FigurePair

#: selection of a sample -> its description in a figure's title
_TITLES = {TESTS: "chosen by tests", LIKELIHOOD: "chosen by likelihood, no tests"}


def figures_of(summary: BenchmarkSummary, stem: str, models: Sequence[str], progress: Progress) -> BenchmarkFigures:
    """Plot a benchmark. File names begin with `stem`; `models` determines colours and markers."""
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
    figure = ComparisonFigure(comparisons, summary.greedy, tuple(models), f"{what}: {_TITLES[selection]}")
    wide = page_figure(figure, name=file)
    narrow = page_figure(figure, stacked=True, formats=("svg",), name=file)
    return FigurePair(file, caption(figure), wide["svg"], wide["png"], narrow["svg"])
