"""What the page offers to take away: tables, figures and their points."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from isobudget.costs.cost import Unit
from isobudget.grid import percent
from isobudget.rankers.base import RANDOM
from support.made_page import FOLLOW, Made


def test_tables_and_figure_are_offered(page: Any, made: Made) -> None:
    page.evaluate(FOLLOW, "#unit=flops&hide=")
    csv = page.evaluate("() => isobudgetPage.csv(isobudgetPage.tableTexts(document.querySelector('#reached')))")
    lines = csv.splitlines()
    assert lines[0] == 'Model,Solves,"k, cost",Lead'
    assert [line.split(",")[0] for line in lines[1:]] == list(made.stops.labels)
    tables = page.locator("table:not(.hover table)").count()
    assert page.locator("button:text-is('CSV')").count() == page.locator("button:text-is('LaTeX')").count() == tables
    with page.expect_download() as saved:
        page.locator("[data-part=downloads] >> text=Figure as SVG").click()
    drawn = Path(saved.value.path()).read_text()
    assert drawn.startswith("<svg xmlns")
    assert all(label in drawn for label in made.stops.labels)
    latex = page.evaluate("() => isobudgetPage.latex([['a_b', '50%'], ['=1', '<x>']], 'c & d')")
    assert r"a\_b & 50\% \\" in latex
    assert page.evaluate("() => isobudgetPage.csv([['=1+1', '+2.5', '-x']])") == "'=1+1,+2.5,'-x\n"


def saved(page: Any, part: str, what: str) -> str:
    """The file that a figure's button gives."""
    with page.expect_download() as came:
        page.locator(f"[data-part={part}] >> text={what}").click()
    return Path(came.value.path()).read_text()


def test_points_of_the_figure_are_those_of_python(page: Any, made: Made) -> None:
    page.evaluate(FOLLOW, "#unit=device_seconds&hide=medium-0.5b")
    head, *rows = csv.reader(saved(page, "downloads", "Points as CSV").splitlines())
    assert head == ["Model", "k", "device seconds per problem", "success, %", "low, %", "high, %"]
    comparison = made.comparison(Unit.DEVICE_SECONDS)
    curves = [comparison.curve(label) for label in made.stops.labels if label != "medium-0.5b"]
    assert len(rows) == sum(len(made.stops.k[curve.label]) for curve in curves)
    found = {(row[0], int(row[1])): row[2:] for row in rows}
    for curve in curves:
        for k in made.stops.k[curve.label].tolist():
            cost, *shares = found[curve.label, k]
            assert float(cost) == pytest.approx(curve.cost[k - 1], rel=1e-5)
            assert shares == [percent(one[k - 1], 2) for one in (curve.success, curve.low, curve.high)]
    latex = saved(page, "downloads", "Points as LaTeX")
    assert latex.count("large-1.5b") == len(made.stops.k["large-1.5b"])


def test_the_rankers_figure_is_offered_as_the_other(page: Any, made: Made) -> None:
    ranking = made.summary.ranking
    assert ranking is not None
    model = ranking.models[-1]
    page.evaluate(FOLLOW, "#" + urlencode({"unit": "flops", "ranked": model.model, "sort": "rate"}))
    drawn = saved(page, "rankers", "Figure as SVG")
    names = ["tests (pass@k)", *("a random sample" if one.ranker == RANDOM else one.ranker for one in model.ranked)]
    texts = [one.text for one in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert set(names) <= set(texts)
    assert "chosen sample passes, %" in texts
    _, *rows = csv.reader(saved(page, "rankers", "Points as CSV").splitlines())
    assert set(names) == {row[0] for row in rows}
    for one in model.ranked:
        name = "a random sample" if one.ranker == RANDOM else one.ranker
        own = {(int(row[2]), row[1]): row for row in rows if row[0] == name}
        for (k, paid), row in own.items():
            curve = one.charged[Unit.FLOPS] if paid == "paid" else one.free[Unit.FLOPS]
            assert float(row[3]) == pytest.approx(curve.cost[k - 1], rel=1e-5)
            assert row[4] == percent(one.success[k - 1], 2)
    assert saved(page, "rankers", "Points as LaTeX").startswith("\\begin{table}")


def test_a_long_name_fits_into_the_drawing(page: Any) -> None:
    chart = """(name) => isobudgetPage.chartSvg({ x: [1, 8], y: [0, 100], scale: { factor: 1, text: "x" }, label: "y",
        series: [{ name, colour: "#000000", shape: "circle", dots: [[1, 50]] }] })"""
    for name in ("W", "m" * 60, "organisation/" + "long-name-" * 12, "name" * 100):
        drawn = page.evaluate(chart, name)
        width = page.evaluate(
            """(drawn) => {
                const host = document.body.appendChild(document.createElement("div"));
                host.innerHTML = drawn;
                const lines = [...host.querySelectorAll("text:not([transform])")].map((one) => one.getBBox());
                const ends = lines.map((box) => box.x + box.width);
                host.remove();
                return Math.max(...ends);
            }""",
            drawn,
        )
        assert width <= 640
