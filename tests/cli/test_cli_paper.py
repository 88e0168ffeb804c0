"""`isobudget paper` from the outside."""

from __future__ import annotations

import csv
import io
import json

import pytest
import typer
from typer.testing import CliRunner

from isobudget.cli.declared import with_options
from isobudget.cli.paper import paper
from isobudget.errors import InputError

APP = typer.Typer()
APP.command()(with_options(paper))


def output(*arguments: str) -> str:
    result = CliRunner().invoke(APP, arguments, catch_exceptions=False, env={"COLUMNS": "80"})
    assert result.exit_code == 0
    return result.stdout


def test_everything_at_80_columns() -> None:
    lines = output().splitlines()
    assert max(len(line) for line in lines) <= 80
    text = "\n".join(lines)
    for part in ("Table 1.", "Table 2. HumanEval", "Table 3. MBPP", "Table 4. APPS interview", "Llama-3"):
        assert part in text


def test_the_row_of_one_70b_sample() -> None:
    lines = output("--table", "budget", "--benchmark", "humaneval", "--unit", "flops").splitlines()
    row = next(line.split() for line in lines if line.split()[:1] == ["1"])
    assert row == ["1", "*~62.3", "(10)", "~59.9", "(5)", "51.4", "(2)", "46.7", "(1)"]


def test_table_1_beside_our_count() -> None:
    assert "17.60  17.591     -0.05%" in output("--table", "1")


def test_json_has_every_table_and_no_nan() -> None:
    data = json.loads(output("--json"), parse_constant=lambda name: pytest.fail(name))
    assert set(data) == {"table_1", "table_2", "table_3", "table_4", "equal_budget", "flips"}
    assert all(abs(row["deviation"]) < 0.002 for row in data["table_1"])
    cells = {
        (row["model"], row["k"], round(row["percent"], 1))
        for row in data["equal_budget"]
        if (row["benchmark"], row["unit"], row["samples_of_70b"]) == ("HumanEval", "flops", 1) and row["percent"]
    }
    assert ("Code Llama 7B", 10, 62.3) in cells
    never = [row for row in data["flips"] if row["k_cheap"] is None]
    assert never
    assert all(row["ratio"] is None and row["reason"] for row in never)


def test_csv_is_one_table() -> None:
    rows = list(csv.DictReader(io.StringIO(output("--csv", "--table", "2"))))
    assert len(rows) == 9 + 8 + 6 + 5 + 9 + 5
    assert {"table": "2", "benchmark": "HumanEval", "model": "Code Llama 70B", "k": "1", "percent": "46.7"} in rows
    with pytest.raises(InputError, match="choose it with --table"):
        output("--csv")


def test_an_unknown_benchmark() -> None:
    with pytest.raises(InputError, match="the paper has no benchmark 'swe'; it has: HumanEval, MBPP"):
        output("--benchmark", "swe")


@pytest.mark.parametrize(("option", "known"), [("--table", "1, 2, 3, 4, budget, flips"), ("--unit", "flops, seconds")])
def test_a_wrong_choice_is_named_with_the_known_ones(option: str, known: str) -> None:
    result = CliRunner().invoke(APP, [option, "all"], env={"COLUMNS": "120"})
    assert result.exit_code == 2
    assert f"'all' is not one of {known}" in result.output
    assert "Value error" not in result.output
