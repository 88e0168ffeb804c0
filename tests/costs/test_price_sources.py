"""The source of a price names where each of its figures was stated, and what is said of prompts is true of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isobudget import api
from isobudget.analysis.prices import price_counts
from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError
from isobudget.importers.counts import CountRow, group_counts
from support.synthetic_run import synthetic_run

LINE = "command line"
PROFILE = 'model = "p"\n[[slots]]\nslots = 1\nprompt_tokens_per_second = 100\ncompletion_tokens_per_second = 10\n'


def results(path: Path, **more: object) -> Path:
    lines = [{"model": "m", "task_id": task, "passed": [0, 1]} | more for task in "ab"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def price(tmp_path: Path, unit: str, costs: str = "", source: Path | None = None, **stated: object) -> SampleCost:
    (tmp_path / "c.toml").write_text(costs)
    (tmp_path / "p.toml").write_text(PROFILE)
    source = source or results(tmp_path / "r.jsonl")
    file = tmp_path / "c.toml" if costs else None
    (compared,) = api.curves(source, unit, costs=file, replicates=50, **stated)
    return compared.curves[0].price


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ("[defaults]\ncompletion_tokens = 200\n", "200 completion tokens (c.toml, [defaults])"),
        ("[models.m]\ncompletion_tokens = 200\n", "200 completion tokens (c.toml)"),
        (
            '[defaults]\ncompletion_tokens = 200\nsource = "our server"\ndate = 2025-01-01\n',
            "200 completion tokens (our server, 2025-01-01)",
        ),
        (
            '[defaults]\ncompletion_tokens = 200\n[models.m]\nsource = "our server"\n',
            "200 completion tokens (c.toml, [defaults])",
        ),
    ],
)
def test_a_rate_of_the_command_line_and_a_length_of_a_file(tmp_path: Path, costs: str, said: str) -> None:
    found = price(tmp_path, "seconds", costs, tokens_per_second=50)
    assert found.source == f"{said} at 50 tokens/s ({LINE})"
    assert found.cost(1) == 4.0


def test_each_figure_of_usd_has_its_source(tmp_path: Path) -> None:
    costs = "[defaults]\nusd_per_gpu_hour = 3\ntokens_per_second = 5\n[models.m]\ngpus = 4\nsource = 'our server'\n"
    own = price(tmp_path, "usd", costs, completion_tokens=50)
    rate = "at 5 tokens/s (c.toml, [defaults])"
    assert own.source == (
        f"3 usd per GPU-hour (c.toml, [defaults]) x 4 held (our server); 50 completion tokens ({LINE}) {rate}"
    )
    assert own.cost(1) == pytest.approx(3 * 4 * 10 / 3600)
    stated = price(tmp_path, "usd", costs, completion_tokens=50, usd_per_gpu_hour=2, gpus=2)
    assert stated.source == f"2 usd per GPU-hour ({LINE}) x 2 held ({LINE}); 50 completion tokens ({LINE}) {rate}"
    held = price(tmp_path, "device_seconds", costs, completion_tokens=50, gpus=2)
    assert held.source.endswith(f"{rate}; x 2 held ({LINE})")
    tokens = price(tmp_path, "tokens", costs, completion_tokens=50)
    assert tokens.source == f"50 completion tokens ({LINE}), completions only: prompt lengths are not known"


def test_a_price_by_the_token_and_its_lengths(tmp_path: Path) -> None:
    costs = (
        "[defaults]\nprompt_tokens = 100\ncompletion_tokens = 10\njoules_per_token = 2\n"
        "[models.m]\nusd_per_million_input = 1\nusd_per_million_output = 2\nsource = 'a list'\ndate = 2025-02-03\n"
    )
    lengths = "10 completion tokens (c.toml, [defaults]) and 100 prompt tokens (c.toml, [defaults])"
    assert price(tmp_path, "usd", costs).source == f"price of m (a list, 2025-02-03), {lengths}, prompt shared"
    joules = price(tmp_path, "joules", costs)
    assert joules.source == "2 J per completion token (c.toml, [defaults]), 10 completion tokens (c.toml, [defaults])"


def test_an_estimate_names_who_stated_what_it_is_of(tmp_path: Path) -> None:
    costs = (
        "[models.m]\narchitecture = 'codellama-7b'\ngpu = 'a100-80gb'\nbatch = 2\n[defaults]\ncompletion_tokens = 9\n"
    )
    found = price(tmp_path, "seconds", costs, gpus=2)
    assert f"(architecture, gpu, batch: c.toml; gpus: {LINE})" in found.source
    assert "9 completion tokens (c.toml, [defaults])" in found.source
    assert "[defaults]" not in price(tmp_path, "flops", costs, completion_tokens=20).source
    profiled = price(tmp_path, "seconds", "[models.m]\nprofile = 'p.toml'\n", completion_tokens=20)
    assert profiled.source.startswith("profile: p")
    assert profiled.source.endswith("(c.toml)")


def test_a_file_that_adds_nothing_is_not_named(tmp_path: Path) -> None:
    source = results(tmp_path / "t.jsonl", completion_tokens=[10, 20])
    costs = "[defaults]\nsource = 'our server'\nseconds = 3\n"
    assert price(tmp_path, "tokens", costs, source).source.startswith("recorded completion tokens")
    assert "our server" not in price(tmp_path, "tokens", costs, source).source
    assert "our server" not in price(tmp_path, "seconds", costs, source, tokens_per_second=5).source


def test_what_the_command_line_states_comes_first(tmp_path: Path) -> None:
    """Before everything that would make it idle: a file's price per token, a stated price, prices that ship."""
    by_hour = {"tokens_per_second": 50, "usd_per_gpu_hour": 1.8, "gpus": 2, "completion_tokens": 100}
    own = 1.8 * 2 * 2 / 3600
    for costs in (
        "[models.m]\nusd = 9\ndevice_seconds = 9\n",
        "[models.m]\nusd_per_million_input = 1\nusd_per_million_output = 2\ndevice_seconds = 8\nprompt_tokens = 7\n",
        "[models.m]\nprice = 'gpt-4o'\nseconds = 8\nseconds_per_problem = 80\n",
    ):
        assert price(tmp_path, "usd", costs, **by_hour).cost(1) == pytest.approx(own)
        assert price(tmp_path, "seconds", costs, **by_hour).cost(1) == pytest.approx(2.0)
        assert price(tmp_path, "device_seconds", costs, **by_hour).cost(1) == pytest.approx(4.0)
    assert price(tmp_path, "usd", "[models.m]\nusd = 9\n", tokens_per_second=50).cost(1) == 9
    (tmp_path / "gpt.jsonl").write_text(json.dumps({"model": "gpt-4o", "task_id": "a", "n": 2, "c": 1}) + "\n")
    assert price(tmp_path, "usd", source=tmp_path / "gpt.jsonl", **by_hour).cost(1) == pytest.approx(own)


def test_a_rate_that_some_models_lack_is_an_error_not_another_unit(tmp_path: Path) -> None:
    lines = [{"model": name, "task_id": "a", "n": 2, "c": 1, "completion_tokens": [5, 5]} for name in ("7b", "34b")]
    (tmp_path / "two.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for call in (api.curves, api.plan):
        with pytest.raises(InputError, match="34b"):
            call(tmp_path / "two.jsonl", tokens_per_second="7b=100", completion_tokens=20)
    known = results(tmp_path / "known.jsonl", model="codellama-7b")
    (found,) = api.curves(known, tokens_per_second=100, completion_tokens=20, replicates=50)
    assert found.unit == "seconds"


def test_the_devices_of_a_run_are_paid_by_the_hour(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run")
    one = price(tmp_path, "usd", source=run.path, usd_per_gpu_hour=2, gpus=1).cost(1)
    for facts in run.facts["models"].values():
        facts["devices"] = 8
    run.save_facts()
    eight = price(tmp_path, "usd", source=run.path, usd_per_gpu_hour=2)
    assert eight.cost(1) == pytest.approx(8 * one)
    assert "x 8 held (as the run states)" in eight.source
    assert price(tmp_path, "device_seconds", source=run.path).cost(1) == pytest.approx(
        8 * price(tmp_path, "seconds", source=run.path).cost(1)
    )


SHARED = "shared, charged once a problem"
EACH = "paid by every sample"
NOT = "completions only, prompts not counted"
RATE = "not charged separately; included only if the stated tokens per second include their time"
ENTRY = "[models.m]\ncompletion_tokens = 20\n"
KNOWN = f"{ENTRY}prompt_tokens = 30\n"
BY_TOKEN = "usd_per_million_input = 1\nusd_per_million_output = 2\n"
SHAPE = "architecture = 'codellama-7b'\n"
GPU = f"{SHAPE}gpu = 'a100-80gb'\n"


@pytest.mark.parametrize(
    ("unit", "costs", "stated", "said"),
    [
        ("seconds", f"{KNOWN}tokens_per_second = 9\n", {}, RATE),
        ("seconds", ENTRY, {"tokens_per_second": 9}, RATE),
        ("device_seconds", KNOWN, {"tokens_per_second": 9}, RATE),
        ("usd", KNOWN, {"tokens_per_second": 9, "usd_per_gpu_hour": 2}, RATE),
        ("seconds", "[models.m]\nseconds = 2\n", {}, "as in the stated price"),
        ("seconds", "[models.m]\nseconds = 2\nseconds_per_problem = 1\n", {}, SHARED),
        ("seconds", "[models.m]\nseconds = 2\nseconds_per_problem = 1\n", {"share_prompt": False}, EACH),
        ("usd", "[models.m]\nseconds = 2\nusd_per_gpu_hour = 1\n", {}, "as in the stated price"),
        ("usd", f"{ENTRY}{BY_TOKEN}", {}, NOT),
        ("usd", f"{KNOWN}{BY_TOKEN}", {}, SHARED),
        ("usd", f"{KNOWN}{BY_TOKEN}", {"share_prompt": False}, EACH),
        ("tokens", ENTRY, {}, NOT),
        ("tokens", KNOWN, {}, SHARED),
        ("joules", f"{KNOWN}joules_per_token = 1\n", {}, NOT),
        ("flops", f"{KNOWN}{SHAPE}", {}, SHARED),
        ("flops", f"{ENTRY}{SHAPE}", {}, NOT),
        ("flops", f"[models.m]\n{SHAPE}", {}, "part of one pass a sample, the paper's way"),
        ("seconds", f"{KNOWN}{GPU}", {}, SHARED),
        ("seconds", f"{KNOWN}{GPU}", {"share_prompt": False}, EACH),
        ("seconds", f"{ENTRY}{GPU}", {}, NOT),
        ("seconds", f"{KNOWN}profile = 'p.toml'\n", {}, SHARED),
        ("seconds", f"{KNOWN}profile = 'p.toml'\n", {"share_prompt": False}, EACH),
        ("seconds", f"{ENTRY}profile = 'p.toml'\n", {}, NOT),
    ],
)
def test_what_is_said_of_prompts(tmp_path: Path, unit: str, costs: str, stated: dict[str, object], said: str) -> None:
    found = price(tmp_path, unit, costs, **stated)
    assert found.prompt_said == said
    assert (found.per_problem > 0) == (said == SHARED)


def test_a_price_that_was_recorded_was_not_stated() -> None:
    row = CountRow("b", "m", "", "a", 2, 1, None, None, 1, seconds=(2.0, 3.0), usd=(1.0, 2.0))
    (counts,) = group_counts([row]).values()
    for unit, mean in ((Unit.SECONDS, 2.5), (Unit.USD, 1.5)):
        found = price_counts(counts, unit)
        assert (found.cost(1), found.prompt_said) == (mean, "as far as the samples' source counted them")


def test_a_name_that_no_model_has_is_refused_of_runs_too(tmp_path: Path) -> None:
    run = synthetic_run(tmp_path / "run").path
    for call in (api.curves, api.plan, api.compare):
        with pytest.raises(InputError, match=r"zz=\.\.\. on the command line: no such model"):
            call(run, tokens_per_second="small=5,large=2,zz=3")
