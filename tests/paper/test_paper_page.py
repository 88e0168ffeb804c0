"""`docs/paper.md`: the figures that follow from the tables, and the numbers beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isobudget.costs.cost import Unit
from isobudget.paper.equal_budget import equal_budget
from isobudget.paper.tables import pass_tables
from isobudget.report.figures.paper import FIGURES, PaperFigure, paper_plots

DOCS = Path(__file__).resolve().parents[2] / "docs"


def section(figure: PaperFigure) -> str:
    text = (DOCS / "paper.md").read_text(encoding="utf-8")
    return text.partition(f"## Figure {figure.number}: {figure.benchmark}, {figure.family}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda one: str(one.number))
def test_each_figure_stands_beside_what_the_paper_says(figure: PaperFigure) -> None:
    text = section(figure)
    assert f"(paper/figure-{figure.number}.png)" in text
    assert "What the paper says: " in text


@pytest.mark.parametrize("figure", FIGURES, ids=lambda one: str(one.number))
def test_the_pictures_are_drawn_from_the_tables_as_they_are(figure: PaperFigure) -> None:
    image = pytest.importorskip("PIL.Image")
    plot = paper_plots(pass_tables())[f"figure-{figure.number}"]
    with image.open(DOCS / "paper" / f"figure-{figure.number}.png") as picture:
        assert picture.info["Description"] == plot.caption


@pytest.mark.parametrize("figure", FIGURES, ids=lambda one: str(one.number))
def test_the_numbers_beside_them_follow_from_the_tables(figure: PaperFigure) -> None:
    table = next(one for one in pass_tables() if one.benchmark == figure.benchmark)
    expected = [
        f"{'~' if cell.interpolated else ''}{cell.percent:.1f} ({cell.k:,})" if cell.k else "-"
        for unit in (Unit.FLOPS, Unit.SECONDS)
        for row in equal_budget(table, unit, (1, 4))
        if row.family == figure.family
        for cell in row.cells.values()
    ]
    rows = re.findall(r"^\| (?:one 70B sample|four), in (?:flops|time) \| (.*) \|$", section(figure), re.MULTILINE)
    assert [cell for row in rows for cell in row.split(" | ")] == expected
