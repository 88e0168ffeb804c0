"""`isobudget plan` from the outside."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from isobudget.cli.declared import with_options
from isobudget.cli.plan import plan
from isobudget.errors import InputError
from isobudget.solving.policy_file import read_policy
from support.command import isobudget

APP = typer.Typer()
APP.command()(with_options(plan))


def output(*arguments: str | Path) -> str:
    quick = ("--replicates", "200")
    result = CliRunner().invoke(APP, [*map(str, arguments), *quick], catch_exceptions=False, env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = []
    for at in range(24):
        rows.append(
            {"benchmark": "b", "model": "codellama-7b", "task_id": at, "n": 20, "c": (3 * at) % 17 if at % 3 else 0}
        )
        rows.append({"benchmark": "b", "model": "codellama-70b", "task_id": at, "n": 10, "c": (at * at) % 11 % 10})
    path = tmp_path / "counts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_tables_and_a_sentence(file: Path) -> None:
    text = output(file, "--costs", "paper", "--budget", "4x", "--budget", "1x:codellama-70b")
    assert "b: 24 problems, in Tflops a problem" in text
    assert "fixed k" in text
    assert "→ " in text
    assert text.startswith("For ")
    sentence, _, table = text.partition("\n\n")
    sentence = " ".join(sentence.split())
    assert "b: 24 problems" in table
    assert "run codellama-" in sentence
    assert "more than the best single model" in sentence or "not clear" in sentence
    assert sentence.endswith("measured on 24 problems, each with schedules learned without it.")
    assert all(len(line) <= 80 for line in text.splitlines())


def test_the_example_of_the_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    counts = next(
        block
        for block in (root / "docs" / "formats.md").read_text().split("```json\n")[1:]
        if '"n": 200' in block.partition("```")[0]
    ).partition("```")[0]
    monkeypatch.chdir(tmp_path)
    Path("counts.jsonl").write_text(counts)
    words = ("counts.jsonl", "--costs", "paper", "--budget", "8x", "--write", "policy.toml")
    text = " ".join(output(*words).split())
    assert "Learned from 2 problems only" in text
    assert "Table 1 (Code Llama 7B)" in text
    assert read_policy("policy.toml").schedule.arms == ("7b",)


def test_the_example_of_the_help_runs_on_the_run_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = [line.split() for line in (plan.__doc__ or "").splitlines() if "isobudget plan " in line]
    text = " ".join(output(*example[2:]).split())
    assert "Learned from 14 problems only" in text
    assert Path("policy.toml").is_file()


def test_two_suites_have_a_table(tmp_path: Path) -> None:
    visible, hidden, costs = (tmp_path / name for name in ("v.jsonl", "h.jsonl", "costs.toml"))
    costs.write_text("[models.m]\nflops = 1\n")
    for path, passed in ((visible, [1, 1, 0, 0]), (hidden, [1, 0, 0, 0])):
        path.write_text("".join(json.dumps({"model": "m", "task_id": at, "passed": passed}) + "\n" for at in range(3)))
    text = output(visible, "--hidden", hidden, "--costs", costs, "--budget", "1x", "--false-pass-cost", "1.5")
    table = text.partition("isible and hidden tests")[2]
    assert "first pass     50.0        25.0          25.0" in table
    said = "If a false pass costs 1.5 right answers, sampling helps up to this many samples: m: 0."
    assert said in " ".join(table.split())


def test_json_and_csv_agree(file: Path) -> None:
    arguments = (file, "--costs", "paper", "--unit", "seconds", "--budget", "2s", "--policy", "greedy")
    data = json.loads(output(*arguments, "--json"))
    (record,) = csv.DictReader(io.StringIO(output(*arguments, "--csv")))
    (row,) = data["rows"]
    assert data["recommended"] == [row]
    assert data["sentence"]
    assert json.loads(record["draws"]) == row["draws"]
    assert float(record["success"]) == row["success"]
    assert record["hidden_success"] == ""
    assert list(record) == list(row)


def test_files_are_written(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    policy = tmp_path / "policy.toml"
    for kind, start in {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}.items():
        figure = tmp_path / f"frontier.{kind}"
        drawn = []
        for _ in range(2):
            output(file, "--costs", "paper", "--budget", "4x", "--write", policy, "--figure", figure)
            drawn.append(figure.read_bytes())
        assert drawn[0].startswith(start)
        assert drawn[0] == drawn[1]
    assert read_policy(policy).schedule.draws >= 4


def test_one_form_and_one_figure_ending(file: Path) -> None:
    with pytest.raises(InputError, match=r"must end in .svg, .pdf or .png"):
        output(file, "--figure", "frontier.gif")
    result = CliRunner().invoke(APP, [str(file), "--json", "--csv"])
    assert result.exit_code == 2


def test_nothing_to_plan_is_exit_code_2_with_a_sentence(tmp_path: Path) -> None:
    costs = tmp_path / "costs.toml"
    costs.write_text("[models.a]\nflops = 1\n")
    for rows, message in (
        ([], "no rows"),
        ([("t0", 4, 1)], "one problem is not enough"),
        ([("t0", 4, 0), ("t1", 4, 0)], "none of the 8 samples of a passed"),
    ):
        path = tmp_path / "c.jsonl"
        path.write_text("".join(json.dumps({"model": "a", "task_id": t, "n": n, "c": c}) + "\n" for t, n, c in rows))
        done = isobudget("plan", path, "--costs", costs)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_what_cannot_be_planned_is_exit_code_2(file: Path) -> None:
    for arguments, message in (
        (("--budget", "0.1x"), "no budget pays for a sample"),
        (("--budget", "eight"), "is not a budget"),
        (("--budget", "8s", "--unit", "flops"), "cannot be combined with --unit flops"),
        (("--arms", "codellama-7b,x"), "no arm matches 'x'; arms: codellama-7b"),
    ):
        done = isobudget("plan", file, "--costs", "paper", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
