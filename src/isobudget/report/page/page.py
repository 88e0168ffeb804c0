"""The page of a run: one self-contained HTML file, for wide and narrow screens, light and dark.

Its structure and texts are in `templates/`, its interactive parts in `scripts/`. No external text can become markup:
templates escape every value and make control characters visible. Only figures, plotted by Matplotlib, are inserted as
markup. The page's content policy allows no scripts but its own (`scripts.content_policy`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from isobudget.grid import counted, printable
from isobudget.report.gather import BenchmarkSummary
from isobudget.report.json.page import script_text
from isobudget.report.known import Known
from isobudget.report.page import provenance, tables
from isobudget.report.page.frontier import frontier_table
from isobudget.report.page.known import success_tables
from isobudget.report.page.ranking import ranking_tables
from isobudget.report.page.scripts import content_policy, plot_style, scripts
from isobudget.report.page.svg import inline
from isobudget.report.tables.power import power_line
from isobudget.report.tables.ranking import ranking_headline
from isobudget.report.tables.sentence import headline, winner_sentence

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class FigurePair:
    """One figure in a wide and a narrow layout.

    Attributes:
        name: file name without extension; unique in the report.
        caption: description in words.
        svg, png: layout with panels side by side.
        narrow_svg: layout with stacked panels.
    """

    name: str
    caption: str
    svg: bytes
    png: bytes
    narrow_svg: bytes


@dataclass(frozen=True, slots=True)
class BenchmarkFigures:
    """The figures of a benchmark; None for a figure that does not exist."""

    tests: FigurePair | None = None
    likelihood: FigurePair | None = None


def page(
    facts: Mapping[str, Any],
    benchmarks: Sequence[tuple[BenchmarkSummary, BenchmarkFigures]],
    data: Mapping[str, Any],
    left_out: Sequence[str] = (),
    damaged: Sequence[str] = (),
    known: Known | None = None,
) -> str:
    """The whole page as text.

    Args:
        facts: what the run states about itself.
        benchmarks: what is shown for each benchmark.
        data: data for the page's scripts, see `report.json.page`.
        left_out: the benchmarks that are not judged yet.
        damaged: one sentence for each damaged file whose data is missing from the page.
        known: what is shown if nothing can be compared.
    """
    from markupsafe import Markup

    summaries = [summary for summary, _ in benchmarks]
    template = environment().get_template("page.html")
    own = scripts()
    return template.render(
        facts=facts,
        about=_about(facts, summaries, known),
        known=known,
        summaries=summaries,
        benchmarks=benchmarks,
        left_out=left_out,
        damaged=damaged,
        policy=content_policy(own, fetches=data.get("live") is not None),
        plot_style=Markup(plot_style()),
        scripts=[Markup(text) for text in own],
        data=Markup(script_text(data)),
    )


@cache
def environment() -> Environment:
    """The templates and the functions that they may call. Using an undefined name in a template is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("isobudget.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "anchor": _anchor,
        "counted": counted,
        "inline": inline,
        "headline": headline,
        "winner_sentence": winner_sentence,
        "power_line": power_line,
    }
    made.globals |= {"tables": tables, "provenance": provenance, "frontier_table": frontier_table}
    made.globals |= {"ranking_tables": ranking_tables, "ranking_headline": ranking_headline}
    made.globals |= {"success_tables": success_tables}
    return made


def _printable(value: object) -> object:
    from markupsafe import Markup

    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _about(facts: Mapping[str, Any], summaries: Sequence[BenchmarkSummary], known: Known | None) -> str:
    if known is not None:
        return _counted(known.models, known.benchmarks, known.judged, facts)
    judged = sum(row.judged for summary in summaries for row in summary.verdicts)
    names = {one.model for summary in summaries for one in summary.tallies}
    judged = judged or sum(int(one.n.sum()) for summary in summaries for one in summary.tallies)
    return _counted(len(names), len(summaries), judged, facts)


def _counted(models: int, benchmarks: int, judged: int, facts: Mapping[str, Any]) -> str:
    return (
        f"{counted(models, 'model')}, {counted(benchmarks, 'benchmark')}, {counted(judged, 'judged sample')}. "
        f"{_begun(facts)}."
    )


def _begun(facts: Mapping[str, Any]) -> str:
    day = str(facts.get("created", ""))[:10]
    if provenance.imported(facts):
        return f"Imported {day}"
    return f"Begun {day} on {facts.get('machine', {}).get('processor', 'a machine not stated')}"


def _anchor(summary: BenchmarkSummary) -> str:
    return "benchmark-" + "".join(one if one.isalnum() else "-" for one in summary.name)
