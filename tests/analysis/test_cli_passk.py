"""`isobudget passk`: the table, the JSON, and what it says of bad input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from isobudget import api
from isobudget.cli.declared import with_options
from isobudget.cli.passk import passk
from isobudget.errors import InputError

LINES = [
    {"benchmark": "b", "model": "7b", "task_id": "t1", "n": 10, "c": 5},
    {"benchmark": "b", "model": "7b", "task_id": "t2", "n": 20, "c": 0},
    {"benchmark": "b", "model": "13b", "task_id": "t1", "passed": [1, 1, 0, 1]},
    {"benchmark": "b", "model": "13b", "task_id": "t2", "passed": [0, 0, 0, 1]},
]


def invoke(*arguments: str, columns: int = 120) -> Result:
    app = typer.Typer()
    app.command()(with_options(passk))
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, list(arguments))


@pytest.fixture
def counts(tmp_path: Path) -> str:
    path = tmp_path / "counts.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, LINES)).encode()))
    return str(path)


def test_json_is_all_there_is_on_stdout(counts: str) -> None:
    result = invoke(counts, "--k", "1,4,10", "--json")
    small, large = json.loads(result.stdout)
    assert (small["benchmark"], small["model"], small["problems"]) == ("b", "7b", 2)
    assert (small["n_min"], small["n_max"], large["n_min"], large["n_max"]) == (10, 20, 4, 4)
    assert small["pass_at_k"] == pytest.approx({"1": 0.25, "4": (1 - 5 / 210) / 2, "10": 0.5})
    assert large["pass_at_k"] == {"1": 0.5, "4": 1.0, "10": None}
    assert large["high"]["10"] is None
    assert list(large["undefined"]) == ["10"]
    assert "condition" not in small
    assert small["low"]["1"] < 0.25 < small["high"]["1"]


def test_table(counts: str) -> None:
    result = invoke(counts, "--k", "1,4,10")
    assert result.exit_code == 0
    title, _, head, _, small, large = result.stdout.splitlines()[:6]
    assert title == "pass@k"
    assert head.split() == ["benchmark", "model", "problems", "n", "pass@1", "pass@4", "pass@10"]
    assert small.split()[:5] == ["b", "7b", "2", "10-20", "25.00"]
    assert large.split()[-1] == "-"
    assert "100.00 (34.2-100.0)?" in large
    assert result.stdout.count("needs k samples of every problem; fewest samples of a problem: 4 (b 13b)") == 1
    assert invoke(counts, "--k", "1,4,10").stdout == result.stdout


def test_a_narrow_table_has_a_line_for_each_k_and_what_it_rests_on(counts: str) -> None:
    lines = invoke(counts, "--k", "1,4,10", columns=64).stdout.splitlines()
    assert max(map(len, lines)) <= 64
    cells = [" ".join(line.split()) for line in lines[4:10]]
    assert [one for one in cells if one.startswith("b 7b 1 25.00")]
    assert [one for one in cells if one.startswith("2 problems, n = 10-20 4 48.81")]


@pytest.mark.parametrize("k", ["", "0", "1,,2", "-1", "1.5", "ten", "1,10,", "²", "99999999999"])
def test_a_bad_k(counts: str, k: str) -> None:
    result = invoke(counts, f"--k={k}")
    assert isinstance(result.exception, InputError)
    assert "--k takes whole numbers" in str(result.exception)


def test_a_k_asked_for_twice_is_answered_once(counts: str) -> None:
    (first, *_) = json.loads(invoke(counts, "--k", "1, 1,4", "--json").stdout)
    assert list(first["pass_at_k"]) == ["1", "4"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = invoke(str(tmp_path / "none.jsonl"))
    assert isinstance(result.exception, InputError)
    assert result.stdout == ""


def test_help_has_an_example() -> None:
    assert "isobudget passk example --k 1,5,10" in " ".join(invoke("--help").stdout.split())


def test_p3_through_the_command(shared_data: Path) -> None:
    result = invoke(str(shared_data / "p3" / "counts_n1000.jsonl.gz"), "--k", "1,10,100,1000", "--json")
    rows = json.loads(result.stdout)
    assert [row["condition"] for row in rows] == ["short", "med", "long"]
    published = [[2.236, 8.738, 19.382, 29.975], [7.140, 26.664, 51.472, 69.018], [14.941, 42.381, 63.845, 76.574]]
    for row, figures in zip(rows, published, strict=True):
        assert [100 * value for value in row["pass_at_k"].values()] == pytest.approx(figures, abs=1e-3)
        assert all(row["low"][k] < row["pass_at_k"][k] < row["high"][k] for k in row["pass_at_k"])


def test_the_table_says_by_what_its_intervals_were_made(tmp_path: Path) -> None:
    source = tmp_path / "c.jsonl"
    source.write_text(
        '{"model": "m", "task_id": "a", "n": 4, "c": 1}\n{"model": "m", "task_id": "b", "n": 4, "c": 3}\n'
    )
    (grid,) = api.passk(source, 1, level=0.9, replicates=500, seed=3).grids()
    assert grid.notes[0] == ("In percent, with 90% intervals over problems (bootstrap of 500 replicates, seed 3).")
