"""CSV: no spreadsheet runs a cell, and every cell comes back equal, whatever it holds."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from isobudget.files.csv_text import csv_text, guarded, unguarded

CELLS = st.text(st.sampled_from("'=+-@\t\r\n\"a, ;\x00\x0b\x0c\x1c\x85\u2028\u2029é"), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_every_cell_comes_back_and_none_is_run(rows: list[tuple[str, str]]) -> None:
    text = csv_text(("a", "b"), ({"a": a, "b": b} for a, b in rows))
    heading, *back = csv.reader(io.StringIO(text, newline=""))
    assert heading == ["a", "b"]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in back for cell in row)
    assert [tuple(map(unguarded, row)) for row in back] == rows


def test_the_guard_is_one_apostrophe_more() -> None:
    assert [guarded(one) for one in ("=x", "'=x", "''=x", "'x", "x", "", -1)] == [
        "'=x", "''=x", "'''=x", "'x", "x", "", -1,
    ]  # fmt: skip
    assert [unguarded(one) for one in ("'x", "''", "'", "", "=x")] == ["'x", "''", "'", "", "=x"]


def test_what_a_record_lacks_is_empty_and_lines_end_in_lf() -> None:
    assert csv_text(["=n", "b"], [{"b": "1\r2"}, {"=n": None, "b": -1.5}]) == '\'=n,b\n,"1\r2"\n,-1.5\n'
