"""Costs files, prices, seconds and the roofline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from isobudget.analysis.compare import curves
from isobudget.costs.cost import SampleCost, Unit, parse_unit
from isobudget.costs.costs_file import cost_from_entry, read_costs
from isobudget.costs.devices import device_seconds
from isobudget.costs.energy import joules_cost
from isobudget.costs.flops import completion_flops, paper_flops, prompt_flops
from isobudget.costs.prices import GpuHour, TokenPrice, example_prices, rent_cost, usd_cost
from isobudget.costs.roofline import Serving, gpu_named, roofline_seconds
from isobudget.costs.seconds import measured_seconds
from isobudget.costs.usage import TokenUse
from isobudget.errors import InputError
from isobudget.models import named
from isobudget.paper.tables import paper_cost

USE = TokenUse.of(1000, [[100, 300], [200]])


def costs(folder: Path, text: str, model: str, unit: str, use: TokenUse | None = None) -> SampleCost:
    path = folder / "costs.toml"
    path.write_text(text)
    entry = read_costs(path).find(model)
    assert entry is not None
    return cost_from_entry(entry, model, Unit(unit), use)


def test_a_stated_cost_wins_and_keeps_its_source(tmp_path: Path) -> None:
    text = """
        [models."codellama-7b"]
        flops = 2e12
        flops_per_problem = 5e11
        architecture = "codellama-7b"
        source = "our count"
        date = 2025-03-01
    """
    cost = costs(tmp_path, text, "codellama-7b", "flops", USE)
    assert (cost.per_sample, cost.per_problem, cost.source) == (2e12, 5e11, "our count, 2025-03-01")


def test_flops_from_an_architecture_and_stated_tokens(tmp_path: Path) -> None:
    text = """
        [defaults]
        prompt_tokens = 150
        [models.small]
        architecture = "codellama-7b"
        completion_tokens = 120
    """
    cost = costs(tmp_path, text, "small", "flops")
    shape = named("codellama-7b")
    assert cost.per_problem == prompt_flops(shape, 150)
    assert cost.per_sample == completion_flops(shape, 150, 120)
    alone = costs(tmp_path, text + "share_prompt = false", "small", "flops")
    assert (alone.per_sample, alone.per_problem) == (cost.cost(1), 0)


def test_flops_without_tokens_are_the_papers_count(tmp_path: Path) -> None:
    cost = costs(tmp_path, '[models.m]\narchitecture = "llama-3-8b"', "m", "flops")
    assert cost.per_sample == paper_flops(named("llama-3-8b"))
    assert "paper's count" in cost.source


def test_an_architecture_file_beside_the_costs_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 11008,'
        ' "num_attention_heads": 32, "vocab_size": 32016}'
    )
    cost = costs(tmp_path, '[models.m]\narchitecture = "config.json"', "m", "flops")
    assert cost.per_sample == paper_flops(named("codellama-7b"))


def test_another_spelling_of_a_known_model_is_found(tmp_path: Path) -> None:
    cost = costs(tmp_path, '[models."CodeLlama-7b-hf"]\nseconds = 2', "codellama-7b", "seconds")
    assert cost.per_sample == 2
    assert read_costs(tmp_path / "costs.toml").find("codellama-13b") is None


def test_recorded_tokens_come_before_stated_ones(tmp_path: Path) -> None:
    text = "[models.m]\ncompletion_tokens = 7\nprompt_tokens = 10"
    recorded = TokenUse.of(1, [[100], [300]], label="recorded")
    cost = costs(tmp_path, text, "m", "tokens", recorded)
    assert (cost.per_sample, cost.per_problem) == (200, 10)
    assert "recorded and 10 prompt tokens" in cost.source
    assert costs(tmp_path, text, "m", "tokens").per_sample == 7


def test_usd_by_the_token() -> None:
    price = TokenPrice("m", 2.0, 8.0, 0.5, "2025-01-01", "list")
    shared = usd_cost(price, USE)
    assert shared.per_problem == pytest.approx(0.002)
    assert shared.per_sample == pytest.approx(0.0016)
    alone = usd_cost(price, TokenUse.of(1000, [[200]], share_prompt=False))
    assert alone.cost(1) == pytest.approx(shared.cost(1))
    assert alone.cost(3) - alone.cost(2) == pytest.approx(0.0005 + 0.0016)
    assert "2025-01-01" in shared.source


def test_usd_in_a_file(tmp_path: Path) -> None:
    text = """
        [models.api]
        price = "mine"
        completion_tokens = 500
        [models.rented]
        seconds = 9
        gpus = 4
        usd_per_gpu_hour = 1.5
        [models.estimated]
        architecture = "codellama-7b"
        gpu = "a100-80gb"
        batch = 8
        completion_tokens = 100
        [[price]]
        model = "mine"
        input = 1
        output = 4
        date = 2025-02-03
        source = "offer"
    """
    assert costs(tmp_path, text, "api", "usd").per_sample == pytest.approx(0.002, rel=0.001)
    assert costs(tmp_path, text, "rented", "usd").per_sample == pytest.approx(9 * 4 * 1.5 / 3600)
    estimated = costs(tmp_path, text, "estimated", "usd")
    seconds = costs(tmp_path, text, "estimated", "seconds")
    assert estimated.per_sample == pytest.approx(seconds.per_sample * 2 / 3600)
    assert "ESTIMATE" in estimated.source


def test_a_shipped_price_by_its_models_name(tmp_path: Path) -> None:
    cost = costs(tmp_path, "[models.gpt-4o-mini]\ncompletion_tokens = 1000", "gpt-4o-mini", "usd")
    assert cost.cost(1) == pytest.approx(0.0006)  # completions only: no prompt length is known
    prices, hours = example_prices()
    assert all(price.date[:2] == "20" and price.source for price in (*prices, *hours))


def test_joules() -> None:
    assert joules_cost(USE, 0.5, "meter").per_sample == 100
    assert joules_cost(USE, 0.5, "meter").unit is Unit.JOULES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[models.m", "not valid TOML"),
        ("[model.m]\nflops = 1", "unknown table 'model'"),
        ("models = 3", "models must be a table"),
        ("[models]\nm = 3", r'\[models."m"\] must be a table'),
        ("[models.m]\nflop = 1", r'\[models."m"\]: flop: unknown key\. Did you mean .flops.\?$'),
        ('[models.m]\nflops = "1"', "flops: must be a number of 0 or more, not '1'"),
        ("[models.m]\nflops = -1", "flops: must be a number of 0 or more"),
        ("[models.m]\nflops = nan", "flops: must be a number of 0 or more"),
        ("[models.m]\nflops = true", "flops: must be a number"),
        ("[models.m]\nflops = 0", "must cost a positive amount of flops, not 0"),
        ("[models.m]\narchitecture = 7", "architecture: must be a string"),
        ("[models.m]\nshare_prompt = 1", "share_prompt: must be true or false"),
        ("[models.m]\nprompt_tokens = 0", "prompt_tokens: must be a number of at least 1"),
        (f"[models.m]\nflops = 1{'0' * 400}", "flops: must be a number of 0 or more"),
        ("[models.m]\ncompletion_tokens = 1e300", r"completion_tokens: must be a number of at least 1, below 10\^12"),
        ("[models.m]\nbatch = 1.5", "batch: must be a whole number"),
        ('[models.m]\narchitecture = "nope"', r'\[models."m"\]: unknown architecture .nope.'),
        ("[models.m]\nseconds = 1", "no cost in flops for model 'm'"),
        ("[models.m]\n[[price]]\nmodel = 'a'\ninput = 1\noutput = 1", r"\[\[price\]\]: date: is missing"),
        ("price = [1]\n[models.m]", r"price must be tables \[\[price\]\], not 1"),
        (
            "[models.m]\n[[gpu_hour]]\ngpu = 'a'\nusd = -1\ndate = 'x'\nsource = 'y'",
            "usd: must be a number of 0 or more",
        ),
        (
            "[models.m]\n[[price]]\nmodel='a'\ninput=1\noutput=1\ndate='x'\nsource='y'\nfree=1",
            "free: unknown key; known",
        ),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        costs(tmp_path, text, "m", "flops")


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("seconds", "gpu, gpus, batch"),
        ("tokens", "completion_tokens"),
        ("usd", "usd_per_gpu_hour"),
        ("joules", "joules_per_token"),
    ],
)
def test_a_missing_cost_says_what_would_give_it(tmp_path: Path, unit: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"costs.toml, \[models.\"m\"\].*{message}"):
        costs(tmp_path, "[models.m]\nflops = 1", "m", unit)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.toml: cannot be read: No such file"):
        read_costs(tmp_path / "none.toml")


def test_measured_seconds_are_the_mean_of_problem_means() -> None:
    assert measured_seconds([[1, 3], [10]], "test").per_sample == 6
    for wrong in ([], [[]], [[1], [-1]], [[float("nan")]], [[0.0]]):
        with pytest.raises(InputError):
            measured_seconds(wrong, "test")


def test_device_seconds_are_seconds_times_the_gpus_that_are_held(tmp_path: Path) -> None:
    text = "[models.m]\nseconds = 3\nseconds_per_problem = 1\ngpus = 4\n"
    text += "[models.cpu]\nseconds = 3\n[models.s]\ndevice_seconds = 7\n"
    held = costs(tmp_path, text, "m", "device_seconds")
    assert (held.per_sample, held.per_problem, held.unit) == (12, 4, Unit.DEVICE_SECONDS)
    assert "4 held" in held.source
    assert costs(tmp_path, text, "m", "seconds").per_sample == 3  # the clock on the wall
    alone = costs(tmp_path, text, "cpu", "device_seconds")
    assert alone.per_sample == 3
    assert "not stated how many" in alone.source
    assert costs(tmp_path, text, "s", "device_seconds").per_sample == 7
    with pytest.raises(
        InputError, match=r"no cost in device_seconds.*state device_seconds = ..., or gpus and something "
    ):
        costs(tmp_path, "[models.m]\nflops = 1", "m", "device_seconds")
    with pytest.raises(InputError, match="device seconds need a cost in seconds"):
        device_seconds(SampleCost(Unit.FLOPS, 1), 2)


def test_the_paper_s_models_hold_eight_gpus() -> None:
    for size in (7, 13, 34, 70):
        wall, held = (paper_cost(f"codellama-{size}b", unit) for unit in (Unit.SECONDS, Unit.DEVICE_SECONDS))
        assert wall is not None
        assert held is not None
        assert held.per_sample == 8 * wall.per_sample


def test_rent_keeps_the_seconds_source() -> None:
    cost = rent_cost(SampleCost(Unit.SECONDS, 3600, 1800, "clock"), 2, GpuHour("x", 3.0, "2025-01-01", "offer"))
    assert (cost.per_sample, cost.per_problem) == (6, 3)
    assert "clock" in cost.source
    with pytest.raises(InputError, match="applies to a cost in seconds"):
        rent_cost(SampleCost(Unit.FLOPS, 1), 1, GpuHour("x", 1.0))


A100 = gpu_named("a100-80gb")


def test_roofline_at_batch_1_reads_the_weights_once_per_token() -> None:
    shape = named("codellama-7b")
    estimate = roofline_seconds(shape, Serving(A100), 1, 1)
    assert estimate.per_sample == pytest.approx(2 * shape.params / 2039e9, rel=0.001)
    assert "ESTIMATE" in estimate.source


def test_roofline_at_a_huge_batch_is_bound_by_computing() -> None:
    shape = named("codellama-34b")
    estimate = roofline_seconds(shape, Serving(A100, gpus=8, batch=2000), 64, 64)
    assert estimate.per_sample == pytest.approx(64 * 2 * shape.active_params / (8 * 312e12), rel=0.01)


def test_roofline_ratios_stay_far_below_the_papers_wall_times() -> None:
    times = [
        roofline_seconds(named(f"codellama-{size}b"), Serving(A100, 8, 64), 200, 200).per_sample
        for size in (7, 13, 34, 70)
    ]
    ratios = [time / times[0] for time in times]
    assert 1.5 < ratios[1] < 2.1
    assert 2.4 < ratios[2] < 3.5
    assert 5 < ratios[3] < 7


def test_roofline_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"codellama-70b with a batch of 1 needs .* GB, more than 1 x a100-80gb"):
        roofline_seconds(named("codellama-70b"), Serving(A100), 10, 10)
    with pytest.raises(InputError, match="unknown GPU 'b9000'"):
        gpu_named("b9000")
    with pytest.raises(InputError, match=r"unknown GPU 'a100-80'\. Did you mean 'a100-80gb'\? Known GPUs: "):
        gpu_named("a100-80")
    with pytest.raises(InputError, match="at least 1 GPU"):
        Serving(A100, gpus=0)


def test_units() -> None:
    assert parse_unit(" FLOPs ") is Unit.FLOPS
    with pytest.raises(
        InputError, match="unknown unit 'euros'; known units: flops, seconds, device_seconds, tokens, usd, joules"
    ):
        parse_unit("euros")
    with pytest.raises(InputError, match=r"unknown unit 'second'\. Did you mean 'seconds'\? Known units: flops, "):
        parse_unit("second")


def test_the_example_in_the_docs_is_read_and_gives_what_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "costs.md").read_text("utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    for model, units in {
        "codellama-7b": ("flops", "seconds"),
        "my-model": ("flops", "seconds", "tokens", "usd", "joules"),
        "hosted": ("tokens", "usd"),
        "planned": ("flops", "seconds", "tokens", "usd"),
    }.items():
        for unit in units:
            assert costs(tmp_path, text, model, unit).unit == unit
    assert costs(tmp_path, text, "hosted", "usd").cost(1) == pytest.approx((150 * 0.5 + 300 * 1.5) / 1e6)


def test_the_example_in_the_docs_runs_in_usd_and_tokens(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "costs.md").read_text("utf-8")
    (tmp_path / "costs.toml").write_text(page.split("```toml\n")[1].split("```")[0])
    models = ("codellama-7b", "my-model", "hosted", "planned")
    rows = [
        {"model": model, "task_id": f"t{at}", "passed": [1, 0, at % 2], "completion_tokens": [100, 200, 150]}
        for model in models
        for at in range(4)
    ]
    (tmp_path / "counts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for unit in (Unit.USD, Unit.TOKENS):
        (found,) = curves(tmp_path / "counts.jsonl", unit, costs=str(tmp_path / "costs.toml"))
        assert {one.model for one in found.curves} == set(models)


@pytest.mark.parametrize("name", ["gpt-4.1", "qwen2.5-coder-1.5b"])
def test_a_name_with_a_dot_is_told_to_stand_in_quotation_marks(tmp_path: Path, name: str) -> None:
    (tmp_path / "costs.toml").write_text(f"[models.{name}]\nusd = 1\n")
    with pytest.raises(InputError, match=re.escape(f'needs quotation marks: [models."{name}"]')):
        read_costs(tmp_path / "costs.toml")


@pytest.mark.parametrize("day", ["'yesterday'", "3", "'2025-13-01'", "''"])
def test_a_date_is_one(tmp_path: Path, day: str) -> None:
    price = f"[[price]]\nmodel = 'x'\ninput = 1\noutput = 2\nsource = 's'\ndate = {day}\n"
    for text in (f"[defaults]\nusd = 1\ndate = {day}\n", price):
        (tmp_path / "costs.toml").write_text(text)
        with pytest.raises(InputError, match="date: must be a date such as 2025-01-31"):
            read_costs(tmp_path / "costs.toml")


@pytest.mark.parametrize("day", ["2025-01-31", "'2025-01-31'", "2025-01-31T10:00:00"])
def test_dates_as_toml_and_as_text(tmp_path: Path, day: str) -> None:
    (tmp_path / "costs.toml").write_text(f"[defaults]\nusd = 1\ndate = {day}\n")
    read = read_costs(tmp_path / "costs.toml").defaults
    assert read is not None
    assert "2025-01-31" in read.source
