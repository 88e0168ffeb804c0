"""The page of a run: one HTML file that needs nothing else, for wide and narrow screens, by day and by night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

from isobudget.report.gather import BenchmarkSummary
from isobudget.report.page import evidence, provenance, sections
from isobudget.report.page.html import Html, join, safe, tag
from isobudget.report.page.svg import inline


@dataclass(frozen=True, slots=True)
class FigurePair:
    """One figure in both forms.

    Attributes:
        name: of its files, without ending; unique in the report.
        caption: what it shows, in words.
        svg, png: panels side by side.
        narrow_svg: panels below each other.
    """

    name: str
    caption: str
    svg: bytes
    png: bytes
    narrow_svg: bytes


@dataclass(frozen=True, slots=True)
class BenchmarkFigures:
    """The figures of a benchmark; `likelihood` is None where no likelihood is known."""

    tests: FigurePair
    likelihood: FigurePair | None


def page(
    facts: Mapping[str, Any],
    benchmarks: Sequence[tuple[BenchmarkSummary, BenchmarkFigures]],
    left_out: Sequence[str] = (),
) -> str:
    """The whole page as text.

    Args:
        facts: what the run states about itself.
        benchmarks: what there is to show, in order.
        left_out: benchmarks of which nothing is judged yet.
    """
    folder = files("isobudget.report.page")
    template = Template(folder.joinpath("page.html").read_text(encoding="utf-8"))
    summaries = [summary for summary, _ in benchmarks]
    missing = [tag("p", f"Not here, since nothing of it is judged yet: {name}.", class_="note") for name in left_out]
    shown = [_benchmark(summary, drawn) for summary, drawn in benchmarks]
    return template.substitute(
        title=safe(f"{facts.get('name', 'run')}: which model at which budget"),
        style=folder.joinpath("page.css").read_text(encoding="utf-8"),
        header=_header(facts, summaries),
        main=join([*map(sections.verdict, summaries), *missing, *shown, _how_made(facts, summaries)]),
        footer=tag("p", "Made by isobudget. All figures are per problem unless they say otherwise."),
    )


def _header(facts: Mapping[str, Any], summaries: Sequence[BenchmarkSummary]) -> Html:
    judged = sum(row.judged for summary in summaries for row in summary.verdicts)
    names = list(dict.fromkeys(one.model for summary in summaries for one in summary.samples))
    machine = facts.get("machine", {}).get("processor", "a machine not stated")
    about = (
        f"{_count(len(names), 'model')}, {_count(len(summaries), 'benchmark')}, {_count(judged, 'judged sample')}. "
        f"Begun {str(facts.get('created', ''))[:10]} on {machine}."
    )
    title = tag("h1", f"{facts.get('name', 'run')}: which model at which budget")
    links = [tag("li", tag("a", summary.name, href=f"#{_anchor(summary)}")) for summary in summaries]
    links.append(tag("li", tag("a", "How it was made", href="#made")))
    return join(
        [title, tag("p", about, class_="about"), tag("nav", tag("ul", *links), aria_label="Parts of this page")]
    )


def _benchmark(summary: BenchmarkSummary, drawn: BenchmarkFigures) -> Html:
    count = len(summary.first.curves[0].task_ids)
    parts: list[str] = [tag("h2", f"{summary.name}: {_count(count, 'problem')}")]
    if summary.notes:
        parts.append(tag("ul", *(tag("li", note) for note in summary.notes), class_="note"))
    parts.append(tag("h3", "Success at equal budget"))
    parts += [sections.equal_budget(comparison) for comparison in summary.by_tests.values()]
    parts.append(_figure(drawn.tests))
    flips = sections.flips(summary.by_tests)
    if flips is not None:
        parts += [tag("h3", "Where the verdict flips"), flips]
    parts += [tag("h3", "Stopping at the first pass"), sections.stopping(summary)]
    if drawn.likelihood is not None:
        parts += [tag("h3", "Without tests: choosing by likelihood"), tag("p", sections.RANKING_TEXT)]
        parts += [_figure(drawn.likelihood), sections.ranking(summary)]
    parts += [tag("h3", "Problems"), evidence.problems(summary)]
    parts += [tag("h3", "What the judge said"), evidence.outcomes(summary)]
    parts += [tag("h3", "What a sample costs"), evidence.costs(summary)]
    return tag("section", *parts, id=_anchor(summary))


def _figure(pair: FigurePair) -> Html:
    wide = tag("div", inline(pair.svg, f"{pair.name}-wide", pair.caption), class_="wide")
    narrow = tag("div", inline(pair.narrow_svg, f"{pair.name}-narrow", pair.caption), class_="narrow")
    return tag("figure", wide, narrow, tag("figcaption", pair.caption))


def _how_made(facts: Mapping[str, Any], summaries: Sequence[BenchmarkSummary]) -> Html:
    return tag(
        "section",
        tag("h2", "How it was made"),
        provenance.how_to_read(),
        tag("h3", "Sampling"),
        provenance.sampling(facts, summaries),
        provenance.models(facts),
        tag("h3", "Machine and judge"),
        provenance.machine(facts),
        tag("h3", "To make it again"),
        provenance.again(facts, summaries),
        id="made",
    )


def _anchor(summary: BenchmarkSummary) -> str:
    return "benchmark-" + "".join(one if one.isalnum() else "-" for one in summary.name)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
