"""Budgets as people write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isobudget import api
from isobudget.costs.budget import Budget, Written, as_shown, enough, parse_budget
from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError
from isobudget.grid import with_unit


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("8x", Budget(8, samples=True)),
        (" 0.5 X ", Budget(0.5, samples=True)),
        ("20samples", Budget(20, samples=True)),
        ("1 sample", Budget(1, samples=True)),
        ("8x:codellama-70b", Budget(8, samples=True, model="codellama-70b")),
        ("8x:org/Name 7B", Budget(8, samples=True, model="org/Name 7B")),
        ("60s", Budget(60, Unit.SECONDS)),
        ("60 seconds", Budget(60, Unit.SECONDS)),
        ("10min", Budget(600, Unit.SECONDS)),
        ("1 minute", Budget(60, Unit.SECONDS)),
        ("2h", Budget(7200, Unit.SECONDS)),
        ("1.5 hours", Budget(5400, Unit.SECONDS)),
        ("0.02usd", Budget(0.02, Unit.USD)),
        ("$0.02", Budget(0.02, Unit.USD)),
        (".5USD", Budget(0.5, Unit.USD)),
        ("5e13flops", Budget(5e13, Unit.FLOPS)),
        ("13.5Tflops", Budget(13.5e12, Unit.FLOPS)),
        ("2 Pflops", Budget(2e15, Unit.FLOPS)),
        ("20000tokens", Budget(20000, Unit.TOKENS)),
        ("20ktokens", Budget(20000, Unit.TOKENS)),
        ("300J", Budget(300, Unit.JOULES)),
        ("4e13", Budget(4e13)),
        ("7", Budget(7)),
    ],
)
def test_read(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize(
    "text",
    ["", "x", "8y", "0x", "-1s", "nan", "inf", "1e999", "8x:", "$5s", "five", "8 x 2", "ks", "8msec", "0x10", "8;"],
)
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(InputError, match="is not a budget; write 8x"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["1.5samples", "0.5 sample", "2.5Samples:7b"])
def test_samples_by_that_name_are_whole(text: str) -> None:
    with pytest.raises(InputError, match=r"is not a budget: samples must be a whole number, such as [123]samples"):
        parse_budget(text)
    assert parse_budget("1.5x") == Budget(1.5, samples=True)


def test_in_a_unit() -> None:
    prices = {"small": SampleCost(Unit.FLOPS, 2.0, 1.0), "large": SampleCost(Unit.FLOPS, 10.0)}
    assert parse_budget("4x").of(Unit.FLOPS, prices) == 9.0
    assert parse_budget("4x:large").of(Unit.FLOPS, prices) == 40.0
    assert parse_budget("4").of(Unit.FLOPS, prices) == 4.0
    assert parse_budget("4flops").of(Unit.FLOPS, prices) == 4.0
    with pytest.raises(InputError, match="a budget in seconds cannot be combined with --unit flops"):
        parse_budget("4s").of(Unit.FLOPS, prices)
    with pytest.raises(
        InputError, match="samples of 'medium', which must match exactly one model; models: small, large"
    ):
        parse_budget("4x:medium").of(Unit.FLOPS, prices)


def test_amounts_and_samples_of_the_cheapest_for_options() -> None:
    assert [parse_budget(text).times(2.5) for text in ("1e12", "4x", "3 samples")] == [1e12, 10.0, 7.5]
    assert parse_budget("60s").times(2.5, Unit.SECONDS) == 60
    with pytest.raises(InputError, match="a budget in seconds cannot be combined with --unit flops"):
        parse_budget("60s").times(1.0, Unit.FLOPS)
    with pytest.raises(InputError, match="cannot be counted in samples of one model"):
        parse_budget("8x:codellama-7b").times(1.0)


def test_more_than_can_be_counted() -> None:
    with pytest.raises(InputError, match=r"a budget of 1e\+300 samples is more than can be counted"):
        parse_budget("1e300x").times(1e12)
    with pytest.raises(InputError, match="more than can be counted"):
        parse_budget("1e300x").of(Unit.FLOPS, {"m": SampleCost(Unit.FLOPS, 1e12)})
    for text in ("1e308s", "1e31", "$1e31", "1e28kflops", "1e300Eflops", "1e31x:m"):
        with pytest.raises(InputError, match=r"more than can be counted; the most is 1e\+30"):
            parse_budget(text)
    assert parse_budget("1e30x").amount == 1e30


@pytest.mark.parametrize("numbers", [(1e308, 0.0), (1e-308, 0.0), (1.1e30, 0.0), (9e-31, 0.0), (1.0, 1e308)])
def test_prices_beyond_what_can_be_calculated_with(numbers: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"prices must lie between 1e-30 and 1e\+30 flops, and this one is .*\(ours\)"):
        SampleCost(Unit.FLOPS, *numbers, "ours")
    assert SampleCost(Unit.FLOPS, 1e30, 1e30).cost(1) == 2e30
    assert SampleCost(Unit.FLOPS, 1e-30).per_sample == 1e-30


def test_a_model_may_be_named_by_a_part_of_its_name() -> None:
    prices = {
        "org--Llama-8B-Instruct": SampleCost(Unit.FLOPS, 1.0),
        "org--Llama-70B-Instruct": SampleCost(Unit.FLOPS, 9.0),
    }
    assert parse_budget("2x:70b").of(Unit.FLOPS, prices) == 18.0
    with pytest.raises(InputError, match="counts samples of 'Instruct', which must match exactly one model; models: "):
        parse_budget("2x:Instruct").of(Unit.FLOPS, prices)
    with pytest.raises(InputError, match="counts samples of '7b'"):
        parse_budget("2x:7b").of(Unit.FLOPS, prices)


def random_prices(seed: int, number: int = 400) -> list[float]:
    """Over many magnitudes, and near the edges of prefixes and of digits."""
    rng = np.random.default_rng(seed)
    plain = 10 ** rng.uniform(-9, 22, number)
    edges = [10.0**power * (1 + miss) for power in range(-6, 20) for miss in (-6e-4, -4e-4, 0, 4e-3, 6e-3)]
    return [*plain.tolist(), *edges]


@pytest.mark.parametrize("unit", list(Unit))
def test_what_a_sample_costs_typed_back_buys_it(unit: Unit) -> None:
    for at, price in enumerate(random_prices(1)):
        cost = SampleCost(unit, price, price * (at % 3))
        for k in (1, 2, 7):
            typed = parse_budget(with_unit(cost.cost(k), unit))
            assert typed.unit is unit
            assert cost.affordable(as_shown(typed.amount, unit, cost.costs(20))) >= k
            sure = parse_budget(enough(cost.cost(k), unit)).amount
            assert cost.affordable(sure) >= k
            assert sure <= cost.cost(k) * 1.011


@pytest.mark.parametrize("unit", list(Unit))
def test_a_budget_stands_for_nothing_that_is_shown_otherwise(unit: Unit) -> None:
    rng = np.random.default_rng(2)
    for budget in random_prices(3):
        typed = parse_budget(with_unit(budget, unit)).amount
        costs = typed * rng.uniform(0.99, 1.01, 30)
        taken = as_shown(typed, unit, costs)
        assert with_unit(taken, unit) == with_unit(typed, unit)
        assert typed <= taken <= typed * 1.006
        dearer = costs[costs > taken]
        assert all(with_unit(cost, unit) != with_unit(typed, unit) for cost in dearer.tolist())
    for exact in (249.01e9, 0.12341, 1234.5):  # more digits than are shown
        assert as_shown(exact, unit, exact * np.array([1.0001, 1.001])) == exact


def test_amounts_are_read_as_they_are_shown() -> None:
    assert parse_budget("1,235 s") == Budget(1235, Unit.SECONDS)
    assert parse_budget("$1,234,567") == Budget(1234567, Unit.USD)
    assert parse_budget("0.5 device s") == Budget(0.5, Unit.DEVICE_SECONDS)
    for wrong in ("1,23 s", "1,2345s", ",123s", "12345,678s"):
        with pytest.raises(InputError, match="is not a budget"):
            parse_budget(wrong)
    assert Written("1,235", Unit.SECONDS).among(1.0, [])[0] == [1.0, 235.0]
    assert Written("100,200x", Unit.SECONDS).among(1.0, [])[0] == [100.0, 200.0]
    assert Written("100,200s,3s", Unit.SECONDS).among(1.0, [])[0] == [100.0, 200.0, 3.0]
    assert Written("100,200e1", Unit.SECONDS).among(1.0, [])[0] == [100.0, 2000.0]
    for both in ("1,235 s", "$1,235", "1,000 Gflops", ["100,200s"]):
        with pytest.raises(InputError, match=r"may be one budget, .*, or several, .* and "):
            Written(both, Unit.SECONDS).among(1.0, [])


def test_the_tables_budgets_typed_back_buy_what_they_show(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    lines = [
        {"model": model, "task_id": f"t{at}", "passed": rng.integers(0, 2, 6).tolist()}
        | {"completion_tokens": rng.integers(30, 90, 6).tolist()}
        for model in ("codellama-7b", "codellama-34b")
        for at in range(5)
    ]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for stated in ({"unit": "flops"}, {"tokens_per_second": "7b=2600,34b=481.3"}):
        for stop in ("fixed", "first-pass"):
            same = {"stop": stop, "replicates": 50, **stated}
            (first,) = api.curves(tmp_path / "c.jsonl", **same)
            shown = [with_unit(cost, first.unit) for curve in first.curves for cost in curve.cost.tolist()]
            (again,) = api.curves(tmp_path / "c.jsonl", budgets=shown, **same)
            for curve in first.curves:
                for k, cost in enumerate(curve.cost.tolist(), start=1):
                    budget = min(again.budgets, key=lambda one, cost=cost: abs(one - cost))
                    assert again.curve(curve.label).at(budget).k >= k
            moved = sum(
                "A budget typed as a table's rounded cost stands for the exact cost" in note for note in again.notes
            )
            assert moved == (not set(again.budgets) <= {parse_budget(text).amount for text in shown})
    (compared,) = api.curves(tmp_path / "c.jsonl", "flops", replicates=50)
    least = with_unit(compared.curves[0].price.cost(1), Unit.FLOPS)
    planned = api.plan(tmp_path / "c.jsonl", "flops", budget=least, replicates=50)
    assert planned.recommended[0].budget >= compared.curves[0].price.cost(1) * (1 - 1e-9)
