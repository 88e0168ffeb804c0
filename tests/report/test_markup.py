"""Markdown, LaTeX and CSV of tables: names escaped, booktabs' rules, no formulas; every table command in each form."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer

from isobudget.cli import build_app
from isobudget.grid import Grid
from isobudget.report.markup import csv_text, latex, markdown

NASTY = r"a_b & 50% $x$ #1 {y} \z ~ ^ <t> | [q] *w* `v` \input{/etc/passwd}"
GRID = Grid("T_1", ("model", "x"), ((NASTY, "1.5"), ("plain", "2")), frozenset({(1, 1)}), ("a note: 100%",))


def test_columns_of_words_stand_on_the_left() -> None:
    rows = (("a", "→ first pass", "*30.0 (1)", "never", "-"), ("b", "fixed k", "-", "8", ""), ("c", "", "5", "", "-"))
    grid = Grid("t", ("model", "policy", "solves", "k", "gain"), rows)
    assert "\\begin{tabular}{llrrr}" in latex(grid)
    assert "| --- | --- | ---: | ---: | ---: |" in markdown(grid)
    assert "\\begin{tabular}{lr}" in latex(Grid("t", ("a", "b"), ()))


def test_latex_is_a_table_of_booktabs_with_every_special_character_escaped() -> None:
    text = latex(GRID)
    lines = text.splitlines()
    assert [line for line in lines if line.startswith(("\\toprule", "\\midrule", "\\bottomrule"))] == [
        "\\toprule", "\\midrule", "\\bottomrule",
    ]  # fmt: skip
    row = next(line for line in lines if "textbackslash" in line)
    assert row.startswith(r"a\_b \& 50\% \$x\$ \#1 \{y\} \textbackslash{}z \textasciitilde{} \textasciicircum{}")
    assert r"\input" not in text
    assert row.count(" & ") == 1
    assert r"plain & \textbf{2} \\" in lines
    assert text.count("\\begin{") == text.count("\\end{") == 2


def test_markdown_has_one_row_a_row() -> None:
    lines = markdown(GRID).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert all(line.replace("\\|", "").count("|") == 3 for line in table)
    assert "**2**" in table[-1]
    assert "\\<t\\>" in table[2]


def test_csv_runs_nothing_and_comes_back() -> None:
    rows = [{"name": "=HYPERLINK()", "n": -1.5, "none": None}, {"name": "-x", "n": float("nan"), "none": 'a,"b"\n'}]
    back = list(csv.DictReader(csv_text(rows).splitlines(keepends=True)))
    assert [row["name"] for row in back] == ["'=HYPERLINK()", "'-x"]
    assert [row["n"] for row in back] == ["-1.5", ""]
    assert back[1]["none"] == 'a,"b"\n'
    assert csv_text([]) == ""


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"model": model, "task_id": f"t{at}", "passed": [int((at * k) % 5 < c) for k in range(4)]}
        for model, c in (("codellama-7b", 2), ("codellama-34b", 3))
        for at in range(4)
    ]
    (tmp_path / "counts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "passk counts.jsonl --k 1,2",
        "curves counts.jsonl --replicates 200",
        "plan counts.jsonl --budget 4x --replicates 200",
        "rank counts.jsonl --ranker order --orders 5",
        "compare counts.jsonl 7b@2 34b@1 --replicates 200",
        "paper --table 1",
    ],
)
@pytest.mark.usefixtures("counts")
def test_every_table_command_prints_every_form(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = {}
    for form in ("table", "markdown", "latex", "csv", "json"):
        build_app()([*command.split(), "--format", form], standalone_mode=False)
        printed[form] = capsys.readouterr().out
    assert printed["latex"].count("\\toprule") >= 1
    assert printed["markdown"].count("| ---") >= 1
    assert len(list(csv.DictReader(printed["csv"].splitlines()))) >= 1
    assert json.loads(printed["json"])
    with pytest.raises(typer.BadParameter, match="choose one of"):
        build_app()([*command.split(), "--format", "csv", "--json"], standalone_mode=False)
    with pytest.raises(typer.BadParameter, match="not one of"):
        build_app()([*command.split(), "--format", "xml"], standalone_mode=False)
