"""Costs in one line, files of defaults alone, and rates of tokens."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from isobudget import api
from isobudget.costs.cost import Unit
from isobudget.costs.one_line import one_line_costs
from isobudget.errors import InputError


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Two models with 100 and 40 completion tokens a sample."""
    path = tmp_path / "counts.jsonl"
    lines = [
        {"model": model, "task_id": task, "passed": [0, 1], "completion_tokens": [tokens - 10, tokens + 10]}
        for model, tokens in (("codellama-7b", 100), ("codellama-34b", 40))
        for task in "ab"
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def prices(source: Path, unit: str, **stated: object) -> dict[str, float]:
    (compared,) = api.curves(source, unit, **stated)
    return {curve.model: curve.price.cost(1) for curve in compared.curves}


def test_seconds_by_tokens_a_second(counts: Path) -> None:
    found = prices(counts, "seconds", tokens_per_second="7b=2600,34b=480")
    assert found == pytest.approx({"codellama-7b": 100 / 2600, "codellama-34b": 40 / 480})
    assert prices(counts, "seconds", tokens_per_second=50) == pytest.approx({"codellama-7b": 2, "codellama-34b": 0.8})


def test_usd_by_gpu_hours(counts: Path) -> None:
    stated = {"tokens_per_second": 50, "usd_per_gpu_hour": 2.0, "gpus": "34b=2"}
    assert prices(counts, "usd", **stated) == pytest.approx(
        {"codellama-7b": 2 * 2 / 3600, "codellama-34b": 2 * 2 * 0.8 / 3600}
    )


def test_options_come_before_a_costs_file(counts: Path, tmp_path: Path) -> None:
    file = tmp_path / "costs.toml"
    file.write_text('[models."codellama-7b"]\nseconds = 9\n[models."codellama-34b"]\nseconds = 4\n')
    found = prices(counts, "seconds", costs=file, tokens_per_second="7b=10")
    assert found == pytest.approx({"codellama-7b": 10, "codellama-34b": 4})


def test_a_file_of_defaults_alone(counts: Path, tmp_path: Path) -> None:
    file = tmp_path / "costs.toml"
    file.write_text("[defaults]\nusd_per_million_input = 0.2\nusd_per_million_output = 0.6\nprompt_tokens = 150\n")
    found = prices(counts, "usd", costs=file)
    assert found == pytest.approx(
        {"codellama-7b": (150 * 0.2 + 100 * 0.6) / 1e6, "codellama-34b": (150 * 0.2 + 40 * 0.6) / 1e6}
    )


def test_the_files_of_the_shared_cases(counts: Path, shared_data: Path, tmp_path: Path) -> None:
    cases = shared_data.parent / "cases" / "formats"
    assert set(prices(counts, "usd", costs=cases / "defaults_only.toml")) == {"codellama-7b", "codellama-34b"}
    only = tmp_path / "7b.jsonl"
    only.write_text("".join(line for line in counts.read_text().splitlines(keepends=True) if "7b" in line))
    assert prices(only, "seconds", costs=cases / "tokens_per_second.toml") == pytest.approx(
        {"codellama-7b": 100 / 2600}
    )
    with pytest.raises(InputError, match=r"has no .*codellama-34b"):
        prices(counts, "seconds", costs=cases / "tokens_per_second.toml")


@pytest.mark.parametrize("text", ["", "x", "7b=", "=3", "7b=0", "7b=-1", "7b=nan", "7b=inf", "7b=1,,", "7b"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--tokens-per-second"):
        one_line_costs(None, text)


def test_gpus_are_whole(counts: Path) -> None:
    with pytest.raises(InputError, match=r"--gpus.*whole number"):
        one_line_costs(None, gpus="7b=1.5")
    with pytest.raises(InputError, match="--costs paper brings its own costs"):
        api.curves(counts, "seconds", costs="paper", tokens_per_second=3)


def test_plan_takes_them_too(counts: Path) -> None:
    made = api.plan(counts, "seconds", tokens_per_second="7b=100,34b=40", budget="2x", replicates=200)
    assert {name: price.cost(1) for name, price in made.prices.items()} == pytest.approx(
        {"codellama-7b": 1.0, "codellama-34b": 1.0}
    )


def test_the_example_that_ships(counts: Path) -> None:
    shipped = Path(str(files("isobudget.costs") / "data" / "example.toml"))
    assert prices(counts, "seconds", costs=shipped) == pytest.approx(
        {"codellama-7b": 100 / 2600, "codellama-34b": 40 / 480}
    )
    assert prices(counts, "usd", costs=shipped)["codellama-34b"] == pytest.approx(2 * 2.0 * 40 / 480 / 3600)


def test_a_name_that_no_model_has_is_refused(counts: Path) -> None:
    assert set(prices(counts, "seconds", tokens_per_second="7b=100,34b=40")) == {"codellama-7b", "codellama-34b"}
    with pytest.raises(InputError, match=r"zz=\.\.\. on the command line: no such model\. There are: codellama-7b"):
        prices(counts, "seconds", tokens_per_second="7b=100,34b=40,zz=2")


@pytest.mark.parametrize("unit", ["seconds", "device_seconds", "usd"])
def test_a_rate_without_token_counts_names_them(tmp_path: Path, unit: str) -> None:
    (tmp_path / "c.csv").write_text("model,task_id,n,c\na,t1,4,1\na,t2,4,2\n")
    with pytest.raises(InputError, match=rf"no cost in {unit} .*have completion_tokens; state completion_tokens = "):
        api.curves(tmp_path / "c.csv", unit, tokens_per_second=100, usd_per_gpu_hour=2)


def test_a_source_is_said_once(counts: Path) -> None:
    (compared,) = api.curves(counts, "seconds", tokens_per_second=50, replicates=50)
    for curve in compared.curves:
        assert curve.price.source.count("(command line)") == 1


@pytest.mark.parametrize("text", ["7b=1,7b=2", "7b=1,7b=1", "1,2", "1,7b=2,1"])
def test_what_is_stated_twice_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--tokens-per-second: .* is stated twice in .*; write it once"):
        one_line_costs(None, text)


def test_two_parts_of_one_name_have_one_figure_and_a_whole_name_comes_first(counts: Path) -> None:
    rates = {"tokens_per_second": "codellama=100,34b=40"}
    with pytest.raises(
        InputError, match=r"codellama=100 and 34b=40 both mean codellama-34b; keep one, with the model's full name"
    ):
        prices(counts, "seconds", **rates)
    assert prices(counts, "seconds", tokens_per_second="codellama-34b=40,codellama=100") == pytest.approx(
        {"codellama-7b": 1.0, "codellama-34b": 1.0}
    )
    assert prices(counts, "usd", tokens_per_second="codellama=100", usd_per_gpu_hour="7b=36,34b=72") == pytest.approx(
        {"codellama-7b": 0.01, "codellama-34b": 0.008}
    )


def test_a_number_that_is_too_large_is_said_to_be(counts: Path) -> None:
    with pytest.raises(InputError, match=r"'1e31' is neither a number of more than 0 and below 10\^12 nor NAME"):
        prices(counts, "seconds", tokens_per_second="1e31")


def test_gpus_alone_ask_for_device_seconds(tmp_path: Path) -> None:
    """Nothing that is typed goes without effect and without a word."""
    source = tmp_path / "counts.jsonl"
    lines = [{"model": model, "task_id": f"t{at}", "n": 4, "c": at % 3} for model in "ab" for at in range(4)]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"no cost in device_seconds .*--tokens-per-second N"):
        api.curves(source, gpus=2)


def test_a_rate_of_one_model_leaves_what_is_known_without_it(tmp_path: Path) -> None:
    source = tmp_path / "counts.jsonl"
    names = ("codellama-7b", "codellama-34b")
    lines = [{"model": model, "task_id": f"t{at}", "n": 4, "c": at % 3} for model in names for at in range(4)]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (plain,) = api.compare([source, "7b@2", "34b@1"])
    (rated,) = api.compare([source, "7b@2", "34b@1"], tokens_per_second="7b=1000")
    assert plain.one.costs.keys() == {Unit.FLOPS}
    assert (rated.one.costs, rated.other.costs) == (plain.one.costs, plain.other.costs)
    with pytest.raises(InputError, match="the command line gives no price for codellama-34b"):
        api.curves(source, tokens_per_second="7b=1000", completion_tokens="7b=200")


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("usd_per_gpu_hour", "0", "neither a number of more than 0 nor NAME=NUMBER, such as 7b=2.50$"),
        ("tokens_per_second", "a,b=5", "'a' is neither .* such as 7b=2600;.* with a comma is priced in a costs file"),
        ("gpus", "x", "such as 7b=2$"),
        ("completion_tokens", "x", "such as 7b=200$"),
    ],
)
def test_each_option_shows_an_example_of_its_own(option: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        one_line_costs(None, **{option: text})
