"""From a run folder to its report: page, figures and JSON in RUN/report.

Everything is computed before anything is written, and every file appears whole or not at all, the page last. A report
is made anew each time from what the run records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isobudget.analysis.load_samples import LoadedRun, benchmarks_of, load_samples
from isobudget.costs.charges import Charges
from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.curves import LIKELIHOOD, TESTS, Bootstrap, Comparison
from isobudget.curves.sliders import sliders
from isobudget.errors import RunError
from isobudget.files.store_path import place
from isobudget.files.whole import file_stems, make_folder, write_whole
from isobudget.grid import counted
from isobudget.progress import SILENT, Progress
from isobudget.records.facts import model_notes, rules_note
from isobudget.records.run import Run, load_run
from isobudget.report.figures.comparison import Drawing, draw
from isobudget.report.figures.style import require_matplotlib
from isobudget.report.gather import BenchmarkSummary, summarize
from isobudget.report.json.page import page_data
from isobudget.report.json.run import report_dict
from isobudget.report.page.frontier import frontier_table
from isobudget.report.page.page import BenchmarkFigures, FigurePair, page, require_jinja
from isobudget.report.page.texts import FAILURES, output_files
from isobudget.report.tables.sentence import winner_sentence
from isobudget.solving.frontier import run_frontier

_STEPS_PER_BENCHMARK = 3


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What was made.

    Attributes:
        run: the run folder.
        page, figures, json: the HTML page, the figures as SVG and as PNG, the comparisons as JSON.
        sentences: which model to use at which budget, one for every benchmark and unit.
        summaries: what the page was made from, one entry a benchmark.
        notes: what the models' backends noticed, such as a server that samples once where several are asked for, and
            verdicts by another version of the judge's rules.
        texts: the files beside the page with outputs of the models.
    """

    run: Path
    page: Path
    figures: tuple[Path, ...]
    json: Path
    sentences: tuple[str, ...]
    summaries: tuple[BenchmarkSummary, ...]
    notes: tuple[str, ...] = ()
    texts: tuple[Path, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What `isobudget report --json` prints: the content of `json`."""
        content: dict[str, Any] = json.loads(self.json.read_text(encoding="utf-8"))
        return content

    def __repr__(self) -> str:
        return "\n".join((*self.sentences, f"page: {self.page}"))


def build_report(
    run: Run | str | Path,
    out: str | Path | None = None,
    *,
    units: Sequence[Unit] = (Unit.FLOPS, Unit.DEVICE_SECONDS),
    costs: CostsFile | str | None = None,
    bootstrap: Bootstrap | None = None,
    share_prompt: bool | None = None,
    texts: int | None = FAILURES,
    progress: Progress = SILENT,
) -> Report:
    """Make the report of a run.

    Args:
        run: the run or its folder.
        out: folder for the report; by default `report` in the run's folder.
        units: to compare in; one that the run does not record for all models is left out with a note.
        costs: a costs file that has been read, or `paper`, in place of what the run recorded.
        bootstrap: how intervals are computed.
        share_prompt: whether the samples of a problem share its prompt, see `costs.charges.Charges`.
        texts: failed outputs of each problem and model that can be opened on the page, beside the greedy one and the
            first that passed; 0 for no outputs at all, None for every sample.
        progress: shows how far it is.

    Raises:
        RunError: no such run, or nothing in it is judged.
        InputError: the run records none of the units.
        MissingExtraError: Matplotlib or Jinja2 is not installed.
        StorageError: the report cannot be written.
    """
    require_parts()
    run = run if isinstance(run, Run) else load_run(run)
    folder = place(out) if out is not None else run.path / "report"
    names = benchmarks_of(run)
    if not names:
        raise RunError(f"{run.path}: this run states no benchmark; there is nothing to report")
    loaded = load_samples(run)
    left_out = _not_judged(loaded, names)
    make_folder(folder)  # a folder that cannot be made is better known before the work than after it
    progress.start("report", _STEPS_PER_BENCHMARK * len(names))
    shown: list[tuple[BenchmarkSummary, BenchmarkFigures]] = []
    outputs: dict[str, list[tuple[str, int, bytes]]] = {}
    for name, stem in zip(names, file_stems(names), strict=True):
        if name in left_out:
            continue
        summary = summarize(loaded, name, units, bootstrap, costs, Charges(share_prompt=share_prompt))
        progress.advance("report", 1)
        figures = _figures(summary, stem, list(run.facts["models"]), progress)
        points = run_frontier(loaded, summary.first)
        known = frontier_table(points, summary.first.unit, summary.first.bootstrap.level)
        shown.append((summary, replace(figures, frontier=known)))
        if texts != 0:
            tasks = summary.first.curves[0].task_ids
            outputs[name] = list(output_files([(run, {})], name, stem, tasks, texts))
    return _write(folder, run, shown, outputs, left_out)


def require_parts() -> None:
    """Make sure that a report can be made; a `MissingExtraError` if Matplotlib or Jinja2 is not installed."""
    require_matplotlib()
    require_jinja()


def _not_judged(loaded: LoadedRun, names: Sequence[str]) -> list[str]:
    """The benchmarks of which nothing is judged yet; a `RunError` if that is all of them."""
    found = [name for name in names if not any(row.judged for row in loaded.counts[name])]
    if len(found) == len(names):
        path = loaded.run.path
        raise RunError(f"{path}: nothing is judged yet; judge its samples with: isobudget judge {path}")
    return found


#: how one of the samples is chosen -> what a figure's title says of it, and what its y axis is called
_KINDS = {
    TESTS: ("chosen by tests", "pass@k"),
    LIKELIHOOD: ("chosen by likelihood, no tests", "rank-score@k by the model's own likelihood"),
}


def _figures(summary: BenchmarkSummary, stem: str, models: list[str], progress: Progress) -> BenchmarkFigures:
    tests = _figure(summary, summary.by_tests, TESTS, stem, models)
    progress.advance("report", 1)
    likelihood = _figure(summary, summary.by_likelihood, LIKELIHOOD, stem, models) if summary.by_likelihood else None
    progress.advance("report", 1)
    return BenchmarkFigures(tests, likelihood)


def _figure(
    summary: BenchmarkSummary, comparisons: Mapping[Unit, Comparison], selection: str, stem: str, models: list[str]
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


def _write(
    folder: Path,
    run: Run,
    shown: Sequence[tuple[BenchmarkSummary, BenchmarkFigures]],
    outputs: Mapping[str, Sequence[tuple[str, int, bytes]]],
    left_out: Sequence[str],
) -> Report:
    pairs = [pair for _, drawn in shown for pair in (drawn.tests, drawn.likelihood) if pair is not None]
    contents = {f"{pair.name}.svg": pair.svg for pair in pairs} | {f"{pair.name}.png": pair.png for pair in pairs}
    summaries = tuple(summary for summary, _ in shown)
    record = json.dumps(report_dict(run.facts, summaries), allow_nan=False)
    files = {name: [(file, first) for file, first, _ in found] for name, found in outputs.items()}
    stops = {summary.name: sliders(summary.by_tests) for summary in summaries}
    html = page(run.facts, shown, page_data(run.facts, summaries, stops, files), left_out)
    texts = {file: content for found in outputs.values() for file, _, content in found}
    _drop_old_texts(folder, texts)
    for name, data in (texts | contents).items():
        make_folder((folder / name).parent)
        write_whole(folder / name, data)
    write_whole(folder / "report.json", record.encode())
    write_whole(folder / "index.html", html.encode())
    notes = [*model_notes(run.facts), *filter(None, [rules_note(run.facts)])]
    return Report(
        run.path,
        folder / "index.html",
        tuple(folder / name for name in contents),
        folder / "report.json",
        sentences(summaries),
        summaries,
        tuple(notes),
        tuple(folder / name for name in texts),
    )


def _drop_old_texts(folder: Path, texts: Mapping[str, bytes]) -> None:
    """Remove the files of outputs that an earlier report left and this one does not write anew."""
    for path in (folder / "texts").glob("*-[0-9][0-9][0-9].js"):
        if f"texts/{path.name}" not in texts:
            path.unlink(missing_ok=True)


def sentences(summaries: Sequence[BenchmarkSummary]) -> tuple[str, ...]:
    """Which model to use at which budget, one sentence for every benchmark and unit."""
    return tuple(
        f"{summary.name}, by {unit}: {winner_sentence(comparison)}"
        for summary in summaries
        for unit, comparison in summary.by_tests.items()
    )
