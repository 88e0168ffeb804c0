from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import UndefinedError

from isobudget.analysis.compare_run import run_comparison
from isobudget.analysis.load_samples import load_samples
from isobudget.api.making import RunResult
from isobudget.cli import main
from isobudget.costs.cost import Unit
from isobudget.curves import LIKELIHOOD, Bootstrap
from isobudget.errors import InputError, MissingExtraError, RunError, StorageError
from isobudget.files.whole import file_stems
from isobudget.judge.verdict import Outcome
from isobudget.pipeline.generate import Generated
from isobudget.records.run import load_run
from isobudget.report import Report, build_report, equal_budget_table, flip_table, print_report
from isobudget.report.figures.comparison import Drawing, draw
from isobudget.report.figures.style import COLOURS
from isobudget.report.gather import summarize
from isobudget.report.json.comparison import comparison_json
from isobudget.report.page.page import environment
from isobudget.report.page.provenance import study_text
from isobudget.report.page.tables import Cell, Table
from isobudget.report.ranked import against_greedy
from isobudget.solving.frontier import run_frontier
from isobudget.study.read import parse_study
from support.html import Page, without_scripts
from support.synthetic_run import PAIR, SMALL, FakeModel, synthetic_run

FEW = Bootstrap(replicates=200)
HOSTILE = "<script>alert('x')</script>\"&"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    run = synthetic_run(tmp_path_factory.mktemp("runs") / "pair")
    return build_report(run, bootstrap=FEW)


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(without_scripts(report.page.read_text()))


def test_report_lies_in_the_run(report: Report) -> None:
    folder = report.page.parent
    assert folder.name == "report"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [report.page.name, report.json.name, "texts", *(path.name for path in report.figures)]
    )
    assert sorted((folder / "texts").iterdir()) == sorted(report.texts) != []
    assert {path.suffix for path in report.figures} == {".svg", ".png"}
    for path in report.figures:
        start = path.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if path.suffix == ".png" else b"<?xml" in start


def test_page_is_self_contained(page: Page, report: Report) -> None:
    text = without_scripts(report.page.read_text())
    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert "url(#" in text
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(page.ids)
    assert not re.search(r"@import|<script|<link|<img|url\((?!#)", text)


def test_page_can_be_read_by_everyone(page: Page, report: Report) -> None:
    text = without_scripts(report.page.read_text())
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("table") == page.tags.count("caption")
    assert page.tags.count("svg") == text.count('role="img" aria-label="') == 4
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert 'lang="en"' in text
    assert "prefers-color-scheme: dark" in text
    assert 'content="width=device-width' in text


def test_figures_on_the_page_take_its_colours(report: Report) -> None:
    figures = re.findall(r"<svg.*?</svg>", without_scripts(report.page.read_text()), re.DOTALL)
    assert len(figures) == 4
    for figure in figures:
        assert "currentColor" in figure
        assert "var(--model-0)" in figure
        assert not any(colour in figure for colour in COLOURS)
        assert "<style" not in figure
        assert "<!--" not in figure


def test_sentences_stand_at_the_top(page: Page, report: Report) -> None:
    about = [sentence.split(": ")[0] for sentence in report.sentences]
    assert about == ["quickstart, by flops", "quickstart, by device_seconds"]
    places = [page.text.index(sentence.split(": ", 1)[1]) for sentence in report.sentences]
    assert max(places) < page.text.index("Success at equal budget")


def test_page_has_the_comparison_s_figures(page: Page, report: Report) -> None:
    comparison = report.summaries[0].first
    for best in comparison.best:
        for point in comparison.points(best.budget).values():
            if point.k:
                assert f"{point.success:.1%}k = {point.k}" in page.text
    assert "720 judged samples" in page.text
    assert "All 720 verdicts have trust = shared" in page.text


def test_page_says_which_policy_to_use_at_each_budget(report: Report) -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", report.page.read_text("utf-8")).split())
    assert "Recommended policies by budget in flops per problem" in text
    for point in run_frontier(load_samples(report.run), report.summaries[0].first):
        assert f"{100 * point.success:.1f}%" in text
        assert point.policy.replace("_", " ") in text


def test_json_agrees_with_the_comparisons(report: Report) -> None:
    record = json.loads(report.json.read_text())
    found = record["benchmarks"]["quickstart"]
    kinds = [(one["unit"], *set(one["selection"].values())) for one in found["comparisons"]]
    units = ("flops", "device_seconds")
    assert kinds == [(unit, selection) for selection in ("tests", "likelihood") for unit in units]
    run = report.page.parent.parent
    ranked = run_comparison(run, "quickstart", Unit.DEVICE_SECONDS, selection=LIKELIHOOD, bootstrap=FEW)
    assert found["comparisons"][3] == comparison_json(ranked)
    assert found["problems"] == 30
    assert found["comparisons"][0]["sentence"] == report.sentences[0].split(": ", 1)[1]


def test_passed_samples_add_up(report: Report) -> None:
    found = json.loads(report.json.read_text())["benchmarks"]["quickstart"]
    verdicts = [asdict(row) for row in load_run(report.page.parent.parent).verdicts()]
    for model in ("small-135m", "large-1.5b"):
        own = [row for row in verdicts if row["model"] == model]
        sampled = [row for row in own if not row["greedy"]]
        assert sum(c for c, _ in found["passed"][model].values()) == sum(row["passed"] for row in sampled)
        assert found["verdicts"][model]["judged"] == len(own)
        for outcome in Outcome:
            assert found["verdicts"][model]["outcomes"][outcome] == sum(row["outcome"] == outcome for row in own)


def test_greedy_success_and_cost(report: Report) -> None:
    run = load_run(report.page.parent.parent)
    samples = [row for row in map(asdict, run.samples()) if row["greedy"] and row["model"] == "large-1.5b"]
    verdicts = [asdict(row) for row in run.verdicts()]
    passed = [row["passed"] for row in verdicts if row["greedy"] and row["model"] == "large-1.5b"]
    greedy = report.summaries[0].greedy["large-1.5b"]
    assert greedy.success == pytest.approx(np.mean(passed))
    assert greedy.low <= greedy.success <= greedy.high
    assert greedy.cost[Unit.DEVICE_SECONDS] == pytest.approx(np.mean([row["seconds"] for row in samples]))
    sampled = report.summaries[0].first.curve("large-1.5b").price.cost(1)
    assert 0.5 * sampled < greedy.cost[Unit.FLOPS] < 2 * sampled


def test_ranked_against_greedy(report: Report) -> None:
    summary = report.summaries[0]
    pairs = against_greedy(summary)
    assert [(pair.cheap, pair.dear, pair.unit) for pair in pairs] == [
        ("small-135m", "large-1.5b", Unit.FLOPS),
        ("small-135m", "large-1.5b", Unit.DEVICE_SECONDS),
    ]
    for pair in pairs:
        curve = summary.by_likelihood[pair.unit].curve("small-135m (likelihood)")
        assert curve.price.cost(pair.point.k) <= pair.budget * (1 + 1e-9)
        assert pair.point.success == curve.success[pair.point.k - 1]
        difference = pair.point.success - pair.greedy
        assert pair.low <= difference <= pair.high
        assert pair.verdict == ("worse" if pair.high < 0 else "better" if pair.low > 0 else "not clear")


def test_study_makes_the_same_run(report: Report) -> None:
    run = load_run(report.page.parent.parent)
    study = parse_study(study_text(run.facts, report.summaries[0]), "page")
    assert study.benchmarks == ["quickstart"]
    assert study.problems == 30
    assert {model.name: model.n for model in study.models} == {"small-135m": 20, "large-1.5b": 2}
    assert (study.greedy, study.sampling.temperature, study.sampling.max_tokens) == (True, 0.8, 200)


def test_terminal_tables_fit_80_columns(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report)
    out = capsys.readouterr().out
    lines = out.splitlines()
    paths = [line for line in lines if str(report.page.parent) in line]
    assert max(len(line) for line in lines if line not in paths) <= 80
    assert any(line.endswith(str(report.page)) for line in paths)
    assert "quickstart at equal budget, by flops" in out
    tables = [equal_budget_table(one) for one in report.summaries[0].by_tests.values()]
    having = [grid for grid in tables if any("-" in row for row in grid.rows)]
    assert " ".join(out.split()).count("- cannot afford one sample") == len(having) > 0
    comparison = report.summaries[0].first
    assert len(equal_budget_table(comparison).rows) == len(comparison.best)
    flips = flip_table(comparison)
    assert flips is not None
    assert "flips" in flips.title


def test_a_run_prints_in_a_few_lines(report: Report) -> None:
    text = repr(RunResult(report, Generated(1234)))
    assert len(text.splitlines()) == 4
    assert text.endswith(": 1,234 new samples")


# hostile and unusual input --------------------------------------------------------------------------------------------


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


def test_one_model_one_problem_no_greedy_no_likelihood(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", (SMALL,), {"one": 1}, greedy=False, likelihood=False)
    made = build_report(run, bootstrap=FEW)
    parsed = Page(without_scripts(made.page.read_text()))
    assert "Where the verdict flips" not in parsed.text
    assert "choosing by likelihood is left out" in parsed.text
    assert "no interval" in parsed.text
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
    run.drop_verdicts()
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
    run.drop_verdicts()
    _write_verdicts(run, [row for row in rows if row["benchmark"] == "done"])
    made = build_report(run, units=(Unit.FLOPS,), bootstrap=FEW)
    assert [summary.name for summary in made.summaries] == ["done"]
    assert "nothing of it is judged yet: waiting" in made.page.read_text()


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


def test_without_matplotlib(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"isobudget\[report\]"):
        build_report(report.page.parent.parent, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _write_verdicts(run: Any, rows: list[dict[str, Any]]) -> None:
    from isobudget.records.rows import VerdictRow

    with run.writing(), run.verdict_writer() as writer:
        writer.add([VerdictRow(**row) for row in rows])


# parts ----------------------------------------------------------------------------------------------------------------


def test_figures_are_the_same_each_time(report: Report) -> None:
    summary = report.summaries[0]
    drawing = Drawing(summary.by_tests, summary.greedy, ("small-135m", "large-1.5b"), "a title")
    first, second = (draw(drawing, formats=("svg",), name="same")["svg"] for _ in range(2))
    assert first == second


def test_large_curves_are_drawn_with_few_points(tmp_path: Path) -> None:
    models = (FakeModel("many", 1000, 0.0, 0.01, 64, 2),)
    summary = summarize(synthetic_run(tmp_path / "run", models, {"b": 3}), "b", (Unit.FLOPS,), FEW)
    drawn = draw(Drawing(summary.by_tests, {}, ("many",), "many"), formats=("svg",))
    assert len(drawn["svg"]) < 120_000


def test_drawing_leaves_matplotlib_as_it_was(report: Report) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw(Drawing(report.summaries[0].by_tests, {}, ("small-135m", "large-1.5b"), "t"), formats=("png",))
    assert dict(mpl.rcParams) == before
    code = "import sys, isobudget.report; sys.exit(any(name.startswith('matplotlib') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_part_of_a_table_is_escaped() -> None:
    cells = (Cell("<r>\x1b\u202e"), Cell("<x>", "<s>", kind="best"), Cell('"<k>', kind="text"))
    hostile = Table('"<c>', ("<h>", "<h>", "t"), (cells,), "<n>")
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


# command line ---------------------------------------------------------------------------------------------------------


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
    [("nowhere", [], "not a run folder"), (".", [], "not a run folder"), (".", ["--unit", "miles"], "unknown unit")],
)
def test_command_says_what_is_wrong(
    run: str, options: list[str], message: str, tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = command(str(tmp_path / run), *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
