"""`isobudget curves` from the outside, on small files of our own and on public ones."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from isobudget.cli.curves import curves
from isobudget.cli.declared import with_options
from isobudget.errors import InputError
from support.synthetic_run import synthetic_run

APP = typer.Typer()
APP.command()(with_options(curves))


def output(*arguments: str | Path) -> str:
    quick = ("--replicates", "300")
    result = CliRunner().invoke(APP, [*map(str, arguments), *quick], catch_exceptions=False, env={"COLUMNS": "80"})
    assert result.exit_code == 0
    return result.stdout


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    small = ({"model": "codellama-7b", "task_id": i, "n": 20, "c": c} for i, c in enumerate((0, 3, 8, 20)))
    large = ({"model": "codellama-70b", "task_id": i, "passed": [1, 0, 1, 1]} for i in range(4))
    return lines(tmp_path / "counts.jsonl", *small, *large)


def test_known_names_need_no_costs(file: Path) -> None:
    data = json.loads(output(file, "--json"))
    assert data["unit"] == "flops"
    small = data["models"]["codellama-7b"]
    assert small["k"] == list(range(1, 21))
    assert small["cost"][4] == pytest.approx(5 * 1.691e12, rel=0.001)
    assert small["success"][0] == pytest.approx((0 + 3 + 8 + 20) / 80)
    assert "paper's count" in data["costs"]["codellama-7b"]["source"]
    assert data["best"][0]["model"] == "codellama-7b"
    assert data["flips"][0]["cheap"] == "codellama-7b"
    assert data["sentence"]


def test_paper_costs_by_unit(file: Path) -> None:
    flops = json.loads(output(file, "--costs", "paper", "--json"))
    assert flops["models"]["codellama-70b"]["cost"][0] == 17.6e12
    seconds = json.loads(output(file, "--costs", "paper", "--unit", "seconds", "--json"))
    assert seconds["models"]["codellama-70b"]["cost"][0] == 5.605
    assert seconds["flips"][0]["now"] == pytest.approx(14.19, abs=0.005)
    usd = json.loads(output(file, "--costs", "paper", "--unit", "usd", "--json"))
    assert "example figure" in usd["costs"]["codellama-7b"]["source"]


def test_a_costs_file(file: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.toml"
    costs.write_text("[models.codellama-7b]\nusd = 0.5\n[models.codellama-70b]\nusd = 2\nsource = 'bill'\n")
    data = json.loads(output(file, "--costs", costs, "--unit", "usd", "--json"))
    assert [best["budget"] for best in data["best"]][:3] == [0.5, 1, 2]
    assert data["costs"]["codellama-70b"]["source"] == "bill"


def test_a_benchmark_without_a_name_is_chosen_as_imported(tmp_path: Path) -> None:
    file = lines(tmp_path / "counts.jsonl", *[{"model": "m", "task_id": i, "n": 4, "c": i % 2} for i in range(3)])
    costs = ("--tokens-per-second", 10, "--completion-tokens", 10)
    assert output(file, *costs, "--benchmark", "imported", "--json") == output(file, *costs, "--json")
    with pytest.raises(InputError, match="has no benchmark 'other'; it has: imported"):
        output(file, *costs, "--benchmark", "other")


def test_recorded_completion_tokens_are_used(tmp_path: Path) -> None:
    rows = [{"model": "codellama-7b", "task_id": i, "n": 2, "c": 1, "completion_tokens": [90, 110]} for i in range(3)]
    file = lines(tmp_path / "counts.jsonl", *rows)
    tokens = json.loads(output(file, "--unit", "tokens", "--json"))
    assert tokens["models"]["codellama-7b"]["cost"] == [100, 200]
    flops = json.loads(output(file, "--json"))
    assert flops["models"]["codellama-7b"]["cost"][0] == pytest.approx(100 * 2 * 6.607e9, rel=0.01)
    assert "key-value cache" in flops["costs"]["codellama-7b"]["source"]


def test_tables_at_80_columns(file: Path) -> None:
    text = output(file, "--costs", "paper")
    assert max(len(line) for line in text.splitlines()) <= 80
    for part in (
        "at equal budget",
        "Budget for a given success",
        "Where the lead changes",
        "The cost ratio at which the winner flips",
        "Use ",
    ):
        assert part in text
    assert "guess" not in text


def test_reach_and_crossings_are_in_the_json(file: Path) -> None:
    data = json.loads(output(file, "--costs", "paper", "--unit", "seconds", "--json"))
    for reach in data["reach"]:
        assert set(reach["k"]) == set(reach["budget"]) == set(data["models"])
        for model, saving in reach["saving"].items():
            cheapest = reach["budget"][reach["cheapest"]]
            assert saving == pytest.approx(1 - cheapest / reach["budget"][model])
            k = reach["k"][model]
            assert data["models"][model]["success"][k - 1] >= reach["success"] - 1e-9
            assert data["models"][model]["cost"][k - 1] == pytest.approx(reach["budget"][model])
    assert any(len(reach["saving"]) == 2 for reach in data["reach"])
    assert data["crossings"] == []  # what the large model leads by at one sample, the small one never makes up


def test_guesses_are_apart_from_estimates(file: Path) -> None:
    plain = json.loads(output(file, "--costs", "paper", "--json"))
    asked = json.loads(output(file, "--costs", "paper", "--json", "--extrapolate", "50"))
    guessed = asked.pop("extrapolation")
    assert asked == plain
    assert "guess" in guessed["label"]
    small = guessed["models"]["codellama-7b"]
    assert (small["recorded"], small["k"]) == (20, [40, 50])
    assert small["cost"] == pytest.approx([40 * 1.69e12, 50 * 1.69e12])
    for name in ("beta_binomial", "power_law"):
        assert len(small[name]["success"]) == len(small[name]["low"]) == len(small[name]["high"]) == 2
    text = output(file, "--costs", "paper", "--extrapolate", "50")
    assert "a model's guess beyond the samples, not an estimate" in " ".join(text.split())
    rows = list(csv.DictReader(io.StringIO(output(file, "--csv", "--extrapolate", "50"))))
    assert {row["kind"] for row in rows} == {"estimate", "guess: beta-binomial", "guess: power law"}
    assert all((int(row["k"]) > 4) == (row["kind"] != "estimate") for row in rows if row["model"] == "codellama-70b")
    assert {row["trusted"] for row in rows if row["kind"] != "estimate"} == {"False"}


def test_a_model_that_cannot_be_extrapolated_says_why(tmp_path: Path) -> None:
    fine = ({"model": "codellama-7b", "task_id": i, "n": 20, "c": c} for i, c in enumerate((0, 3, 8, 20)))
    never = ({"model": "codellama-70b", "task_id": i, "n": 4, "c": 0} for i in range(4))
    file = lines(tmp_path / "counts.jsonl", *fine, *never)
    models = json.loads(output(file, "--extrapolate", "25", "--json"))["extrapolation"]["models"]
    assert "some samples that passed" in models["codellama-70b"]["reason"]
    assert "beta_binomial" not in models["codellama-70b"]
    models = json.loads(output(file, "--extrapolate", "20", "--json"))["extrapolation"]["models"]
    assert models["codellama-7b"]["reason"] == "20 samples are recorded"
    with pytest.raises(InputError, match="there is nothing to extrapolate"):
        output(file, "--extrapolate", "4")


def test_stopping_at_the_first_pass(file: Path) -> None:
    fixed = json.loads(output(file, "--costs", "paper", "--json"))
    stopping = json.loads(output(file, "--costs", "paper", "--json", "--stop", "first-pass"))
    assert (fixed["stop"], stopping["stop"]) == ("fixed", "first-pass")
    for name, model in stopping["models"].items():
        assert model["success"] == fixed["models"][name]["success"]
        assert model["cost"][-1] < fixed["models"][name]["cost"][-1]
        charged = stopping["costs"][name]["samples_charged"]
        assert model["cost"] == pytest.approx([k * model["cost"][0] for k in charged])
    text = " ".join(output(file, "--costs", "paper", "--stop", "first-pass").split())
    assert "at equal expected budget" in text
    rows = csv.DictReader(io.StringIO(output(file, "--csv", "--stop", "first-pass")))
    assert {row["stop"] for row in rows} == {"first-pass"}


def test_choosing_by_likelihood_in_a_run(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run", benchmarks={"b": 6})
    data = json.loads(output(run.path, "--select", "likelihood", "--json"))
    assert set(data["selection"].values()) == {"likelihood"}
    assert set(data["models"]) == {"small-135m (likelihood)", "large-1.5b (likelihood)"}
    by_tests = json.loads(output(run.path, "--json"))["models"]["small-135m"]["success"]
    ranked = data["models"]["small-135m (likelihood)"]["success"]
    assert ranked[0] == pytest.approx(by_tests[0])
    assert all(one <= other + 1e-12 for one, other in zip(ranked, by_tests, strict=True))
    assert "by likelihood" in " ".join(output(run.path, "--select", "likelihood").split())
    priced = tmp_path / "costs.toml"
    priced.write_text("[models.small-135m]\nusd = 1\n[models.'large-1.5b']\nusd = 5\n")
    found = json.loads(output(run.path, "--select", "likelihood", "--costs", priced, "--unit", "usd", "--json"))
    assert found["models"]["small-135m (likelihood)"]["cost"][1] == 2


def test_csv_has_every_point(file: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(output(file, "--csv"))))
    assert len(rows) == 24
    assert {row["selection"] for row in rows} == {"tests"}
    assert [row["trusted"] for row in rows if row["model"] == "codellama-70b"] == ["True", "True", "False", "False"]


def test_several_benchmarks(tmp_path: Path) -> None:
    rows = [{"benchmark": b, "model": "llama-2-7b", "task_id": "t", "n": 3, "c": 1} for b in ("one", "two")]
    file = lines(tmp_path / "counts.jsonl", *rows)
    assert set(json.loads(output(file, "--json"))["benchmarks"]) == {"one", "two"}
    assert set(json.loads(output(file, "--json", "--benchmark", "two"))["models"]) == {"llama-2-7b"}
    with pytest.raises(InputError, match="has no benchmark 'three'; it has: one, two"):
        output(file, "--benchmark", "three")


def test_budgets_in_units_and_in_samples(file: Path) -> None:
    from isobudget.costs.budget import parse_budgets

    assert parse_budgets("1e12, 2x,0.5X", 4.0) == [1e12, 8.0, 2.0]
    assert parse_budgets(None, 4.0) is None
    data = json.loads(output(file, "--costs", "paper", "--budgets", "1e11,1x,10x", "--json"))
    assert data["best"][0]["model"] is None
    assert data["best"][1]["budget"] == 1.69e12
    assert (data["best"][2]["model"], data["best"][2]["k"]) == ("codellama-7b", 10)
    of_one = json.loads(output(file, "--costs", "paper", "--budgets", "2x:7b", "--json"))["best"]
    assert of_one[0]["budget"] == 2 * 1.69e12
    with pytest.raises(
        InputError, match=r"counts samples of 'none', which must match exactly one model; models: codellama-7b"
    ):
        output(file, "--costs", "paper", "--budgets", "2x:none")
    with pytest.raises(InputError, match="'lots' is not a budget"):
        output(file, "--budgets", "1,lots")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unit", "euros"), "unknown unit 'euros'"),
        (("--unit", "seconds"), "no cost in seconds for model 'codellama-7b'.*--costs"),
        (("--costs", "none.toml"), r"none\.toml: cannot be read: No such file"),
        (("--budgets", "0"), "'0' is not a budget"),
        (("--level", "2"), "the level of intervals lies between 0 and 1"),
        (("--costs", "paper", "--unit", "joules"), "the paper gives no cost in joules for 'codellama-7b'"),
        (("--select", "likelihood"), "no likelihoods to choose by"),
        (("--select", "luck"), "unknown selection 'luck'"),
        (("--select", "likelihood", "--stop", "first-pass"), "only tests can tell when to stop"),
        (("--stop", "first-pass", "--extrapolate", "50"), "with --select likelihood or --stop first-pass"),
        (("--extrapolate", "0"), "takes the largest k"),
        (("--charge", "judge"), "judging is not priced in flops"),
        (("--charge", "tests"), "cannot charge 'tests'"),
        (("--ranker-architecture", "codellama-7b"), "--charge scoring"),
    ],
)
def test_wrong_requests(file: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        output(file, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "-1"), "--seed"),
        (("--replicates", "100000000000"), "--replicates"),
        (("--level", "high"), "--level"),
        (("--json", "--csv"), "choose one of --json and --csv"),
    ],
)
def test_what_the_command_line_refuses(file: Path, arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(APP, [str(file), *arguments], env={"COLUMNS": "80"})
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert message in result.output


def test_a_model_missing_from_the_costs(file: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.toml"
    costs.write_text("[models.codellama-7b]\nflops = 1\n")
    with pytest.raises(InputError, match=r'costs\.toml has no \[models\."codellama-70b"\]; it has: codellama-7b'):
        output(file, "--costs", costs)


def test_an_unknown_model_without_costs(tmp_path: Path) -> None:
    file = lines(tmp_path / "counts.jsonl", {"model": "mystery", "task_id": "t", "n": 3, "c": 1})
    with pytest.raises(InputError, match=r"no cost in flops for model 'mystery'.*not a known architecture"):
        output(file)


def test_cruxeval(shared_data: Path) -> None:
    data = json.loads(output(shared_data / "cruxeval" / "codellama_T0.8.jsonl.gz", "--costs", "paper", "--json"))
    models = data["benchmarks"]["cruxeval-i"]["models"]
    published = {
        "codellama-7b": (28.35, 52.92, 63.12),
        "codellama-13b": (35.25, 62.00, 71.00),
        "codellama-34b": (41.11, 66.61, 74.88),
    }
    for model, percents in published.items():
        for k, percent in zip((1, 5, 10), percents, strict=True):
            assert 100 * models[model]["success"][k - 1] == pytest.approx(percent, abs=0.006)
    assert data["benchmarks"]["cruxeval-i"]["best"][-1]["model"] == "codellama-13b"


def test_evalperf(shared_data: Path) -> None:
    data = json.loads(output(shared_data / "evalperf" / "llama31_counts.jsonl.gz", "--costs", "paper", "--json"))
    small = data["models"]["meta-llama--Llama-3.1-8B-Instruct"]
    assert [round(100 * small["success"][k - 1], 2) for k in (1, 5, 10, 100)] == [64.35, 84.52, 89.14, 99.15]
    first = data["flips"][0]
    assert first["dear"].endswith("70B-Instruct")
    assert first["now"] == pytest.approx(9.26, abs=0.01)


def test_p3(shared_data: Path, tmp_path: Path) -> None:
    costs = tmp_path / "costs.toml"
    costs.write_text("[models.code-cushman-001]\nflops = 1\n")
    source = shared_data / "p3" / "counts_n1000.jsonl.gz"
    data = json.loads(output(source, "--costs", costs, "--json"))
    success = data["models"]["code-cushman-001 [med]"]["success"]
    published = (7.140, 26.664, 51.472, 69.018)
    assert [100 * success[k - 1] for k in (1, 10, 100, 1000)] == pytest.approx(published, abs=1e-3)


def test_the_frontier_of_policies_at_the_same_budgets(file: Path) -> None:
    text = output(file, "--costs", "paper", "--budgets", "1x,8x", "--frontier")
    table = text.partition("olicy to use at each budget")[2]
    assert table
    assert "first pass" in table
    for wrong in (["--json"], ["--charge", "judge"], ["--select", "likelihood"]):
        with pytest.raises(InputError, match="--frontier adds a table"):
            output(file, "--frontier", *wrong)
