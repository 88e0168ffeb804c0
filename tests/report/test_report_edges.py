"""Reports of runs that are odd, hostile or incomplete; templates, names of files, and the command."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from isobudget.cli import main
from isobudget.costs.cost import Unit
from isobudget.curves import Bootstrap
from isobudget.errors import InputError, RunError, StorageError
from isobudget.files.whole import file_stems
from isobudget.report import build_report
from isobudget.report.figures.comparison import ComparisonFigure, page_figure
from isobudget.report.gather import summarize
from isobudget.report.page.page import environment
from isobudget.report.page.tables import Cell, PageTable
from support.page_html import Page, without_scripts
from support.synthetic_run import PAIR, SMALL, FakeModel, synthetic_run

FEW = Bootstrap(replicates=200)
HOSTILE = "<script>alert('x')</script>\"&"


def test_nothing_from_outside_becomes_markup(tmp_path: Path) -> None:
    models = (
        FakeModel(HOSTILE, 4, 0.0, 0.01, 64, 2),
        FakeModel("_$\\frac{$ 模型 \x1b[31m\u202e", 2, 1.0, 0.02, 128, 2),
    )
    run = synthetic_run(tmp_path / "run", models, {f"../{HOSTILE}": 5}, task_prefix=HOSTILE)
    made = build_report(run, units=(Unit.SECONDS,), bootstrap=FEW)
    text = without_scripts(made.page.read_text())
    parsed = Page(text)
    assert "script" not in parsed.tags
    assert "<script" not in text
    assert parsed.text.count(f"{HOSTILE}/3") == 1
    markup = re.sub(r"<svg.*?</svg>|<style.*?</style>", "", text, flags=re.DOTALL)
    known = {tag for tag in parsed.tags if not re.fullmatch(r"svg|g|path|use|defs|rect|clippath", tag)}
    assert set(re.findall(r"<(\w+)", markup)) | {"style"} == known
    assert "\x1b" not in text
    assert "\u202e" not in text
    for path in made.figures:
        assert path.parent == made.page.parent
        assert b"<script" not in path.read_bytes()


def test_more_samples_than_curves_show(tmp_path: Path) -> None:
    """Curves end at k = 10,000, so half of 50,000 samples lies beyond their end."""
    source = tmp_path / "counts.jsonl"
    rows = ({"model": "codellama-7b", "task_id": f"p/{at}", "n": 50_000, "c": at} for at in range(3))
    source.write_text("\n".join(map(json.dumps, rows)))
    made = build_report(source, tmp_path / "out", units=(Unit.FLOPS,), costs="paper", bootstrap=FEW)
    assert "Curves end at k = 10,000; codellama-7b: more samples are recorded." in Page(made.page.read_text()).text


def test_one_model_one_problem_no_greedy_no_likelihood(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", (SMALL,), {"one": 1}, greedy=False, likelihood=False)
    made = build_report(run, bootstrap=FEW)
    parsed = Page(without_scripts(made.page.read_text()))
    assert "Where the winner flips" not in parsed.text
    assert "choosing by likelihood is left out" in parsed.text
    assert "no interval" in parsed.text
    assert "intervals over problems" not in parsed.text.partition("How it was made")[0]
    assert parsed.text.count("One problem gives no interval.") >= 2
    assert "nan" not in parsed.text
    assert len(made.figures) == 2
    assert made.summaries[0].greedy == {}


def test_a_single_sample_of_many_models(tmp_path: Path) -> None:
    models = tuple(FakeModel(f"model-{at}", 1, at / 4, 0.01 * 1.7**at, 64 * (at + 1), 2) for at in range(9))
    run = synthetic_run(tmp_path / "run", models, {"b": 6}, likelihood=False)
    made = build_report(run, units=(Unit.FLOPS,), bootstrap=FEW)
    Page(made.page.read_text())
    assert len(json.loads(made.json.read_text())["benchmarks"]["b"]["comparisons"][0]["models"]) == 9


def test_greedy_outputs_must_be_complete(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 6})
    rows = [asdict(row) for row in run.verdicts()]
    run.drop("verdicts")
    missing = ("small-135m", "b/2", True)
    kept = [row for row in rows if (row["model"], row["task_id"], row["greedy"]) != missing]
    _write_verdicts(run, kept)
    summary = summarize(run, "b", (Unit.FLOPS,), FEW)
    assert list(summary.greedy) == ["large-1.5b"]
    assert any(note.startswith("small-135m has no greedy output") for note in summary.notes)
    assert any("no verdict" in note for note in summary.notes)


def test_a_benchmark_without_verdicts_is_left_out(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"done": 4, "waiting": 4}, likelihood=False)
    rows = [asdict(row) for row in run.verdicts()]
    run.drop("verdicts")
    _write_verdicts(run, [row for row in rows if row["benchmark"] == "done"])
    made = build_report(run, units=(Unit.FLOPS,), bootstrap=FEW)
    assert [summary.name for summary in made.summaries] == ["done"]
    assert "none of its samples is judged yet: waiting" in made.page.read_text()


def test_what_a_run_does_not_record(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 4}, likelihood=False)
    made = build_report(run, tmp_path / "elsewhere", units=(Unit.TOKENS, Unit.USD), bootstrap=FEW)
    assert list(made.summaries[0].by_tests) == [Unit.TOKENS]
    assert "No comparison in usd" in made.page.read_text()
    assert made.page.parent == tmp_path / "elsewhere"
    with pytest.raises(InputError, match="does not record usd"):
        build_report(run, units=(Unit.USD,), bootstrap=FEW)


def test_nothing_judged(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 3}, judged=False)
    with pytest.raises(RunError, match="isobudget judge"):
        build_report(run)
    assert not (run.path / "report").exists()


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 3})
    (run.path / "report").write_text("in the way")
    with pytest.raises(StorageError, match="in the way"):
        build_report(run, bootstrap=FEW)


def test_large_curves_are_drawn_with_few_points(tmp_path: Path) -> None:
    models = (FakeModel("many", 1000, 0.0, 0.01, 64, 2),)
    summary = summarize(synthetic_run(tmp_path / "run", models, {"b": 3}), "b", (Unit.FLOPS,), FEW)
    drawn = page_figure(ComparisonFigure(summary.by_tests, {}, ("many",), "many"), formats=("svg",))
    assert len(drawn["svg"]) < 120_000


def test_every_part_of_a_table_is_escaped() -> None:
    cells = (Cell("<r>\x1b\u202e"), Cell("<x>", "<s>", kind="best"), Cell('"<k>', kind="text"))
    hostile = PageTable('"<c>', ("<h>", "<h>", "t"), (cells,), "<n>")
    made = str(environment().from_string('{% from "parts.html" import show %}{{ show(table) }}').render(table=hostile))
    assert re.findall(r"<(\w+)", made) == [
        *("div", "table", "caption", "thead", "tr", "th", "th", "th"),
        *("tbody", "tr", "th", "td", "strong", "small", "td", "p"),
    ]
    assert "&lt;r&gt;\ufffd\ufffd</th>" in made
    assert '<td class="best" data-column="&lt;h&gt;"><strong>&lt;x&gt;</strong><small>&lt;s&gt;</small></td>' in made
    assert 'aria-label="&#34;&lt;c&gt;"' in made
    assert '<th scope="col" class="text">t</th>' in made


def test_a_template_that_misspells_a_name_fails() -> None:
    with pytest.raises(UndefinedError):
        environment().from_string("{{ summry }}").render()


def test_file_stems_are_safe_and_different() -> None:
    names = ["humaneval", "../x/y", "x/y", "X y", "...", "", "ä"]
    stems = file_stems(names)
    assert len({stem.lower() for stem in stems}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", stem) for stem in stems)
    assert stems[0] == "humaneval"


def _write_verdicts(run: Any, rows: list[dict[str, Any]]) -> None:
    from isobudget.records.rows import VerdictRow

    with run.writing(), run.verdict_writer() as writer:
        writer.add([VerdictRow(**row) for row in rows])


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `isobudget report` with arguments; gives the exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["isobudget", "report", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return (int(end.value.code or 0), *capsys.readouterr())

    return run


def test_command_prints_tables_and_paths(tmp_path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    synthetic_run(tmp_path / "run", PAIR, {"b": 5}, likelihood=False)
    code, out, _ = command(str(tmp_path / "run"), "--unit", "seconds", "--out", str(tmp_path / "out"))
    assert code == 0
    assert "b at equal budget, by seconds" in out
    assert str(tmp_path / "out" / "index.html") in out
    code, out, err = command(str(tmp_path / "run"), "--unit", "seconds", "--json")
    assert json.loads(out)["benchmarks"]["b"]["comparisons"][0]["unit"] == "seconds"
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ("nowhere", [], "not a run folder"),
        (".", [], "not a run folder"),
        (".", ["--unit", "miles"], "unknown unit"),
        ("run", ["--usd-per-gpu-hour", "foo=2"], "foo=... on the command line: no such model"),  # before any progress
    ],
)
def test_command_says_what_is_wrong(
    run: str, options: list[str], message: str, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    synthetic_run(tmp_path / "run", benchmarks={"mine": 2})
    code, out, err = command(str(tmp_path / run), *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
