"""Collects everything that a page shows from opened sources, and renders the page for `report` and for `view`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from isobudget.analysis.judged import benchmarks_of
from isobudget.analysis.load_samples import LoadedRun
from isobudget.costs.charges import Charges
from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.costs.one_line import require_models
from isobudget.curves import Bootstrap
from isobudget.curves.sliders import sliders
from isobudget.errors import InputError, RunError
from isobudget.files.whole import file_stems
from isobudget.policies.choose import PlanRow
from isobudget.progress import SILENT, Progress
from isobudget.records.facts import IMPORTED
from isobudget.records.parts import part_paths
from isobudget.records.ranking_rows import RANKED_BY
from isobudget.report.gather import BenchmarkSummary, summarize, summarize_counts
from isobudget.report.json.page import page_data
from isobudget.report.json.run import report_dict
from isobudget.report.known import Known
from isobudget.report.page.page import BenchmarkFigures, page
from isobudget.report.page.texts import FAILURES, output_files, read_outputs
from isobudget.report.sources import Opened, not_judged
from isobudget.solving.frontier import run_frontier

if TYPE_CHECKING:
    from isobudget.ranking.rank import BenchmarkRanking

_STEPS_PER_BENCHMARK = 3

Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class Asked:
    """Options of a report, named as the arguments of `report.build.build_report`."""

    units: tuple[Unit, ...] = ()
    costs: CostsFile | str | None = None
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    share_prompt: bool | None = None
    from_: str | None = None
    texts: int | None = FAILURES


@dataclass(frozen=True, slots=True, eq=False)
class PageContent:
    """The content of a page, except its figures.

    Attributes:
        facts: what the sources state about themselves.
        path: as `report.build.Report.run`.
        summaries: one entry per benchmark.
        left_out: benchmarks without judged samples.
        outputs: by benchmark, the files with outputs: name, index of the first problem, content.
        damaged: one sentence for each damaged file whose data cannot be shown: which file, and what to do.
        known: what is shown if nothing can be compared.
    """

    facts: Mapping[str, Any]
    path: Path
    summaries: tuple[BenchmarkSummary, ...]
    left_out: tuple[str, ...] = ()
    outputs: Mapping[str, Sequence[tuple[str, int, bytes]]] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    known: Known | None = None


def collect_content(sources: Opened, asked: Asked, progress: Progress = SILENT, *, whole: bool = True) -> PageContent:
    """Collect the content of a page from sources that `sources.check_sources` accepts.

    Learning policies and measuring rankers take time, so they are only done if `whole` is true. If a file that only
    outputs, policies or rankers need is damaged, that part is left out, since the comparison does not need it.
    """
    if sources.loaded is None:
        return _counts(sources, asked, progress)
    loaded, names = sources.loaded, benchmarks_of(sources.loaded.run)
    left_out = not_judged(loaded)
    require_models(asked.costs, list(loaded.run.facts["models"]))
    progress.start("report", _STEPS_PER_BENCHMARK * len(names))
    summaries: list[BenchmarkSummary] = []
    damaged: dict[str, None] = {}
    for name in names:
        if name not in left_out:
            charges = Charges(share_prompt=asked.share_prompt)
            summary = summarize(loaded, name, asked.units, asked.bootstrap, asked.costs, charges)
            summaries.append(_whole(sources, loaded, summary, asked, damaged) if whole else summary)
        progress.advance("report", _STEPS_PER_BENCHMARK if name in left_out else 1)
    path = sources.runs[0][0].path if len(sources.runs) == 1 else sources.place
    outputs = _unless_damaged("outputs", damaged, lambda: _outputs(sources, loaded, summaries, asked)) or {}
    return PageContent(sources.facts, path, tuple(summaries), tuple(left_out), outputs, tuple(damaged))


def _counts(sources: Opened, asked: Asked, progress: Progress) -> PageContent:
    runs, files = sources.counted
    progress.start("report", _STEPS_PER_BENCHMARK)
    charges = Charges(share_prompt=asked.share_prompt)
    named = [*runs, *files]
    summaries = summarize_counts(named, asked.units, asked.bootstrap, asked.costs, charges, asked.from_)
    progress.advance("report", 1)
    models = {one.model: {"backend": IMPORTED, "title": one.model} for summary in summaries for one in summary.tallies}
    benchmarks = {one.name: {"problems": len(one.first.curves[0].task_ids)} for one in summaries}
    facts = {**sources.facts, "models": models, "benchmarks": benchmarks}
    return PageContent(facts, sources.place, tuple(summaries))


def _whole(
    sources: Opened, loaded: LoadedRun, summary: BenchmarkSummary, asked: Asked, damaged: dict[str, None]
) -> BenchmarkSummary:
    """The summary, extended by the policies to use at the same prices and by the rankers recorded in a single run."""
    charges = Charges(share_prompt=asked.share_prompt)

    def policies() -> dict[Unit, tuple[PlanRow, ...]]:
        rows_by_unit = {unit: run_frontier(loaded, one, asked.costs, charges) for unit, one in summary.by_tests.items()}
        return {unit: rows for unit, rows in rows_by_unit.items() if rows}

    try:
        frontier = _unless_damaged("policies", damaged, policies) or {}
    except InputError as error:
        frontier, damaged[f"Policies are left out: {error}."] = {}, None
    ranking = _unless_damaged("rankers", damaged, lambda: _ranking(sources, summary))
    return replace(summary, frontier=frontier, ranking=ranking)


def _unless_damaged(what: str, damaged: dict[str, None], read: Callable[[], Content]) -> Content | None:
    """The result of `read`; None if a file is damaged. Each kind of damage is added to `damaged` once."""
    try:
        return read()
    except RunError as error:
        damaged[f"{what.capitalize()} are left out, since a file is damaged or missing. {error}."] = None
        return None


def _ranking(sources: Opened, summary: BenchmarkSummary) -> BenchmarkRanking | None:
    """The rankers recorded in a single run. The code that measures them is imported only if there are any."""
    if len(sources.runs) != 1 or not any(part_paths(sources.runs[0][0].path / table) for table in RANKED_BY):
        return None
    from isobudget.ranking.recorded import recorded_ranking

    return recorded_ranking(sources.runs[0][0], summary.name, summary.first.bootstrap)


def _outputs(
    sources: Opened, loaded: LoadedRun, summaries: Sequence[BenchmarkSummary], asked: Asked
) -> dict[str, list[tuple[str, int, bytes]]]:
    if asked.texts == 0:
        return {}
    names = [one.name for one in summaries]
    outputs, made = read_outputs(sources.runs, asked.texts), {}
    for summary, stem in zip(summaries, file_stems(names), strict=True):
        tasks = summary.first.curves[0].task_ids
        prompts = {task: loaded.problems[summary.name, task].prompt for task in tasks}
        models = [one.model for one in summary.tallies]
        made[summary.name] = list(output_files(summary.name, stem, prompts, models, outputs))
    return made


def page_text(
    collected: PageContent,
    figures: Mapping[str, BenchmarkFigures],
    live: str | None = None,
    whole: Mapping[str, Any] | None = None,
) -> str:
    """Render the page.

    Args:
        collected: content of the page.
        figures: figures by benchmark; the scripts plot every benchmark, with or without a figure.
        live: for a live run, the version of the verdicts that the page shows.
        whole: the `report_dict` of the content, if it has been made already.
    """
    shown = [(one, figures.get(one.name, BenchmarkFigures())) for one in collected.summaries]
    stops = {one.name: sliders(one.by_tests) for one in collected.summaries}
    files = {name: [(file, first) for file, first, _ in own] for name, own in collected.outputs.items()}
    whole = whole or report_dict(collected.facts, collected.summaries, collected.damaged)
    data = page_data(collected.facts, collected.summaries, stops, files, whole) | {"live": live}
    return page(collected.facts, shown, data, collected.left_out, collected.damaged, collected.known)
