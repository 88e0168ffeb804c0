"""How numbers, symbols and names are written, on a terminal, in CSV and in JSON."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from isobudget.cli.show import print_csv, print_json
from isobudget.curves import Point
from isobudget.grid import Grid, amount, counted, interval, percent, printable, ratio, short, si_prefix, with_unit
from isobudget.report.tables.comparison import short_labels
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


def test_the_best_is_explained_once_below_the_last_that_has_one(capsys: pytest.CaptureFixture[str]) -> None:
    grids = [Grid(f"t{at}", ("a", "b"), (("r", "1"),), frozenset({(0, 1)} if at < 2 else ())) for at in range(3)]
    print_grids(grids)
    out = capsys.readouterr().out
    assert out.count("best of its row") == 1
    assert out.index("t1") < out.index("best of its row") < out.index("t2")
    assert out.count("*1") == 2


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
