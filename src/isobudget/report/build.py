"""Builds a report from run folders and files of results: page, figures, outputs and JSON.

Everything is computed before anything is written, and every file is written completely or not at all, the page last. A
report is always rebuilt from the recorded data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import CostsFile
from isobudget.curves import Bootstrap
from isobudget.files.store_path import place
from isobudget.files.whole import file_stems, make_folder, write_whole
from isobudget.progress import SILENT, Progress
from isobudget.records.facts import model_notes, rules_note
from isobudget.report.contents import Asked, PageContent, collect_content, page_text
from isobudget.report.figure_pairs import figures_of
from isobudget.report.figures.style import find_matplotlib
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.json.run import report_dict
from isobudget.report.page.page import BenchmarkFigures
from isobudget.report.page.texts import FAILURES
from isobudget.report.sources import check_sources, opened
from isobudget.report.tables.sentence import winner_sentence


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The files and results of a report.

    Attributes:
        run: the run folder; for several runs, or counts alone, the default folder of the report. For imported files,
            the path of a temporary run that no longer exists.
        page: the file of the HTML page.
        figures: the files of the figures, each as SVG and as PNG.
        json: the file of the comparisons as JSON.
        sentences: one for every benchmark and unit: which model to use at which budget.
        summaries: the data of the page, one entry per benchmark.
        notes: notes for the user. They say which data is missing because of damaged files, what is special about the
            models' backends (such as a server that returns one sample when several are requested), and whether the
            verdicts follow another version of the judge's rules.
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
        """The dict that `isobudget report --json` prints: the content of `json`."""
        content: dict[str, Any] = json.loads(self.json.read_text(encoding="utf-8"))
        return content

    def __repr__(self) -> str:
        return "\n".join((*self.sentences, f"page: {self.page}"))


def build_report(
    source: Any,
    out: str | Path | None = None,
    *,
    units: Sequence[Unit] = (),
    costs: CostsFile | str | None = None,
    bootstrap: Bootstrap | None = None,
    share_prompt: bool | None = None,
    from_: str | None = None,
    texts: int | None = FAILURES,
    progress: Progress = SILENT,
) -> Report:
    """Make the report of a run, of several runs side by side, or of files of results.

    Args:
        source: a run or its folder, several of these, or files of results in any known format.
        out: folder for the report; by default `report` in the run's folder, else `reports/` and the sources' names.
        units: units to compare in; a unit that is not recorded for all models is left out with a note. If empty, the
            costs decide, see `costs.choose_unit.units_of_report`.
        costs: a parsed costs file, or `paper`, used instead of the recorded costs.
        bootstrap: how intervals are computed.
        share_prompt: whether the samples of a problem share its prompt, see `costs.charges.Charges`.
        from_: the format of the files; None detects it from their content.
        texts: number of failed outputs per problem and model that can be opened on the page, in addition to the greedy
            output and the first that passed; 0 for no outputs at all, None for every sample.
        progress: shows the progress.

    Raises:
        RunError: the run does not exist, or none of its samples is judged.
        InputError: a source is wrong, or none of the units is recorded.
        MissingExtraError: Matplotlib is not installed.
        StorageError: the report cannot be written.
    """
    require_parts()
    asked = Asked(tuple(units), costs, bootstrap or Bootstrap(), share_prompt, from_, texts)
    with opened(source, from_) as sources:
        check_sources(sources)
        folder = place(out) if out is not None else sources.place
        make_folder(folder)  # so that an unusable folder is an error before the work, not after it
        collected = collect_content(sources, asked, progress)
        names = [summary.name for summary in collected.summaries]
        stems = dict(zip(names, file_stems(names), strict=True))
        figures = {
            one.name: figures_of(one, stems[one.name], list(collected.facts["models"]), progress)
            for one in collected.summaries
        }
        return _write(folder, collected, figures)


def require_parts() -> None:
    """Check that a report can be made: raise `MissingExtraError` if Matplotlib is not installed."""
    find_matplotlib()


def _write(folder: Path, collected: PageContent, figures: Mapping[str, BenchmarkFigures]) -> Report:
    pairs = [pair for figure in figures.values() for pair in (figure.tests, figure.likelihood) if pair is not None]
    images = {f"{pair.name}.svg": pair.svg for pair in pairs} | {f"{pair.name}.png": pair.png for pair in pairs}
    whole = report_dict(collected.facts, collected.summaries, collected.damaged)
    record = json.dumps(whole, allow_nan=False)
    html = page_text(collected, figures, whole=whole)
    texts = {file: content for files in collected.outputs.values() for file, _, content in files}
    _drop_old_texts(folder, texts)
    for name, data in (texts | images).items():
        make_folder((folder / name).parent)
        write_whole(folder / name, data)
    write_whole(folder / "report.json", record.encode())
    write_whole(folder / "index.html", html.encode())
    notes = [
        *collected.damaged,
        *model_notes(dict(collected.facts)),
        *filter(None, [rules_note(dict(collected.facts))]),
    ]
    return Report(
        collected.path,
        folder / "index.html",
        tuple(folder / name for name in images),
        folder / "report.json",
        sentences(collected.summaries),
        collected.summaries,
        tuple(notes),
        tuple(folder / name for name in texts),
    )


def _drop_old_texts(folder: Path, texts: Mapping[str, bytes]) -> None:
    """Remove files with outputs of an earlier report that this one does not rewrite."""
    for path in (folder / "texts").glob("*-[0-9][0-9][0-9].js"):
        if f"texts/{path.name}" not in texts:
            path.unlink(missing_ok=True)


def sentences(summaries: Sequence[BenchmarkSummary]) -> tuple[str, ...]:
    """One sentence for every benchmark and unit: which model to use at which budget."""
    return tuple(
        f"{summary.name}, by {unit}: {winner_sentence(comparison)}"
        for summary in summaries
        for unit, comparison in summary.by_tests.items()
    )
