"""What a notebook shows of results: small tables, figures, rows; and what they print."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from isobudget import api
from isobudget.curves import Comparison
from isobudget.errors import InputError
from isobudget.report.notebook import html_of
from isobudget.results import Results, Shown
from support.synthetic_run import PAIR, synthetic_run

HOSTILE = "<script>alert(1)</script> & 'm'"


class Tags(HTMLParser):
    """The elements of a text, which must nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five thousand problems of two models, one with a hostile name."""
    path = tmp_path_factory.mktemp("counts") / "counts.jsonl"
    rows = [
        {"model": model, "task_id": f"task/{at}", "n": n, "c": (at * 7) % (n + 1)}
        for model, n in (("codellama-7b", 20), (HOSTILE, 4))
        for at in range(5000)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("costs") / "costs.toml"
    path.write_text(f"[models.codellama-7b]\nflops = 1e12\n[models.{json.dumps(HOSTILE)}]\nflops = 4e12\n")
    return path


@pytest.fixture(scope="module")
def found(counts: Path, costs: Path) -> Results[Comparison]:
    return api.curves(counts, costs=costs, replicates=100)


def check_html(thing: Shown) -> str:
    text = thing._repr_html_()
    assert Tags(text).seen <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "b", "p", "br", "small", "pre"}
    assert len(text) < 20_000
    assert "\x1b" not in text
    return text


def test_a_comparison_is_small_and_says_the_verdict(found: Results[Comparison]) -> None:
    (one,) = found
    assert len(repr(one)) < 200
    assert len(repr(one.curves[0])) < 200
    text = check_html(one)
    assert text == check_html(found)
    assert text.startswith("<p>Use ")
    assert "&lt;script&gt;" in text
    assert f"{100 * one.curves[0].success[0]:.1f} (1)" in text


def test_rows_and_figures_of_a_comparison(found: Results[Comparison]) -> None:
    (one,) = found
    assert one.to_records() == found.to_records()
    assert len(one.curves[0].to_records()) == one.curves[0].k_max
    assert [panel.x_label for panel in one.figure().plot.panels] == [
        "samples of each problem (k)",
        "Tflops per problem",
    ]
    picture = found.figure()
    assert "No panel in seconds: " in picture.caption
    assert list(found.figures()) == ["counts"]
    assert picture._repr_svg_().startswith("<?xml")


def test_passk_plans_and_comparisons_of_two(counts: Path, costs: Path, tmp_path: Path) -> None:
    passk = api.passk(counts, "1,2,4", replicates=100)
    assert "pass@4" in check_html(passk)
    assert passk.figure().plot.panels[0].lines[0].x.tolist() == [1, 2, 4]
    assert len(passk[0].to_records()) == 3
    check_html(passk[0])
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(line for line in counts.read_text().splitlines() if '00", ' in line))
    plan = api.plan(few, costs=costs, budget="4x", policy=["fixed_k", "first_pass"], replicates=100)
    assert check_html(plan).startswith("<p>For ")
    assert {line.name for line in plan.figure().plot.panels[0].lines} == {"fixed k", "first pass"}
    two = api.compare([str(counts), "codellama-7b@4", f"{HOSTILE}@1"], costs=costs, replicates=100)
    check_html(two)
    check_html(two[0])
    with pytest.raises(InputError, match="this result has no figure"):
        two.figure()


def test_ranked_samples(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 5})
    ranked = api.rank(run.path)
    check_html(ranked)
    assert repr(ranked[0]) == "b, small-135m: random, own; large-1.5b: random, own"
    assert list(ranked.figures()) == ["b-small-135m", "b-large-1.5b"]
    with pytest.raises(InputError, match=r"several figures: b-small-135m, b-large-1.5b"):
        ranked.figure()
    assert ranked[0].to_records() == ranked.to_records()


def test_many_rows_and_results_are_cut_and_said(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    rows = [
        {"benchmark": f"b{b}", "model": f"llama-2-{size}", "task_id": at, "n": 2, "c": at % 3}
        for b in range(5)
        for size in ("7b", "13b", "70b")
        for at in range(3)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = api.curves(path, replicates=100)
    assert "… and 2 results more" in check_html(found)
    assert list(found.figures()) == [f"b{b}" for b in range(5)]
    records = Results.of(
        range(99), plain=list, rows=list, text=str, grids=lambda: [api.passk(path, replicates=100).grids()[0]] * 5
    )
    assert "… and 2 tables more" in check_html(records)


def test_other_things_are_shown_as_they_print() -> None:
    assert html_of("<b>\x1b\u202e") == "<pre>&#x27;&lt;b&gt;\\x1b\\u202e&#x27;</pre>"
    assert len(html_of("x" * 10_000_000)) < 5000


def test_judging_prints_in_a_line(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 3})
    assert str(api.judge(run.path)).startswith(f"{run.path}: 0 samples judged")
