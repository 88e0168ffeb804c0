"""What prompts cost as servers bill them, dated prices, and the worked examples of docs/costs.md by its own numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.analysis.compare_run import price_samples
from isobudget.analysis.load_samples import load_samples
from isobudget.analysis.run_costs import sample_amounts, sample_cost
from isobudget.costs.bills import Bill, billed_usd
from isobudget.costs.charges import NOTHING
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import cost_from_entry, read_costs
from isobudget.costs.prices import TokenPrice, usd_cost, valid_at
from isobudget.costs.usage import TokenUse
from isobudget.errors import InputError
from isobudget.records.rows import SampleRow
from isobudget.records.run import Run, load_run
from support.synthetic_run import FakeModel, synthetic_run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "costs.md").read_text("utf-8")
PRICE = TokenPrice("m", 2.0, 8.0, 0.5, "2025-01-01", "list")


def bill(prompt: list[float], cached: list[float] | None = None) -> Bill:
    return Bill(np.array(prompt, dtype=float), np.array(cached or [np.nan] * len(prompt), dtype=float))


@pytest.mark.parametrize(
    ("prompt", "cached", "shared", "each"),
    [
        ([2000, 2000, 2000, 2000], None, 0.0, 4000.0),  # every request paid
        ([2000, 0, 0, 0], None, 4000.0, 0.0),  # one request for all samples
        ([2000, 0, 2000, 0], None, 4000.0 - 4000 / 3, 4000 / 3),  # two requests
        ([2000, 2000, 2000, 2000], [0, 1920, 1920, 1920], 4000.0 - 1120, 1120.0),  # cached from the second on
        ([2000, 2000], [1920, 0], 0.0, 2560.0),  # the cache had gone
        ([2000], [0], 4000.0, 0.0),
    ],
)
def test_a_bill_is_split_and_adds_up(
    prompt: list[float], cached: list[float] | None, shared: float, each: float
) -> None:
    found = bill(prompt, cached).usd(2.0, 0.5)
    assert found == pytest.approx((shared, each))


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1)), min_size=1, max_size=12))
def test_n_samples_cost_their_bill_exactly(rows: list[tuple[int, float]]) -> None:
    prompt = np.array([tokens for tokens, _ in rows], dtype=float)
    cached = np.floor(prompt * np.array([part for _, part in rows]))
    shared, each = Bill(prompt, cached).usd(3.0, 1.0)
    assert shared >= 0
    assert each >= 0
    assert shared + len(rows) * each == pytest.approx(float(np.sum(3 * (prompt - cached) + cached)), abs=1e-6)


@pytest.mark.parametrize(
    ("cached", "price", "said"),
    [
        ([0, 100], 0.5, "50% of them from its cache at the cached price"),
        ([0, 100], None, "50% of them from its cache at the full price, as no cached one is stated"),
        ([np.nan, np.nan], 0.5, "the cached price not used: the server does not say what came from its cache"),
        ([0, 0], 0.5, "the cached price not used: nothing came from the cache"),
    ],
)
def test_a_cached_price_is_never_ignored_silently(cached: list[float], price: float | None, said: str) -> None:
    assert said in billed_usd([bill([100, 100], cached)], 2.0, price)[2]
    plain = usd_cost(PRICE, TokenUse.of(100, [[10]], share_prompt=True))
    assert "the cached price not used: the prompt is charged once" in plain.source


def test_unknown_prompts_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "costs.toml"
    path.write_text("[models.m]\nusd_per_million_input = 100\nusd_per_million_output = 1\n")
    use = TokenUse.of(1, [[100]], share_prompt=False, prompt_known=False, label="counts")
    cost = cost_from_entry(read_costs(path).models["m"], "m", Unit.USD, use)
    assert cost.cost(1) == pytest.approx(1e-4)
    assert "completions only: prompt lengths are not known" in cost.source


@pytest.mark.parametrize("given", ["usd_per_million_output", "usd_per_million_input", "usd_per_million_cached"])
def test_half_a_price_is_an_error(tmp_path: Path, given: str) -> None:
    path = tmp_path / "costs.toml"
    path.write_text(f"[models.m]\n{given} = 1\ncompletion_tokens = 100\nprompt_tokens = 500\n")
    with pytest.raises(InputError, match=r"usd_per_million_(in|out)put is missing beside usd_per_million_\w+; a price"):
        cost_from_entry(read_costs(path).models["m"], "m", Unit.USD, None)


@pytest.mark.parametrize(
    ("when", "usd"),
    [(date(2025, 6, 1), 1.0), (date(2026, 1, 1), 10.0), (date(2027, 1, 1), 10.0), (date(2020, 1, 1), 1.0)],
)
def test_of_two_dated_prices_the_one_that_was_valid(when: date, usd: float) -> None:
    prices = [TokenPrice("x", 10, 20, None, "2026-01-01", "b"), TokenPrice("x", 1, 2, None, "2025-01-01", "a")]
    found = valid_at(prices, when, "x")
    assert found is not None
    assert found.usd_per_million_input == usd


@pytest.mark.parametrize("dates", [("2025-01-01", "2025-01-01"), ("undated", "2025-01-01"), ("x", "y")])
def test_prices_whose_dates_do_not_tell_are_an_error(dates: tuple[str, str]) -> None:
    prices = [TokenPrice("x", 1, 2, None, one, "a") for one in dates]
    with pytest.raises(InputError, match="x has 2 prices; each needs a date of its own"):
        valid_at(prices, None, "x")


# the worked examples


def bills_in_the_docs() -> tuple[str, dict[str, dict[str, float]]]:
    """The costs file of the section, and model -> row -> number of its table."""
    section = PAGE.split("## Real bills\n")[1].split("\n## ")[0]
    text = section.split("```toml\n")[1].split("```")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    (heading, *models), _, *rows = lines
    assert (heading, len(rows)) == ("of each problem, 10 samples, on 2025-07-01", 8)
    return text, {
        model: {row[0]: float(row[at]) for row in rows if row[at]} for at, model in enumerate(models, start=1)
    }


def run_of(folder: Path, found: dict[str, dict[str, float]]) -> Run:
    """A run of such samples: one sample a request."""
    models = tuple(FakeModel(name, 10, 0.0, 0.1, 64, 2) for name in found)
    run = synthetic_run(folder, models, {"b": 3}, greedy=False)
    rows = [like(row, found[row.model]) for row in run.samples()]
    with run.writing():
        run.drop("samples")
        with run.sample_writer() as writer:
            writer.add(rows)
    run.facts["created"] = "2025-07-01T12:00:00+00:00"
    run.save_facts()
    return load_run(folder)


def like(row: SampleRow, numbers: dict[str, float]) -> SampleRow:
    prompt = int(numbers["prompt tokens of each request"])
    seconds = numbers.get("seconds of each sample", 1.0)
    return replace(
        row,
        prompt_tokens=prompt,
        completion_tokens=int(numbers["completion tokens, reasoning included"]),
        billed_prompt_tokens=None if "seconds of each sample" in numbers else prompt,
        cached_tokens=int(numbers["of which cached, from the second request on"]) if row.index else 0,
        seconds=seconds,
        prompt_seconds=numbers.get("seconds of the prompt"),
        idle_tokens=0,
        idle_seconds=0.0,
    )


def test_the_bills_in_the_docs_are_what_they_say(tmp_path: Path) -> None:
    text, found = bills_in_the_docs()
    run = run_of(tmp_path / "run", found)
    (tmp_path / "costs.toml").write_text(text)
    costs = read_costs(tmp_path / "costs.toml")
    prices: dict[str, SampleCost] = {}
    for samples in load_samples(run, ["b"]).samples("b"):
        prices[samples.model], _ = price_samples(run, samples, Unit.USD, costs, NOTHING)
    assert list(prices) == ["by-openrouter", "by-openai", "own-gpus"]
    for model, price in prices.items():
        rows = found[model]
        assert price.per_problem == pytest.approx(rows["usd shared by the samples"], rel=1e-3, abs=1e-12)
        assert price.per_sample == pytest.approx(rows["usd of each sample"], rel=1e-3)
        assert price.cost(10) == pytest.approx(rows["usd of 10 samples"], rel=1e-4)
    unwrapped = " ".join(PAGE.split())
    by_hand = re.search(r"The second bill by hand.*?: (.*?) = ([\d,]+), that is, ([\d.]+) usd\.", unwrapped)
    assert by_hand is not None
    assert eval(by_hand[1].replace(" x ", "*")) == float(by_hand[2].replace(",", ""))
    assert prices["by-openai"].cost(10) == pytest.approx(float(by_hand[3]))
    assert "94% of them from its cache" not in prices["by-openai"].source  # the first request's prompt came from none
    assert "86% of them from its cache at the cached price" in prices["by-openai"].source
    assert "2025-06-01" in prices["by-openrouter"].source


def test_the_price_that_a_model_was_declared_with_is_enough(tmp_path: Path) -> None:
    _, found = bills_in_the_docs()
    run = run_of(tmp_path / "run", found)
    run.facts["models"]["by-openai"]["price"] = TokenPrice("x", 2.5, 10.0, 1.25, "2024-10-02", "list").as_table()
    run.save_facts()
    loaded = load_samples(load_run(run.path), ["b"])
    by_name = {one.model: one for one in loaded.samples("b")}
    samples = by_name["by-openai"]
    price = sample_cost(loaded.run, samples, Unit.USD)
    assert price.cost(10) == pytest.approx(0.0584)
    amounts = sample_amounts(loaded.run, samples, Unit.USD)
    assert np.mean([own.mean() for own in amounts]) == pytest.approx(price.per_sample)
    with pytest.raises(
        InputError,
        match=r"does not record usd; units that runs record: flops[^;]*joules; usd needs a costs file, or a price",
    ):
        sample_cost(loaded.run, by_name["own-gpus"], Unit.USD)
