"""Two models' difference and power in words, against the numbers of the JSON."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, Comparison, compare_counts
from isobudget.importers.counts import ModelCounts
from isobudget.report.json.comparison import comparison_json
from isobudget.report.tables.power import power_line
from isobudget.statistics.intervals import bootstrap_difference

QUICK = Bootstrap(replicates=500)


def counts(model: str, n: int, c: list[int]) -> ModelCounts:
    nothing = (None,) * len(c)
    return ModelCounts(
        "b", model, "", tuple(map(str, range(len(c)))), np.full(len(c), n), np.asarray(c), nothing, nothing
    )


def compared(*models: ModelCounts, price: float = 2.0) -> Comparison:
    prices = {one.model: SampleCost(Unit.FLOPS, price**at, source="test") for at, one in enumerate(models)}
    return compare_counts(models, prices, bootstrap=QUICK)


@pytest.fixture(scope="module")
def two() -> Comparison:
    rng = np.random.default_rng(2)
    chance = rng.beta(0.6, 0.8, 40)
    small, large = (list(rng.binomial(12, np.clip(chance + lift, 0, 1))) for lift in (0.0, 0.03))
    return compared(counts("small", 12, small), counts("large", 12, large))


def test_the_differences_are_the_paired_ones_at_equal_budget(two: Comparison) -> None:
    small, large = two.curves
    found = two.differences()
    assert [one.budget for one in found] == [budget for budget in two.budgets if budget >= 2]
    for one in found:
        assert (one.k, one.k_other) == (large.at(one.budget).k, small.at(one.budget).k)
        columns = large.matrix[:, [one.k - 1]], small.matrix[:, [one.k_other - 1]]
        low, high = bootstrap_difference(*columns, QUICK.weights(40), 0.95)
        assert (one.low, one.high) == pytest.approx((low[0], high[0]), abs=1e-6)
        assert one.difference == pytest.approx(large.success[one.k - 1] - small.success[one.k_other - 1])
        assert np.isnan(one.power.within) == (2 * max(one.k, one.k_other) > 12)


def test_the_line_says_the_numbers_of_the_json(two: Comparison) -> None:
    plain = json.loads(json.dumps(comparison_json(two), allow_nan=False))
    one = plain["differences"][0]
    line = plain["power"]
    assert line == power_line(two)
    assert f"At 2 flops large solves {100 * abs(one['difference']):.1f} points" in line
    assert f"(95% interval {100 * one['low']:+.1f} to {100 * one['high']:+.1f}, this pair and budget alone" in line
    assert f"A true difference of {100 * one['power']['detectable']:.1f} points is detected with 40 problems" in line
    if not (one["low"] > 0 or one["high"] < 0):
        needed = int(re.search(r"would take about ([\d,]+) problems", line)[1].replace(",", ""))
        assert one["power"]["problems"] <= needed <= 1.1 * one["power"]["problems"] + 1


def test_a_clear_difference_needs_nothing_more() -> None:
    line = power_line(compared(counts("a", 6, [0, 1, 0, 2] * 10), counts("b", 6, [5, 6, 6, 5] * 10)))
    assert "alone: clear)" in line
    assert "would take" not in line


def test_level_models_solve_as_much() -> None:
    found = compared(counts("small", 4, [1, 3, 2, 4] * 5), counts("large", 4, [3, 1, 4, 2] * 5), price=1.0)
    line = power_line(found)
    assert line.startswith("At 1 flops large solves as much as small (95% interval -")
    assert "0.0 points" not in line


def test_no_line_for_one_model_three_models_or_one_problem() -> None:
    one, other, third = (counts(name, 4, [1, 2, 3]) for name in "abc")
    assert power_line(compared(one)) == power_line(compared(one, other, third)) == ""
    assert power_line(compared(counts("a", 4, [1]), counts("b", 4, [2]))) == ""
    assert comparison_json(compared(one))["differences"] == []


def test_too_few_problems_for_any_difference() -> None:
    line = power_line(compared(counts("a", 4, [4, 0]), counts("b", 4, [0, 3])))
    assert "2 problems cannot tell any difference" in line


def test_above_half_of_the_samples_nothing_is_said_of_more() -> None:
    line = power_line(compared(counts("a", 4, [1, 0, 0, 1] * 4), counts("b", 4, [4, 4, 0, 2] * 4), price=3.0))
    assert "what more samples would do is not known" in line
