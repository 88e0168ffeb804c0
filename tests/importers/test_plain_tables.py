"""Counts as plain Python values: a list of dicts, and a dict of columns, are read as data frames are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from isobudget import api
from isobudget.errors import InputError
from isobudget.importers.read import split_sources

ROWS = [{"model": "a", "task_id": f"t{at}", "n": 4, "c": at} for at in range(4)]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


@pytest.mark.parametrize("plain", [ROWS, tuple(ROWS), COLUMNS])
def test_plain_values_are_read_as_a_data_frame(plain: Any) -> None:
    expected = api.passk(pa.table(COLUMNS), "1,2", replicates=50).to_dict()
    assert api.passk(plain, "1,2", replicates=50).to_dict() == expected


def test_rows_without_a_problem_are_refused_in_words() -> None:
    with pytest.raises(InputError, match="task_id"):
        api.passk([{"model": "a", "n": 4, "c": 2}])


@pytest.mark.parametrize("wrong", [{"n": [1, 2], "c": [1]}, [{"n": 1}, {"n": "x"}], {"n": 3}, [3], [None]])
def test_what_is_no_table_is_an_input_error(wrong: Any) -> None:
    with pytest.raises(InputError):
        api.passk(wrong)


def test_a_run_that_is_named_twice_counts_once() -> None:
    run = Path(__file__).parents[1] / "golden" / "run"
    assert split_sources([run, str(run)]) == ([run], [])


def test_a_column_with_gaps_is_one_of_whole_numbers(tmp_path: Path) -> None:
    floats = {name: list(map(float, values)) if name in "nc" else values for name, values in COLUMNS.items()}
    expected = api.passk(COLUMNS, "1,2", replicates=100).to_dict()
    assert api.passk(pa.table(floats), "1,2", replicates=100).to_dict() == expected
    file = tmp_path / "c.csv"
    file.write_text("model,task_id,n,c\n" + "".join(f"a,t{at},4.0,{at}.0\n" for at in range(4)))
    assert api.passk(file, "1,2", replicates=100).to_dict() == expected
    (listed,) = api.passk({"model": ["a"], "task_id": ["t"], "passed": [[1.0, 0.0]]}, 1).to_dict()
    (by_sample,) = api.passk({"model": ["a"] * 2, "task_id": ["t"] * 2, "passed": [1.0, 0.0]}, 1).to_dict()
    assert listed["pass_at_k"] == by_sample["pass_at_k"] == {"1": 0.5}
    for wrong in (2.5, float("inf"), -1.0, 2.0**40):
        with pytest.raises(InputError, match="row 1: field `n` must be a whole number"):
            api.passk({"model": ["a"], "task_id": ["t"], "n": [wrong], "c": [1]})
