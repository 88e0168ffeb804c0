"""What figures show and how they are drawn: letters, legends, points, files."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, compare_counts
from isobudget.errors import InputError
from isobudget.importers.counts import ModelCounts
from isobudget.paper.equal_budget import interpolate
from isobudget.paper.tables import cost_table, pass_tables
from isobudget.report.figures.comparison import ComparisonFigure, comparison_plot
from isobudget.report.figures.look import SMALLEST, WIDTHS, Look, parse_look, parse_width
from isobudget.report.figures.paper import FIGURES, paper_plots
from isobudget.report.figures.parts import Line, Plot, thinned
from isobudget.report.figures.picture import Picture, PictureTarget, target_of
from isobudget.report.figures.render import figure_settings, lay_out, render
from isobudget.report.figures.style import COLOURS, in_order, model_style, style_at
from isobudget.report.figures.words import all_fitted, power_ticks, width_of

pytest.importorskip("matplotlib")

FAMILY = "some-organisation/Model-Family-Coder-{}B-Instruct-2026-GGUF-Q4_K_M (0-shot, T=0.8)"
NAMES = {
    2: ["smollm2-135m", "qwen2.5-coder-1.5b"],
    4: [f"Code Llama {size}B" for size in (7, 13, 34, 70)],
    8: [FAMILY.format(size) for size in (1, 3, 7, 15, 20, 33, 40, 70)],
    20: [f"{FAMILY.format(size)} and a note that is longer than any column" for size in range(1, 21)],
}
COLUMN, TEXT = Look(WIDTHS["column"]), Look(WIDTHS["text"])


@cache
def shown_of(count: int) -> ComparisonFigure:
    return drawn(NAMES[count])


def drawn(names: list[str]) -> ComparisonFigure:
    """Models with 40 problems, the later the better and the dearer."""
    problems, few = 40, Bootstrap(replicates=200)
    models = []
    for place, name in enumerate(names):
        n, draws = 2 + 2 * (200 // (1 + place)), np.random.default_rng(place)
        c = draws.binomial(n, draws.random(problems) ** (3 / (1 + place)))
        none = (None,) * problems
        models.append(
            ModelCounts("HumanEval", name, "", tuple(map(str, range(problems))), np.full(problems, n), c, none, none)
        )
    comparisons = {}
    for unit, first in ((Unit.FLOPS, 1.7e12), (Unit.SECONDS, 0.395)):
        prices = {one.name: SampleCost(unit, first * 1.5**place, source="made up") for place, one in enumerate(models)}
        comparisons[unit] = compare_counts(models, prices, bootstrap=few)
    return ComparisonFigure(comparisons)


def texts_of(plot: Plot, look: Look) -> tuple[Any, list[tuple[str, Any, float]]]:
    """The figure's box, and of every text that is seen: its letters, box in pixels and size in points."""
    from matplotlib.text import Text

    with figure_settings(plot.name, look):
        figure = lay_out(plot, look)
        figure.draw_without_rendering()
        hidden = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in beyond(axis)}
        seen = [one for one in figure.findobj(Text) if one.get_text().strip() and id(one) not in hidden]
        boxes = [(one.get_text(), one.get_window_extent(), one.get_fontsize()) for one in seen]
        inside = [one for one in boxes if one[1].width > 1]  # what is not drawn has a box of one pixel
        return figure.bbox, inside


def beyond(axis: Any) -> list[Any]:
    """Labels of ticks that lie beyond the ends of an axis and are not drawn."""
    low, high = axis.get_view_interval()
    pairs = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label for place, label in pairs if not low <= place <= high]


@cache
def compared_texts(count: int, look: Look) -> tuple[Any, list[tuple[str, Any, float]]]:
    """Those of a comparison of so many models."""
    return texts_of(comparison_plot(shown_of(count)), look)


@pytest.mark.parametrize(
    ("count", "look"),
    [*((count, COLUMN) for count in sorted(NAMES)), (8, Look(WIDTHS["colm"], "STIXGeneral", 9.0)), (20, TEXT)],
)
def test_labels_never_collide_and_letters_are_6_points_or_more(count: int, look: Look) -> None:
    whole, texts = compared_texts(count, look)
    assert len(texts) > 15 + count
    for text, box, points in texts:
        assert points >= SMALLEST, text
        assert whole.x0 - 1 <= box.x0, text
        assert box.x1 <= whole.x1 + 1, text
        assert whole.y0 - 1 <= box.y0 <= box.y1 <= whole.y1 + 1, text
    for (one, box, _), (other, beside, _) in combinations(texts, 2):
        assert not box.padded(-0.5).overlaps(beside.padded(-0.5)), (one, other)


@pytest.mark.parametrize("count", [8, 20])
def test_long_names_stay_different_in_the_legend(count: int) -> None:
    plot = comparison_plot(shown_of(count))
    _, texts = compared_texts(count, COLUMN)
    named = [text for text, _, _ in texts if "(n = " in text]
    assert len(set(named)) == count
    assert all(name in plot.caption for name in NAMES[count])


def test_cut_names_have_a_number_where_they_would_be_the_same() -> None:
    names = [f"{'a' * 60}{place}{'b' * 60}" for place in range(5)]
    short = all_fitted(names, 60, "DejaVu Sans", 7)
    assert len(set(short)) == 5
    assert all(width_of(one, "DejaVu Sans", 7) <= 60 for one in short)


@pytest.mark.parametrize("size", [8, 20])
def test_a_model_looks_the_same_whatever_the_order_and_no_pair_twice(size: int) -> None:
    names = NAMES[size]
    styles = {name: model_style(name, names) for name in names}
    assert styles == {name: model_style(name, names[::-1]) for name in names}
    assert len(set(styles.values())) == size
    assert len({style_at(place) for place in range(56)}) == 56
    assert in_order(["m-13b", "m-7b", "M-1.5b", "m-7b"]) == ["M-1.5b", "m-7b", "m-13b"]


def test_colours_differ_for_colour_blind_readers_or_have_other_markers() -> None:
    """Okabe and Ito's: no two are alike in lightness and in the blue-yellow axis at once."""
    red, green, blue = (np.array([int(colour[at : at + 2], 16) for colour in COLOURS]) / 255 for at in (1, 3, 5))
    yellow_blue, light = (red + green) / 2 - blue, 0.3 * red + 0.6 * green + 0.1 * blue
    for one, other in combinations(range(len(COLOURS)), 2):
        apart = np.hypot(yellow_blue[one] - yellow_blue[other], light[one] - light[other])
        assert apart > 0.1 or style_at(one).marker != style_at(other).marker


# points ---------------------------------------------------------------------------------------------------------------


def test_every_point_of_a_comparison_is_the_curve_s() -> None:
    shown = shown_of(4)
    plot = comparison_plot(shown)
    for panel, unit in zip(plot.panels, (None, *shown.comparisons), strict=True):
        for line in panel.lines:
            curve = shown.comparisons[unit or Unit.FLOPS].curve(line.name)
            cost = curve.k.astype(float) if unit is None else curve.cost / (1e12 if unit == Unit.FLOPS else 1)
            at = np.searchsorted(cost, line.x * (1 - 1e-12))
            assert line.x == pytest.approx(cost[at], rel=1e-12)
            assert line.y == pytest.approx(100 * curve.success[at])
            assert line.low == pytest.approx(100 * curve.low[at])
            assert line.high == pytest.approx(100 * curve.high[at])
            assert [round(k) for k in curve.k[at][line.marks]] == [2**power for power in range(len(line.marks))]
            assert curve.k[at][line.filled] == curve.trusted_k + 1 or curve.k[at][line.filled] > curve.trusted_k - 1


def test_what_is_drawn_is_what_the_plot_says() -> None:
    plot = paper_plots(pass_tables("humaneval"))["figure-2"]
    with figure_settings("x", COLUMN):
        figure = lay_out(plot, COLUMN)
    for axes, panel in zip(figure.axes, plot.panels, strict=True):
        markers = [line for line in axes.lines if line.get_marker() not in ("None", "") and len(line.get_xdata())]
        assert len(markers) == len(panel.lines)
        for seen, line in zip(markers, panel.lines, strict=True):
            assert seen.get_xdata() == pytest.approx(line.x[line.marks])
            assert seen.get_ydata() == pytest.approx(line.y[line.marks])


@cache
def paper_figures() -> dict[str, Plot]:
    return paper_plots(pass_tables())


PAPER_LINES = [
    (one.number, line, panel) for one in FIGURES for panel in range(3) for line in range(4 if one.number < 10 else 2)
]


@pytest.mark.parametrize(("number", "line", "panel"), PAPER_LINES)
def test_every_point_of_the_paper_s_figures_equals_its_tables(number: int, line: int, panel: int) -> None:
    figure = next(one for one in FIGURES if one.number == number)
    table = next(one for one in pass_tables() if one.benchmark == figure.benchmark)
    shown: Line = paper_figures()[f"figure-{number}"].panels[panel].lines[line]
    assert shown.name.startswith(figure.family)
    published = table.percent[shown.name]
    assert shown.y[shown.marks].tolist() == list(published)
    price = _table_1(shown.name, panel)
    if price is not None:
        assert shown.x[shown.marks] == pytest.approx([k * price for k in table.k[: len(published)]], rel=1e-12)
        for x, y in zip(shown.x, shown.y, strict=True):
            assert y == pytest.approx(interpolate(table.k, published, round(x / price)).percent)
    assert shown.solid == 0
    assert np.all(np.diff(shown.y) > 0)


def _table_1(model: str, panel: int) -> float | None:
    """What a sample costs by the paper: 1, Tflops, seconds (Table 1 is of about 1,000 samples)."""
    row = next((one for one in cost_table() if one.model == model), None)
    if panel == 0:
        return 1.0
    return None if row is None else row.flops / 1e12 if panel == 1 else row.seconds / 1000


def test_figures_2_to_6_10_and_11_and_no_other() -> None:
    assert list(paper_figures()) == [f"figure-{number}" for number in (2, 3, 4, 5, 6, 10, 11)]
    assert list(paper_plots(pass_tables("mbpp"))) == ["figure-3", "figure-11"]


def test_thinned_points_keep_their_ends() -> None:
    assert thinned(5).tolist() == [0, 1, 2, 3, 4]
    at = thinned(10_000, 5_000)
    assert {0, 4_999, 9_999} <= set(at.tolist())
    assert len(at) < 170


# files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plot() -> Plot:
    whole = paper_figures()["figure-11"]
    return replace(whole, panels=whole.panels[:1])


def test_a_pdf_embeds_its_letters_as_truetype_and_says_what_it_shows(plot: Plot) -> None:
    pdf = render(plot, COLUMN, ("pdf",))["pdf"]
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"/Subject" in pdf
    assert b"Figure 11 of the paper" in pdf
    assert b"/CreationDate" not in pdf


def test_an_svg_has_its_caption_as_its_description(plot: Plot) -> None:
    svg = render(plot)["svg"].decode()
    assert f"<title>{plot.title}</title>" in svg
    assert f"<desc>{plot.caption}</desc>" in svg
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(72 * WIDTHS["column"])  # type: ignore[index]


def test_three_panels_are_as_wide_as_the_text_and_one_as_a_column() -> None:
    assert Look().for_panels(3) == TEXT
    assert Look().for_panels(1) == COLUMN
    assert Look(5.5).for_panels(1).inches == 5.5


def test_a_png_is_as_wide_as_asked_and_described(plot: Plot) -> None:
    png = render(plot, COLUMN, ("png",))["png"]
    assert int.from_bytes(png[16:20]) == round(COLUMN.inches * COLUMN.dots)
    assert b"Figure 11 of the paper" in png


def test_hostile_names_are_drawn_as_text() -> None:
    names = ["<script>alert(1)</script>", "$\\frac{$ \x1b[31m\u202e_模型", "_hidden"]
    svg = render(comparison_plot(drawn(names)))["svg"].decode()
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    assert "\x1b" not in svg
    assert "\u202e" not in svg


def test_several_figures_have_their_names_in_the_file_s(tmp_path: Path, plot: Plot) -> None:
    one, two = (PictureTarget(tmp_path / name, COLUMN) for name in ("x.svg", "y.svg"))
    assert one.save({"one": plot}) == (tmp_path / "x.svg",)
    assert two.save({"one": plot, "two": plot}) == (tmp_path / "y-one.svg", tmp_path / "y-two.svg")
    with pytest.raises(InputError, match="nothing to plot"):
        one.save({})
    for figure, message in (("x.gif", "must end in"), (tmp_path / "no" / "x.svg", "there is no folder")):
        with pytest.raises(InputError, match=message):
            target_of(figure)
    with pytest.raises(InputError, match="they need --figure"):
        target_of(None, "column")
    assert target_of(None) is None
    picture = Picture(plot)
    assert picture.save(tmp_path / "p.png", width="icml-column", font="times,7").read_bytes().startswith(b"\x89PNG")
    assert picture._repr_svg_().startswith("<?xml")
    assert repr(picture) == f"{plot.title}\n{plot.caption}"


# options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inches"),
    [
        ("neurips", 5.5),
        ("ICML-column", 3.25),
        ("89mm", 89 / 25.4),
        ("8.5 cm", 8.5 / 2.54),
        ("240pt", 240 / 72.27),
        (4, 4.0),
    ],
)
def test_widths(text: str | float, inches: float) -> None:
    assert parse_width(text) == pytest.approx(inches)


@pytest.mark.parametrize(
    ("width", "font", "message"),
    [
        ("icml-colum", None, "did you mean icml-column"),
        ("wide", None, "neither a length"),
        ("1mm", None, "1.5 to 40 inches"),
        ("nan", None, "neither"),
        ("-3in", None, "neither"),
        (None, "serif,5", "6 to 24 points"),
        (None, "serif,nan", "6 to 24 points"),
        (None, "serif,x", "after the comma, write the size in points"),
        (None, "tims", "did you mean times"),
        (None, "../x", "no such font"),
    ],
)
def test_widths_and_fonts_that_there_are_not(width: str | None, font: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_look(width, font)


def test_fonts_by_a_short_name_and_by_their_own() -> None:
    assert parse_look(None, "times,9") == Look(family="STIXGeneral", points=9.0)
    assert parse_look(None, "dejavu sans mono").family == "DejaVu Sans Mono"
    assert parse_look() == Look()


@pytest.mark.parametrize("room", [40.0, 80.0, 200.0])
def test_ticks_have_room(room: float) -> None:
    ticks = power_ticks(0.01, 70_000, room, lambda text: width_of(text, "DejaVu Sans", 7), 5)
    scale = room / np.log2(70_000 / 0.01)
    ends = [(np.log2(value) * scale, width_of(text, "DejaVu Sans", 7) / 2) for value, text in ticks]
    assert all(a + wide < b - other for (a, wide), (b, other) in pairwise(ends))
