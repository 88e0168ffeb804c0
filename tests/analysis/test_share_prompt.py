"""Whether a prompt is shared: chosen by an option, said by every table, and as by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget import api
from isobudget.costs.flops import completion_flops, prompt_flops
from isobudget.errors import InputError
from isobudget.grid import column_widths
from isobudget.models.named import named
from isobudget.report.tables.comparison import comparison_grids
from isobudget.report.tables.sentence import winner_sentence
from support.synthetic_run import PAIR, synthetic_run

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "numbers"
ROWS = [
    {"model": "codellama-7b", "task_id": "a", "passed": [1, 0, 1, 0, 1, 1, 0, 1, 0, 1]},
    {"model": "codellama-7b", "task_id": "c", "passed": [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]},
    {"model": "codellama-34b", "task_id": "a", "passed": [1, 0, 1, 0, 1, 1, 1, 1, 1, 1]},
    {"model": "codellama-34b", "task_id": "c", "passed": [0, 0, 1, 1, 0, 0, 0, 0, 0, 1]},
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    counts, costs = tmp_path / "counts.jsonl", tmp_path / "costs.toml"
    counts.write_text("".join(json.dumps(row | {"completion_tokens": [200] * 10}) + "\n" for row in ROWS))
    costs.write_text('[defaults]\nprompt_tokens = 400\n[models."codellama-7b"]\n[models."codellama-34b"]\n')
    return counts, costs


def paid(counts: Path, costs: Path | str | None, share: bool | None) -> tuple[int, str, str]:
    """Samples of 7B for one of 34B, how prompts are counted, and the sentence."""
    (found,) = api.curves(counts, costs=costs, share_prompt=share, replicates=200)
    small, large = found.curves
    k = small.price.affordable(large.price.cost(1))
    return k, small.price.prompt_said, winner_sentence(found)


@pytest.mark.parametrize("share", [None, True, False])
def test_how_many_samples_one_of_the_dearer_pays_for(files: tuple[Path, Path], share: bool | None) -> None:
    k, said, sentence = paid(*files, share)
    small, large = named("codellama-7b"), named("codellama-34b")
    prompt = [float(prompt_flops(one, [400])[0]) for one in (small, large)]
    each = [float(completion_flops(one, 400, [200])[0]) for one in (small, large)]
    once = 0.0 if share is False else prompt[0]
    per_sample = each[0] + (prompt[0] if share is False else 0.0)
    assert k == int((prompt[1] + each[1] - once) / per_sample) == (5 if share is False else 13)
    assert said == ("paid by every sample" if share is False else "shared, charged once a problem")
    assert ("pays for 5 samples" in sentence) == (share is False)


@pytest.mark.skipif(not CASES.is_dir(), reason="no ../shared/cases beside this checkout")
def test_the_recorded_case() -> None:
    files = CASES / "shared_prompt_now.jsonl", CASES / "prompt400.toml"
    assert [paid(*files, share)[0] for share in (None, False)] == [13, 5]


def test_every_table_at_equal_budget_says_which(files: tuple[Path, Path]) -> None:
    for share, words in ((True, "Prompts: shared, charged once"), (False, "Prompts: paid by every sample.")):
        (found,) = api.curves(files[0], costs=files[1], share_prompt=share, replicates=200)
        for grid in comparison_grids(found)[1:]:
            while grid is not None:
                assert any(note.startswith(words) for note in grid.notes), grid.title
                assert column_widths(grid, 80) is not None
                grid = grid.narrow
        assert {cost["prompt"] for cost in found.to_dict()["costs"].values()} == {found.curves[0].price.prompt_said}


def test_a_prompt_of_unknown_length_is_left_out_and_said(files: tuple[Path, Path]) -> None:
    (found,) = api.curves(files[0], replicates=200)
    assert {curve.price.prompt_said for curve in found.curves} == {"completions only, prompts not counted"}
    assert all("completions only" in curve.price.source for curve in found.curves)
    tokens = api.curves(files[0], "tokens", replicates=200)[0]
    assert tokens.curves[0].price.per_sample == 200
    assert tokens.curves[0].price.prompt_said == "completions only, prompts not counted"


def test_a_stated_amount_with_a_shared_part(files: tuple[Path, Path]) -> None:
    models = "[models.codellama-7b]\n[models.codellama-34b]\n"
    files[1].write_text(f"[defaults]\nseconds = 1.0\nseconds_per_problem = 3.0\n{models}")
    chosen = (None, False)
    costs = [api.curves(files[0], "seconds", costs=files[1], share_prompt=one, replicates=200)[0] for one in chosen]
    assert [found.curves[0].price.cost(2) for found in costs] == [5.0, 8.0]
    assert costs[1].curves[0].price.prompt_said == "paid by every sample"


def test_the_papers_way_has_no_prompt_apart(files: tuple[Path, Path]) -> None:
    assert paid(files[0], "paper", None)[1] == "part of one pass a sample, the paper's way"
    with pytest.raises(InputError, match="do not separate the prompt"):
        api.curves(files[0], costs="paper", share_prompt=True)


def test_a_run_and_its_report(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", PAIR, {"b": 6})
    shared, each = (api.curves(run.path, share_prompt=share, replicates=200)[0] for share in (None, False))
    for one, other in zip(shared.curves, each.curves, strict=True):
        assert one.price.per_problem > 0 == other.price.per_problem
        assert other.price.per_sample == pytest.approx(one.price.cost(1))
    spent = api.curves(run.path, share_prompt=False, stop="first-pass", replicates=200)[0]
    assert spent.curves[0].cost[0] == pytest.approx(each.curves[0].cost[0])
    made = api.report(run, tmp_path / "out", "flops", share_prompt=False)
    assert "Prompts: paid by every sample." in made.page.read_text()
    costs = json.loads(made.json.read_text())["benchmarks"]["b"]["comparisons"][0]["costs"]
    assert {cost["per_problem"] for cost in costs.values()} == {0.0}
