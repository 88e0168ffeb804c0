"""Success against budget drawn in letters."""

from __future__ import annotations

import re

import pytest

from isobudget.paper.tables import pass_tables
from isobudget.report.figures.paper import paper_plots
from isobudget.report.figures.parts import Plot
from isobudget.report.figures.terminal import terminal_plot

pytest.importorskip("plotext", minversion="6")


@pytest.fixture(scope="module")
def plot() -> Plot:
    return paper_plots(pass_tables("humaneval"))["figure-2"]


@pytest.mark.parametrize("width", [10, 40, 80, 300])
def test_a_plot_fits_the_terminal_and_names_each_model(plot: Plot, width: int) -> None:
    text = terminal_plot(plot, width)
    assert max(map(len, text.splitlines())) <= max(40, min(width, 100))
    assert "\x1b" not in text
    assert text.count("seconds per problem") == 1
    for sign, name in (("●", "7B"), ("■", "13B"), ("▲", "34B"), ("◆", "70B")):
        assert re.search(f"{sign} .*{name}", text)


def test_points_are_where_their_numbers_are(plot: Plot) -> None:
    """The highest of the rows with a model's sign is that of its largest published value, the lowest of its first."""
    rows = terminal_plot(plot, 80).splitlines()[:-1]
    heights = {int(found[1]): at for at, row in enumerate(rows) if (found := re.match(r"\s*(\d+)%", row))}
    (low, below), (high, above) = min(heights.items()), max(heights.items())
    percent_a_row = (high - low) / (below - above)
    drawn = [at for at, row in enumerate(rows) if "◆" in row]
    values = next(line for line in plot.panels[-1].lines if line.name.endswith("70B")).y
    assert low + percent_a_row * (below - max(drawn)) == pytest.approx(values[0], abs=percent_a_row)
    assert low + percent_a_row * (below - min(drawn)) == pytest.approx(values[-1], abs=percent_a_row)


def test_colours_only_where_the_terminal_has_some(plot: Plot) -> None:
    assert "\x1b[38;2;0;114;178m" in terminal_plot(plot, 80, colours=True)


def test_one_plot_leaves_nothing_for_the_next(plot: Plot) -> None:
    other = paper_plots(pass_tables("mbpp"))["figure-11"]
    first = terminal_plot(plot, 80)
    assert terminal_plot(other, 80) != first
    assert terminal_plot(plot, 80) == first
