"""Budgets as people write them."""

from __future__ import annotations

import pytest

from isobudget.costs.budget import Budget, parse_budget
from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError


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
    with pytest.raises(InputError, match="is no budget; write 8x"):
        parse_budget(text)


def test_in_a_unit() -> None:
    prices = {"small": SampleCost(Unit.FLOPS, 2.0, 1.0), "large": SampleCost(Unit.FLOPS, 10.0)}
    assert parse_budget("4x").of(Unit.FLOPS, prices) == 9.0
    assert parse_budget("4x:large").of(Unit.FLOPS, prices) == 40.0
    assert parse_budget("4").of(Unit.FLOPS, prices) == 4.0
    assert parse_budget("4flops").of(Unit.FLOPS, prices) == 4.0
    with pytest.raises(InputError, match="a budget in seconds does not go with --unit flops"):
        parse_budget("4s").of(Unit.FLOPS, prices)
    with pytest.raises(InputError, match="samples of 'medium'; there are: small, large"):
        parse_budget("4x:medium").of(Unit.FLOPS, prices)


def test_amounts_and_samples_of_the_cheapest_for_options() -> None:
    assert [parse_budget(text).times(2.5) for text in ("1e12", "4x", "3 samples")] == [1e12, 10.0, 7.5]
    assert parse_budget("60s").times(2.5, Unit.SECONDS) == 60
    with pytest.raises(InputError, match="a budget in seconds does not go with --unit flops"):
        parse_budget("60s").times(1.0, Unit.FLOPS)
    with pytest.raises(InputError, match="samples of a model"):
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
    with pytest.raises(InputError, match=r"prices must lie within 1e-30 and 1e\+30 flops, and this one is .*\(ours\)"):
        SampleCost(Unit.FLOPS, *numbers, "ours")
    assert SampleCost(Unit.FLOPS, 1e30, 1e30).cost(1) == 2e30
    assert SampleCost(Unit.FLOPS, 1e-30).per_sample == 1e-30


def test_a_model_may_be_named_by_a_part_of_its_name() -> None:
    prices = {
        "org--Llama-8B-Instruct": SampleCost(Unit.FLOPS, 1.0),
        "org--Llama-70B-Instruct": SampleCost(Unit.FLOPS, 9.0),
    }
    assert parse_budget("2x:70b").of(Unit.FLOPS, prices) == 18.0
    with pytest.raises(InputError, match="counts samples of 'Instruct'; there are"):
        parse_budget("2x:Instruct").of(Unit.FLOPS, prices)
    with pytest.raises(InputError, match="counts samples of '7b'"):
        parse_budget("2x:7b").of(Unit.FLOPS, prices)
