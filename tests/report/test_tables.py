"""How numbers, symbols and names are written, on a terminal, in CSV and in JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import numpy as np
import pytest
from rich.console import Console

from isobudget.cli.show import print_csv, print_json
from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, Comparison, Point, compare_counts
from isobudget.grid import (
    Grid,
    amount,
    column_widths,
    counted,
    interval,
    percent,
    printable,
    ratio,
    short,
    si_prefix,
    with_unit,
)
from isobudget.importers.counts import ModelCounts
from isobudget.report.tables.comparison import comparison_grids
from isobudget.report.tables.labels import short_labels
from isobudget.report.tables.sentence import winner_sentence
from isobudget.report.tables.terminal import POINT_SYMBOLS, legend, point_cell, print_grids, print_text

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (amount(0.0), "0"),
        (amount(1234.6), "1,235"),
        (amount(0.0012), "1.20e-3"),
        (amount(1.5e5), "1.50e5"),
        (amount(999.7), "1,000"),
        (amount(NAN), "-"),
        (with_unit(999.0, "flops"), "999 flops"),
        (with_unit(12_345.0, "flops"), "12,345 flops"),
        (with_unit(1e6, "flops"), "1 Mflops"),
        (with_unit(2.0, "hours"), "2 hours"),
        (with_unit(123.4, "usd"), "$123"),
        (with_unit(3.1234e-5, "usd"), "$0.0000312"),
        (with_unit(1.93e-3, "usd"), "$0.00193"),
        (with_unit(1e-6, "usd"), "$0.000001"),
        (with_unit(0.0, "usd"), "$0"),
        (short(850), "850"),
        (short(999.7e6, "B"), "1,000 MB"),
        (short(12_345_678), "12.3 M"),
        (short(1_060_000_000, "B"), "1.06 GB"),
        (percent(0.38751), "38.8"),
        (percent(1 / 3, 2), "33.33"),
        (percent(NAN), "-"),
        (interval(0.038, 0.85), "3.8-85.0"),
        (interval(NAN, NAN), ""),
        (ratio(10.4142), "10.4"),
        (ratio(10.4142, ".2f"), "10.41"),
        (ratio(math.inf), "inf"),
        (ratio(NAN), "?"),
        (counted(1, "sample"), "1 sample"),
        (counted(1000, "sample"), "1,000 samples"),
        (printable("a\x00\u202eb\n"), "a\ufffd\ufffdb\n"),
    ],
)
def test_numbers_as_text(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("value", "least", "prefix"),
    [(1e3, 1e3, "k"), (999.0, 1e3, ""), (5e5, 1e6, ""), (1e12, 1e6, "T"), (1e21, 1e6, "E")],
)
def test_the_largest_prefix_that_fits(value: float, least: float, prefix: str) -> None:
    scale, found = si_prefix(value, least)
    assert found == prefix
    assert (scale > 1) == bool(prefix)


def test_only_symbols_that_occur_are_explained() -> None:
    points = [
        Point(1.0, 0, NAN, NAN, NAN, False, True, "cannot afford one sample"),
        Point(2.0, 3, 0.5, 0.4, 0.6, False, True),
        Point(3.0, 20, 0.755, 0.4, 0.9, True, False),
    ]
    cells = [point_cell(point) for point in points]
    assert cells == ["-", "50.0 (3)", ">75.5 (20)?"]
    assert legend([cells], POINT_SYMBOLS) == tuple(f"{mark}  {meaning}" for mark, meaning in POINT_SYMBOLS.items())
    assert legend([cells[1:2]], POINT_SYMBOLS) == ()
    assert [line[0] for line in legend([cells[:2]], POINT_SYMBOLS)] == ["-"]
    assert all(len(line) <= 78 for line in legend([cells], POINT_SYMBOLS))


def test_nothing_in_a_table_is_markup_or_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "[bold]x[/bold] \x1b[31m\u202e"
    print_grids([Grid(hostile, (hostile, "n"), ((hostile, "1"),), frozenset({(0, 1)}), (hostile,))])
    print_text(hostile)
    out = capsys.readouterr().out
    assert out.count("[bold]x[/bold] \ufffd[31m\ufffd") == 5
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_the_best_is_explained_below_each_table_that_has_one(capsys: pytest.CaptureFixture[str]) -> None:
    grids = [Grid(f"t{at}", ("a", "b"), (("r", "1"),), frozenset({(0, 1)} if at < 2 else ())) for at in range(3)]
    print_grids(grids)
    parts = re.split("t[012]", capsys.readouterr().out)[1:]
    assert [part.count("best of its row") for part in parts] == [1, 1, 0]
    assert [part.count("*1") for part in parts] == [1, 1, 0]


def test_the_marks_of_a_table_are_explained_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    having = Grid("t0", ("a", "b"), (("r", "-"),), notes=("note",), legend=("-  nothing",))
    print_grids([having, Grid("t1", ("a", "b"), (("r", "1"),))])
    first, second = re.split("t[01]", capsys.readouterr().out)[1:]
    assert first.index("note") < first.index("-  nothing")
    assert "nothing" not in second


# what fits ------------------------------------------------------------------------------------------------------------


def wide(models: int, name: str) -> Comparison:
    rng = np.random.default_rng(models)
    nothing = (None,) * 25
    tasks = tuple(map(str, range(25)))
    made = []
    for at in range(models):
        c = rng.binomial(24, np.clip(rng.beta(0.5, 1, 25) + 0.01 * at, 0, 1))
        made.append(ModelCounts("bench", name.format(at), "", tasks, np.full(25, 24), c, nothing, nothing))
    prices = {one.model: SampleCost(Unit.SECONDS, 0.137 * (at + 1), source="s") for at, one in enumerate(made)}
    return compare_counts(made, prices, bootstrap=Bootstrap(replicates=200))


@pytest.mark.parametrize("name", ["m{}", "some-organization/Very-Long-Model-Name-{}B-Instruct-v0.{}", "x" * 70 + "{}"])
@pytest.mark.parametrize("models", [1, 2, 8, 20])
@pytest.mark.parametrize("width", [80, 120])
def test_no_number_is_broken_whatever_the_models(models: int, name: str, width: int) -> None:
    comparison = wide(models, name.replace("v0.{}", "v0"))
    console = Console(file=io.StringIO(), width=width, highlight=False)
    for grid in comparison_grids(comparison):
        shown = grid
        while shown.narrow is not None and column_widths(shown, width) is None:
            shown = shown.narrow
        assert column_widths(shown, width) is not None
        print_grids([grid], console)
        out = console.file.getvalue()  # type: ignore[attr-defined]
        assert max(map(len, out.splitlines())) <= width
        for row in shown.rows:
            for x, text in enumerate(row):
                assert x in shown.words or text in out
        if shown is not grid and "equal budget" in grid.title:
            assert "--csv" in " ".join(out.split())
            for best, row in zip(comparison.best, shown.rows, strict=True):
                points = sorted((p.success for p in comparison.points(best.budget).values() if p.k), reverse=True)
                assert [float(cell.split(" ")[0].lstrip(">")) for cell in (row[2], row[4]) if cell != "-"] == [
                    pytest.approx(100 * success, abs=0.051) for success in points[:2]
                ]


def test_every_model_stands_in_the_wide_table_where_it_fits() -> None:
    comparison = wide(3, "m{}")
    grid = next(grid for grid in comparison_grids(comparison) if "equal budget" in grid.title)
    assert column_widths(grid, 80) is not None
    assert grid.columns[1:4] == ("m0", "m1", "m2")


@pytest.mark.parametrize("width", [20, 33, 60, 200])
def test_column_widths_by_hand(width: int) -> None:
    grid = Grid("t", ("Name of model", "n"), (("a-long-name-of-a-model", "1,234,567"),))
    found = column_widths(grid, width)
    if width == 20:
        assert found is None
        return
    assert found is not None
    assert found[1] == 9
    assert found[0] == min(22, width - 2 - 2 - 9)
    assert sum(found) + 4 <= width


def test_one_problem_is_in_the_singular_and_has_no_interval(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = (None,)
    one, other = (ModelCounts("", name, "", ("t",), np.array([4]), np.array([2]), nothing, nothing) for name in "ab")
    prices = {name: SampleCost(Unit.TOKENS, 1.0, source="s") for name in "ab"}
    for models in ([one], [one, other]):
        comparison = compare_counts(models, prices, bootstrap=Bootstrap(replicates=200))
        print_grids(comparison_grids(comparison))
        out = capsys.readouterr().out
        assert "1 problem\n" in out
        assert "nan" not in out
        assert "nan" not in winner_sentence(comparison)
        assert ("clear against" in out) == (len(models) > 1)


def test_what_is_undefined_is_null_and_empty(capsys: pytest.CaptureFixture[str]) -> None:
    records = [{"a": NAN, "b": 1.5, "c": None}, {"a": math.inf, "b": 0.1, "c": "x,y"}]
    print_json(records)
    assert json.loads(capsys.readouterr().out)[0] == {"a": None, "b": 1.5, "c": None}
    print_csv(records)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows == [{"a": "", "b": "1.5", "c": ""}, {"a": "", "b": "0.1", "c": "x,y"}]
    print_csv([])
    assert capsys.readouterr().out == ""


def test_long_labels_lose_what_all_of_them_have() -> None:
    long = ["meta-llama--Llama-3.1-8B-Instruct", "meta-llama--Llama-3.1-70B-Instruct"]
    assert list(short_labels(long).values()) == ["8B", "70B"]
    assert short_labels(["a", "b"]) == {"a": "a", "b": "b"}


def test_long_names_of_models_are_short_in_tables_and_keep_their_size() -> None:
    names = [
        "Qwen/Qwen2.5-Coder-32B-Instruct-GGUF:Q4_K_M",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "deepseek-ai/deepseek-coder-instruct-33b",
        "smollm2",
    ]
    short = ["Qwen2.5-Coder-32B", "Llama-3.3-70B", "deepseek-coder-instruct-33b", "smollm2"]
    assert list(short_labels(names).values()) == short
    alike = ["org/one-model-of-32B-Instruct", "org/one-model-of-32B-Base-long", "other/one-model-of-32B-Instruct"]
    assert len(set(short_labels(alike).values())) == 3
    same = ["a/some-long-model-7B-Instruct-v1", "b/some-long-model-7B-Instruct-v1"]
    assert list(short_labels(same).values()) == ["a", "b"]
