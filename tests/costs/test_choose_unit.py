"""The unit where none is stated: by a budget, flops where known, what the costs state, usd, tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget import api
from isobudget.errors import InputError
from support.synthetic_run import synthetic_run


def results(path: Path, *models: str, tokens: bool = False) -> Path:
    lines = [
        {"model": model, "task_id": f"t{at}", "passed": [0, 1, at % 2]}
        | ({"completion_tokens": [10, 20, 30]} if tokens else {})
        for model in models
        for at in range(4)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def chosen(source: Path, **given: object) -> str:
    """The unit that `curves` chooses; `plan` chooses the same."""
    (compared,) = api.curves(source, replicates=50, **given)
    budget = given.pop("budgets", ())
    assert api.plan(source, replicates=50, budget=budget, **given).unit == compared.unit
    return str(compared.unit)


@pytest.mark.parametrize(
    ("costs", "unit"),
    [
        ("seconds = 2", "seconds"),
        ("usd = 0.1", "usd"),
        ("device_seconds = 3", "device_seconds"),
        ("joules = 3", "joules"),
        ("seconds = 2\nusd_per_gpu_hour = 2.0", "usd"),
        ("completion_tokens = 50\ntokens_per_second = 10", "seconds"),
        ("completion_tokens = 50\njoules_per_token = 10", "joules"),
        ("completion_tokens = 50", "tokens"),
        ("flops = 1e9\nseconds = 2", "flops"),
    ],
)
def test_the_unit_that_the_costs_state(tmp_path: Path, costs: str, unit: str) -> None:
    (tmp_path / "costs.toml").write_text(f"[defaults]\n{costs}\n")
    assert chosen(results(tmp_path / "r.jsonl", "a", "b"), costs=tmp_path / "costs.toml") == unit


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ("usd = 0", "must cost a positive amount of usd"),
        ("usd_per_million_output = 2", "usd_per_million_input is missing"),
        ("usd_per_million_cached = 2", "usd_per_million_input is missing"),
        ("usd_per_million_input = 0\nusd_per_million_output = 0", "must cost a positive amount of usd"),
        ("price = 'nobody'", r"no \[\[price\]\] for model 'nobody'"),
        ("seconds = 1\nusd_per_gpu_hour = 0", "must cost a positive amount of usd"),
    ],
)
def test_a_price_that_is_stated_wrongly_is_not_passed_over_for_another_unit(
    tmp_path: Path, costs: str, message: str
) -> None:
    (tmp_path / "costs.toml").write_text(f"[defaults]\n{costs}\nprompt_tokens = 10\n")
    source = results(tmp_path / "r.jsonl", "a", "b", tokens=True)
    for call in (api.curves, api.plan):
        with pytest.raises(InputError, match=message):
            call(source, costs=tmp_path / "costs.toml")


def test_a_shared_part_alone_is_said_to_lack_its_amount(tmp_path: Path) -> None:
    (tmp_path / "costs.toml").write_text("[defaults]\nseconds_per_problem = 1\n")
    with pytest.raises(InputError, match=r"no cost in seconds for model 'a' .* state seconds = "):
        api.curves(results(tmp_path / "r.jsonl", "a", "b"), costs=tmp_path / "costs.toml")


def test_known_flops_come_before_what_the_costs_state(tmp_path: Path) -> None:
    (tmp_path / "costs.toml").write_text("[defaults]\nseconds = 2\n")
    source = results(tmp_path / "r.jsonl", "codellama-7b", "codellama-34b")
    assert chosen(source, costs=tmp_path / "costs.toml") == "flops"
    assert chosen(source, costs=tmp_path / "costs.toml", budgets="6s") == "seconds"
    one_unknown = results(tmp_path / "one.jsonl", "codellama-7b", "mine")
    assert chosen(one_unknown, costs=tmp_path / "costs.toml") == "seconds"


def test_options_state_a_unit_and_recorded_tokens_are_the_last(tmp_path: Path) -> None:
    source = results(tmp_path / "r.jsonl", "a", "b", tokens=True)
    assert chosen(source) == "tokens"
    assert chosen(source, tokens_per_second=10) == "seconds"
    assert chosen(source, tokens_per_second=10, usd_per_gpu_hour=2) == "usd"
    assert chosen(source, tokens_per_second=10, usd_per_gpu_hour=2, budgets="6s") == "seconds"


def test_nothing_left_is_said_of_flops_or_of_what_the_costs_state(tmp_path: Path) -> None:
    source = results(tmp_path / "r.jsonl", "a", "b")
    (tmp_path / "costs.toml").write_text("[models.a]\nseconds = 2\n")
    for call in (api.curves, api.plan):
        with pytest.raises(InputError, match="no cost in flops for model 'a'"):
            call(source)
        with pytest.raises(InputError, match=r'has no \[models."b"\]'):
            call(source, costs=tmp_path / "costs.toml")
    with pytest.raises(InputError, match="no cost in seconds for model 'a'"):
        api.curves(source, budgets="6s")
    with pytest.raises(InputError, match="no cost in usd for model 'a'"):
        api.plan(source, budget="0.02usd")
    with pytest.raises(InputError, match=r"a budget in usd cannot be combined with one in seconds"):
        api.curves(results(tmp_path / "a.jsonl", "a"), costs=tmp_path / "costs.toml", budgets="6s,1usd")


def test_a_comparison_of_two_says_why_the_stated_unit_has_no_price(tmp_path: Path) -> None:
    source = results(tmp_path / "r.jsonl", "a", "b")
    (tmp_path / "costs.toml").write_text("[models.a]\nseconds = 2\n[models.b]\nusd = 1\n")
    (found,) = api.compare([source, "a@1", "b@1"], costs=tmp_path / "costs.toml", replicates=50)
    assert "no cost in" in found.notes[-1]
    assert "flops" not in found.notes[-1].partition(":")[2].partition("for model")[0]


def test_one_source_alone_as_text_compares_its_two_models(tmp_path: Path) -> None:
    source = results(tmp_path / "r.jsonl", "a", "b")
    (alone,) = api.compare(str(source), 2, replicates=50)
    (named,) = api.compare([source, "a@2", "b@2"], replicates=50)
    assert (alone.one, alone.other, alone.p_value) == (named.one, named.other, named.p_value)
    with pytest.raises(InputError, match=r"has 3 models \(a, b, c\); name two"):
        api.compare(str(results(tmp_path / "three.jsonl", "a", "b", "c")))


def test_a_run_without_a_known_architecture(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run")
    assert chosen(run.path) == "flops"
    for facts in run.facts["models"].values():
        facts.pop("architecture")
    run.save_facts()
    assert chosen(run.path) == "tokens"
    for facts in run.facts["models"].values():
        facts["price"] = {"input": 1.0, "output": 2.0, "date": "2024-01-01", "source": "own"}
    run.save_facts()
    assert chosen(run.path) == "usd"


def test_a_costs_file_that_is_not_needed_for_flops_is_said_to_be_passed_over(tmp_path: Path) -> None:
    source = results(tmp_path / "r.jsonl", "codellama-7b", "codellama-34b")
    costs = tmp_path / "costs.toml"
    costs.write_text("[defaults]\nseconds = 2\n")
    said = (
        "Counted in flops, which are known without prices. The costs file states seconds; to count in seconds: "
        "--unit seconds."
    )
    (compared,) = api.curves(source, costs=costs)
    assert (compared.unit, said in compared.notes) == ("flops", True)
    assert said in api.plan(source, costs=costs).notes
    for given in ({"unit": "flops"}, {"budgets": "1e15flops"}):
        (compared,) = api.curves(source, costs=costs, **given)
        assert said not in compared.notes
    costs.write_text("[defaults]\nseconds = 2\nflops = 1e12\n")
    (compared,) = api.curves(source, costs=costs)
    assert said not in compared.notes
