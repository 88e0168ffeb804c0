"""The tables and words of the page: signs, greedy outputs beside samples, what stands where nothing flips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isobudget.costs.cost import Unit
from isobudget.costs.costs_file import read_costs
from isobudget.curves import Bootstrap
from isobudget.records.facts import IMPORTED
from isobudget.report.contents import Asked, PageContent, collect_content, page_text
from isobudget.report.page import provenance, tables
from isobudget.report.sources import opened
from isobudget.report.tables.terminal import CAPPED, UNCERTAIN
from support.synthetic_run import FakeModel, synthetic_run

WEAK = FakeModel("weak-135m", 6, -4.0, 0.004, 576, 30)
STRONG = FakeModel("strong-1.5b", 4, 2.0, 0.022, 1536, 28)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> PageContent:
    """A run whose cheaper model reaches nothing of what the dearer one solves."""
    run = synthetic_run(tmp_path_factory.mktemp("page") / "run", (WEAK, STRONG), {"own": 20})
    with opened(run) as sources:
        return collect_content(sources, Asked(bootstrap=Bootstrap(replicates=50)))


def test_where_nothing_flips_a_sentence_says_so(found: PageContent) -> None:
    compared = found.summaries[0].by_tests
    assert all(flip.k_cheap is None for one in compared.values() for flip in one.flips)
    assert tables.flips(compared) is None
    said = tables.no_flip(compared)
    assert said.startswith("No price ratio is known")
    assert page_text(found, {}).count(said) == 1
    assert tables.no_flip({}) == ""


def test_the_signs_are_the_terminal_s(found: PageContent) -> None:
    table = tables.equal_budget(found.summaries[0].by_tests[Unit.FLOPS])
    points = [cell for row in table.rows for cell in row[1:-1] if cell.small != "cannot afford one"]
    assert any(cell.text.startswith(">") for cell in points) == (f"> {CAPPED}" in table.note)
    assert any("?," in cell.small for cell in points) == (f"? {UNCERTAIN}" in table.note)
    assert "> " in table.note
    assert "? " in table.note


def test_greedy_outputs_are_beside_what_samples_solve(found: PageContent) -> None:
    summary = found.summaries[0]
    table = tables.problems(summary)
    assert table.columns[-1] == "Solved by samples of"
    assert ("A star: the greedy output passed; the counts do not include it." in table.note) == any(
        tables.GREEDY_PASSED in cell.text for row in table.rows for cell in row
    )
    for row, task_id in zip(table.rows, summary.first.curves[0].task_ids, strict=True):
        assert row[0].text == task_id
        solved = [cell.text.split("/")[0] != "0" for cell in row[1:-1]]
        assert (row[-1].text == "none") == (not any(solved))


def test_imported_results_were_not_begun_here(found: PageContent) -> None:
    facts = {**found.facts, "models": {"a": {"backend": IMPORTED}, "b": {"backend": IMPORTED}}}
    assert dict(provenance.machine_facts(facts)).keys() >= {"Imported on", "Imported"}
    mixed = {**facts, "models": {**facts["models"], "c": {"backend": "llama.cpp"}}}
    assert dict(provenance.machine_facts(mixed)).keys() >= {"Machine", "Begun"}
    assert not provenance.imported({})


@pytest.mark.parametrize(
    ("stops", "said"),
    [([], "end of text"), (["\n"] * 4, "'\\n', '\\n', '\\n', '\\n'"), (["#"] * 60, "'#', '#', '#', '#' and 56 more")],
)
def test_a_long_list_of_stops_is_cut(found: PageContent, stops: list[str], said: str) -> None:
    summary = found.summaries[0]
    facts = {"benchmarks": {summary.name: {"stop": stops}}}
    assert tables.sampling(facts, [summary]).rows[0][-1].text == said


@pytest.mark.parametrize(
    ("solved", "of", "said"),
    [
        ("a", "a", "a"),
        ("", "a", "none"),
        ("", "abc", "none"),
        ("abc", "abc", "all models"),
        ("a", "abc", "only a"),
        ("abcdefg", "abcdefghi", "all but h, i"),
        ("abcd", "abcdefghi", "4 of 9 models"),
    ],
)
def test_few_models_are_named_and_many_counted(solved: str, of: str, said: str, tmp_path: Path) -> None:
    lines = [
        {"model": model, "task_id": task, "n": 2, "c": int(task == "u" or model in solved)}
        for model in of
        for task in "tu"
    ]
    found = counted(tmp_path, lines)
    assert {row[0].text: row[-1].text for row in tables.problems(found.summaries[0]).rows}["t"] == said


def test_a_cell_counts_the_models_that_a_lead_is_not_clear_of(tmp_path: Path) -> None:
    near = [
        {"model": f"near-{one}", "task_id": f"t{at}", "n": 10, "c": (3 * at + 2 * one) % 11}
        for one in range(5)
        for at in range(12)
    ]
    lines = [*near, *({"model": "far", "task_id": f"t{at}", "n": 10, "c": 0} for at in range(12))]
    (comparison,) = counted(tmp_path, lines).summaries[0].by_tests.values()
    lead = tables.equal_budget(comparison).rows[0][-1]
    assert (lead.text, lead.small) == ("not clear", "against 4 of 5 others")


def counted(place: Path, lines: list[dict[str, Any]]) -> PageContent:
    """Counts, each sample of one token."""
    path = place / "counts.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    costs = place / "costs.toml"
    costs.write_text("[defaults]\ncompletion_tokens = 1\n")
    asked = Asked((Unit.TOKENS,), costs=read_costs(costs), bootstrap=Bootstrap(replicates=100))
    with opened(path) as sources:
        return collect_content(sources, asked, whole=False)
