"""The report of a run: its page, figures, JSON and terminal tables say what the comparisons say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from isobudget.analysis.compare_run import run_comparison
from isobudget.analysis.load_samples import load_samples
from isobudget.api.making import RunResult
from isobudget.costs.cost import Unit
from isobudget.curves import LIKELIHOOD, Bootstrap
from isobudget.errors import MissingExtraError
from isobudget.judge.verdict import Outcome
from isobudget.pipeline.generate import Generated
from isobudget.records.run import load_run
from isobudget.report import Report, build_report, equal_budget_table, flip_table, print_report
from isobudget.report.figures.comparison import ComparisonFigure, page_figure
from isobudget.report.figures.style import COLOURS
from isobudget.report.json.comparison import comparison_json
from isobudget.report.page.provenance import study_text
from isobudget.report.ranked import against_greedy
from isobudget.solving.frontier import run_frontier
from isobudget.study.read import parse_study
from support.page_html import Page, without_scripts
from support.synthetic_run import synthetic_run

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


def test_without_matplotlib(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"isobudget\[report\]"):
        build_report(report.page.parent.parent, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_figures_are_the_same_each_time(report: Report) -> None:
    summary = report.summaries[0]
    drawing = ComparisonFigure(summary.by_tests, summary.greedy, ("small-135m", "large-1.5b"), "a title")
    first, second = (page_figure(drawing, formats=("svg",), name="same")["svg"] for _ in range(2))
    assert first == second


def test_drawing_leaves_matplotlib_as_it_was(report: Report) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    page_figure(ComparisonFigure(report.summaries[0].by_tests, {}, ("small-135m", "large-1.5b"), "t"), formats=("png",))
    assert dict(mpl.rcParams) == before
    code = "import sys, isobudget.report; sys.exit(any(name.startswith('matplotlib') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
