"""Curves: success at a budget, the best model, flips and sentences, against loops and by hand."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import LIKELIHOOD, Bootstrap, Comparison, compare, compare_counts, curve, curve_from_matrix
from isobudget.curves.defaults import default_budgets
from isobudget.curves.flips import find_flips
from isobudget.errors import InputError
from isobudget.grid import with_unit
from isobudget.importers.counts import ModelCounts
from isobudget.report.json.comparison import comparison_json
from isobudget.report.tables.comparison import comparison_grids
from isobudget.report.tables.power import power_line
from isobudget.report.tables.sentence import winner_sentence

QUICK = Bootstrap(replicates=500)


def counts(model: str, n: list[int] | int, c: list[int], first: int = 0) -> ModelCounts:
    tasks = tuple(f"t{i}" for i in range(first, first + len(c)))
    samples = np.broadcast_to(np.asarray(n, dtype=np.int64), (len(c),))
    nothing = (None,) * len(c)
    return ModelCounts("bench", model, "", tasks, samples, np.asarray(c, dtype=np.int64), nothing, nothing)


def flops(per_sample: float, per_problem: float = 0.0) -> SampleCost:
    return SampleCost(Unit.FLOPS, per_sample, per_problem, "test")


def brute(n: int, c: int, k: int) -> float:
    subsets = list(combinations(range(n), k))
    return sum(any(i < c for i in chosen) for chosen in subsets) / len(subsets)


@pytest.fixture(scope="module")
def two() -> Comparison:
    rng = np.random.default_rng(3)
    small = counts("small", 40, list(rng.binomial(40, rng.beta(0.5, 2, 60))))
    large = counts("large", 10, list(rng.binomial(10, rng.beta(1, 1, 60))))
    return compare_counts([large, small], {"small": flops(1.0), "large": flops(8.0)}, bootstrap=QUICK)


@given(
    c=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    price=st.floats(0.5, 3),
    shared=st.floats(0, 3),
    budget=st.floats(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_success_at_a_budget_is_that_of_the_most_samples_it_pays_for(
    c: list[int], price: float, shared: float, budget: float
) -> None:
    point = curve(counts("m", 5, c), flops(price, shared), QUICK).at(budget)
    affordable = [k for k in range(1, 100) if shared + k * price <= budget * (1 + 1e-9)]
    if not affordable:
        assert (point.k, point.reason) == (0, "cannot afford one sample")
        assert math.isnan(point.success)
        return
    assert point.k == min(affordable[-1], 5)
    assert point.capped == (affordable[-1] > 5)
    assert point.success == pytest.approx(np.mean([brute(5, value, point.k) for value in c]))


def test_a_curve_ends_at_the_smallest_n_and_is_trusted_up_to_half_of_it() -> None:
    made = curve(counts("m", [8, 20, 11], [1, 2, 3]), flops(2.0, 1.0), QUICK)
    assert (made.k_max, made.trusted_k) == (8, 4)
    assert made.k.tolist() == list(range(1, 9))
    assert made.cost.tolist() == [1 + 2 * k for k in range(1, 9)]
    assert made.success[0] == pytest.approx((1 / 8 + 2 / 20 + 3 / 11) / 3)
    assert np.all((made.low <= made.success) & (made.success <= made.high))
    assert [made.at(9).trusted, made.at(11).trusted] == [True, False]


def test_the_smallest_budget_for_a_success() -> None:
    made = curve(counts("m", 10, [1, 3, 10]), flops(2.0, 1.0), QUICK)
    for target in (0.2, 0.5, 0.7, 1.0):
        k = made.k_to_reach(target)
        assert k is not None
        assert made.success[k - 1] >= target - 1e-12
        assert k == 1 or made.success[k - 2] < target
        assert made.budget_to_reach(target) == 1 + 2 * k
    none = curve(counts("m", 10, [0, 3, 10]), flops(2.0), QUICK)
    assert none.k_to_reach(0.9) is None
    assert math.isnan(none.budget_to_reach(0.9))


def test_the_best_model_is_the_best_at_each_budget(two: Comparison) -> None:
    assert [curve.label for curve in two.curves] == ["small", "large"]
    assert two.budgets == tuple(2.0**power for power in range(6))
    for best in two.best:
        points = {label: point for label, point in two.points(best.budget).items() if point.k}
        assert best.model == max(points, key=lambda label: points[label].success)
        chosen = points[best.model]
        assert (best.k, best.success, best.low, best.high) == (
            chosen.k,
            pytest.approx(chosen.success),
            pytest.approx(chosen.low, abs=1e-6),
            pytest.approx(chosen.high, abs=1e-6),
        )
        assert set(best.clear_against) | set(best.unclear_against) == set(points) - {best.model}


def test_clearly_better_and_not_clearly_better() -> None:
    good, same = counts("good", 10, [9] * 30), counts("same", 10, [9] * 15 + [9] * 15)
    bad = counts("bad", 10, [1] * 30)
    prices = {name: flops(1.0) for name in ("good", "same", "bad")}
    found = compare_counts([good, same, bad], prices, budgets=[1.0], bootstrap=QUICK).best[0]
    assert found.model == "good"
    assert (found.clear_against, found.unclear_against) == (("bad",), ("same",))


def test_a_model_whose_samples_run_out_is_never_clearly_worse() -> None:
    few, many = counts("few", 2, [1] * 15 + [0] * 15), counts("many", 50, [40] * 30)
    found = compare_counts([few, many], {"few": flops(1), "many": flops(1)}, budgets=[1, 4], bootstrap=QUICK)
    assert [best.clear_against for best in found.best] == [("few",), ()]
    assert found.best[1].unclear_against == ("few",)
    assert found.best[1].capped == ("few",)


def test_a_budget_below_every_sample() -> None:
    found = compare_counts([counts("m", 5, [2, 3])], {"m": flops(10)}, budgets=[1, 10], bootstrap=QUICK)
    first, second = found.best
    assert (first.model, first.k, first.reason) == (None, 0, "cannot afford one sample")
    assert math.isnan(first.success)
    assert second.model == "m"
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["best"][0] == {"budget": 1, "model": None, "k": 0, "success": None, "low": None, "high": None}


def test_flips_are_the_fewest_samples_that_do_as_well(two: Comparison) -> None:
    small, large = two.curves
    assert [flip.k_dear for flip in two.flips] == list(range(1, 11))
    for flip in two.flips:
        target = large.success[flip.k_dear - 1]
        reaching = [k for k in range(1, 41) if small.success[k - 1] >= target - 1e-12]
        assert flip.k_cheap == (reaching[0] if reaching else None)
        assert flip.now == 8
        if reaching:
            assert flip.ratio == reaching[0] / flip.k_dear
            assert flip.low <= flip.ratio
            assert math.isnan(flip.high) or flip.ratio <= flip.high
        else:
            assert math.isnan(flip.ratio)
            assert "within its 40 recorded samples" in flip.reason


def test_the_verdict_flips_at_the_ratio(two: Comparison) -> None:
    small, large = two.curves
    flip = two.flips[0]
    assert flip.k_cheap is not None
    for ratio, wins in ((flip.ratio + 0.01, True), (flip.ratio - 0.01, False)):
        budget = ratio * 1.0
        assert (small.at(budget).success >= large.success[0] - 1e-12) == wins


def test_a_flip_counts_what_is_shared() -> None:
    cheap = curve(counts("cheap", 10, [3] * 5), flops(1.0, 2.0), QUICK)
    dear = curve(counts("dear", 10, [6] * 5), flops(5.0, 3.0), QUICK)
    first, second, *_ = find_flips([cheap, dear], QUICK)
    assert (first.now, second.now) == (6.0, (3 + 10 - 2) / 2)
    assert first.winner == "cheap"


@pytest.mark.parametrize(("dear_price", "winner"), [(1.5, "dear"), (2.5, "level"), (3.5, "cheap")])
def test_who_wins_at_the_present_cost(dear_price: float, winner: str) -> None:
    cheap = curve_from_matrix("cheap", ("t",), np.array([[0.2, 0.5, 0.6, 0.7]]), flops(1), selection="tests")
    dear = curve_from_matrix("dear", ("t",), np.array([[0.5, 0.6]]), flops(dear_price), selection="tests")
    assert compare([cheap, dear], bootstrap=QUICK).flips[0].winner == winner


def test_recorded_samples_that_do_not_decide_it() -> None:
    cheap, dear = counts("cheap", 2, [0, 1]), counts("dear", 4, [3, 3])
    flip = compare_counts([cheap, dear], {"cheap": flops(1), "dear": flops(9)}, bootstrap=QUICK).flips[0]
    assert flip.k_cheap is None
    assert flip.winner is None
    assert (math.isnan(flip.ratio), math.isnan(flip.high)) == (True, True)


def test_crossings_by_hand() -> None:
    # cheap: 0.2 at 1, 2/3 at 4; dear: 0.5 at budget 3, 0.8 at 6.
    cheap = curve_from_matrix(
        "cheap", ("a",), np.array([[0.2, 0.4, 0.45, 0.6, 0.7, 0.75]]), flops(1), selection="tests"
    )
    dear = curve_from_matrix("dear", ("a",), np.array([[0.5, 0.8]]), flops(3), selection="tests")
    found = [(c.budget, c.leader, c.other) for c in compare([cheap, dear], bootstrap=QUICK).crossings("cheap", "dear")]
    assert found == [(4.0, "cheap", "dear"), (6.0, "dear", "cheap")]
    comparison = compare([cheap, dear], bootstrap=QUICK)
    assert comparison_json(comparison)["crossings"] == [
        {"models": ["cheap", "dear"], "budget": 4.0, "leader": "cheap"},
        {"models": ["cheap", "dear"], "budget": 6.0, "leader": "dear"},
    ]
    grid = next(grid for grid in comparison_grids(comparison) if "lead changes" in grid.title)
    assert grid.rows == (("cheap / dear", "4 flops to cheap; 6 flops to dear"),)


def test_reach_and_saving(two: Comparison) -> None:
    for reach in two.reach([0.1, 0.5, 2.0]):
        reached = [budget for budget in reach.budget.values() if not math.isnan(budget)]
        if not reached:
            assert reach.success == 2.0
            assert reach.cheapest is None
            assert math.isnan(reach.saving("small"))
            continue
        assert reach.cheapest is not None
        assert reach.budget[reach.cheapest] == min(reached)
        assert reach.saving(reach.cheapest) == 0
    targets = [reach.success for reach in two.reach()]
    assert targets == sorted(targets)
    assert 1 <= len(targets) <= 10


def test_default_budgets_reach_every_model_and_the_end_of_the_second() -> None:
    long = curve(counts("long", 1000, [5, 7]), flops(1), QUICK)
    short = curve(counts("short", 10, [5, 7]), flops(6), QUICK)
    assert default_budgets([long, short]) == (1, 2, 4, 6, 8, 16, 32)
    assert default_budgets([short]) == (6, 12, 24, 48)
    tiny = curve(counts("tiny", 2, [1, 1]), flops(1), QUICK)
    assert default_budgets([tiny, short])[-1] == 8


def test_models_are_compared_on_the_problems_they_share() -> None:
    one, other = counts("one", 4, [1, 2, 3]), counts("other", 4, [4, 0, 0], first=1)
    found = compare_counts([one, other], {"one": flops(1), "other": flops(2)}, bootstrap=QUICK)
    assert [curve.task_ids for curve in found.curves] == [("t1", "t2")] * 2
    assert found.curves[0].success[0] == pytest.approx((0.5 + 0.75) / 2)
    assert found.notes == ("Compared on the 2 problems that all models have; 2 others are left out.",)
    with pytest.raises(InputError, match="no problem in common"):
        compare_counts([one, counts("far", 4, [1], first=9)], {"one": flops(1), "far": flops(2)})


def test_the_json_form(two: Comparison) -> None:
    plain = json.loads(json.dumps(two.to_dict(), allow_nan=False))
    assert set(plain) == {
        *("benchmark", "unit", "stop", "selection", "models", "costs", "best", "clear_against", "reasons", "flips"),
        *(
            "reach",
            "crossings",
            "level",
            "notes",
            "simultaneous",
            "clear_at_all_budgets",
            "recommendation",
            "differences",
        ),
    }
    assert comparison_json(two) == plain | {"sentence": winner_sentence(two), "power": power_line(two)}
    assert plain["unit"] == "flops"
    assert {name: set(model) for name, model in plain["models"].items()} == {
        name: {"k", "cost", "success", "low", "high"} for name in ("small", "large")
    }
    assert len(plain["models"]["small"]["success"]) == 40
    assert set(plain["best"][0]) == {"budget", "model", "k", "success", "low", "high"}
    assert plain["flips"][0]["ratio"] == two.flips[0].ratio


def test_a_likelihood_curve_stands_beside_one_by_tests() -> None:
    by_tests = curve(counts("m", 4, [1, 2]), flops(1), QUICK)
    ranked = curve_from_matrix(
        "m", ("t0", "t1"), np.array([[0.2, 0.3], [0.5, 0.6]]), flops(1), selection=LIKELIHOOD, bootstrap=QUICK
    )
    found = compare([by_tests, ranked], bootstrap=QUICK)
    assert set(found.to_dict()["models"]) == {"m", "m (likelihood)"}
    with pytest.raises(InputError, match="same label"):
        compare([by_tests, by_tests])


def test_curves_that_do_not_fit_together() -> None:
    one = curve(counts("one", 4, [1, 2]), flops(1), QUICK)
    seconds = curve(counts("s", 4, [1, 2]), SampleCost(Unit.SECONDS, 1), QUICK)
    others = curve(counts("o", 4, [1, 2], first=5), flops(1), QUICK)
    with pytest.raises(InputError, match=r"cannot compare one in flops with s in seconds"):
        compare([one, seconds])
    with pytest.raises(InputError, match="not on the same problems"):
        compare([one, others])
    with pytest.raises(InputError, match="nothing to compare"):
        compare([])
    for budget in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="a budget must be a positive number"):
            compare([one], budgets=[budget])
    with pytest.raises(InputError, match="no cost for 'one'"):
        compare_counts([counts("one", 4, [1])], {})
    with pytest.raises(InputError, match="success is not defined"):
        curve_from_matrix("m", ("a",), np.array([[math.nan]]), flops(1), selection="tests")
    with pytest.raises(InputError, match="does not fit 2 problems"):
        curve_from_matrix("m", ("a", "b"), np.array([[0.5]]), flops(1), selection="tests")


def test_one_problem_has_no_interval_and_no_crash() -> None:
    found = compare_counts([counts("a", 4, [1]), counts("b", 4, [3])], {"a": flops(1), "b": flops(2)}, bootstrap=QUICK)
    assert math.isnan(found.best[0].low)
    assert math.isnan(found.flips[0].low)
    assert found.best[-1].clear_against == ()
    json.dumps(found.to_dict(), allow_nan=False)
    assert winner_sentence(found)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.69e12, Unit.FLOPS, "1.69 Tflops"),
        (3.0e15, Unit.FLOPS, "3 Pflops"),
        (12.0, Unit.FLOPS, "12 flops"),
        (0.395, Unit.SECONDS, "0.395 s"),
        (1234.0, Unit.TOKENS, "1,234 tokens"),
        (0.00176, Unit.USD, "$0.00176"),
        (350.0, Unit.JOULES, "350 J"),
        (1.69e12, "flops", "1.69 Tflops"),
        (math.nan, Unit.USD, "-"),
    ],
)
def test_amounts(value: float, unit: str, text: str) -> None:
    assert with_unit(value, unit) == text


def test_a_billion_samples_of_a_problem_end_at_k_10_000() -> None:
    """What a curve needs does not grow with n beyond that; success is still that of all samples."""
    models = [counts("a", 10**9, [3 * 10**6, 0]), counts("b", 20, [2, 1])]
    found = compare_counts(models, {"a": flops(1), "b": flops(2)}, bootstrap=Bootstrap(replicates=100))
    one = found.curve("a")
    assert (one.k_max, one.trusted_k) == (10_000, 10_000)
    assert one.success[99] == pytest.approx((1 - (1 - 0.003) ** 100) / 2, rel=1e-5)
    assert found.notes == ("Curves end at k = 10,000; a: more samples are recorded.",)
    alone = compare_counts([counts("b", 20, [2, 1])], {"b": flops(2)}, bootstrap=QUICK)
    assert alone.notes == ()
