"""Greedy and optimal orders against all schedules there are, and against each other on public counts."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from isobudget.curves import common_counts
from isobudget.errors import InputError
from isobudget.importers.counts import group_counts, read_counts
from isobudget.policies import Arm, Schedule, evaluate
from isobudget.policies.arms import Table, arm_grid, count_grid, fit_prior, recorded_table, shrunk_table
from isobudget.policies.evaluate import mean_walk, walk
from isobudget.policies.make import greedy, greedy_path, optimal, optimal_paths
from isobudget.statistics.pass_at_k import failure_at_k

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def tables(arms: list[Arm]) -> list[Table]:
    return [recorded_table(arm, arm_grid(arm)) for arm in arms]


def all_schedules(arms: list[Arm], most: int) -> list[Schedule]:
    found = []
    for length in range(1, most + 1):
        for order in product([arm.name for arm in arms], repeat=length):
            schedule = Schedule(tuple((name, 1) for name in order))
            if all(count <= 6 for count in schedule.counts().values()):
                found.append(schedule)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_optimal_is_the_best_of_all_schedules_of_up_to_six_draws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arms = [Arm.of(name, 6, rng.integers(0, 7, 5), price) for name, price in (("a", 1.0), ("b", 2.5))]
    every = [(evaluate(one, arms), one) for one in all_schedules(arms, 6)]
    for budget in (1.0, 2.0, 3.5, 4.6):
        best = max(float(result.success.mean()) for result, _ in every if result.spent.mean() <= budget + 1e-9)
        chosen = optimal(tables(arms), ["a", "b"], budget)
        assert chosen is not None
        result = evaluate(chosen, arms)
        assert result.spent.mean() <= budget + 1e-9
        if chosen.draws <= 6:
            assert result.success.mean() == pytest.approx(best, abs=1e-12)
        else:
            assert result.success.mean() >= best - 1e-12


def test_three_arms_and_no_more() -> None:
    arms = [Arm.of(name, 4, [0, 1, 2, 4], price) for name, price in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0))]
    assert optimal(tables(arms[:3]), ["a", "b", "c"], 4.0) is not None
    with pytest.raises(InputError, match="up to three arms"):
        optimal(tables(arms), [arm.name for arm in arms], 4.0)


def test_below_one_sample_there_is_nothing_to_draw() -> None:
    arms = [Arm.of("a", 4, [1, 2], 1.0), Arm.of("b", 4, [2, 3], 5.0)]
    assert optimal(tables(arms), ["a", "b"], 0.5) is None
    assert greedy(tables(arms), ["a", "b"], 0.5) is None


def test_greedy_meets_the_budget_by_a_mixture() -> None:
    arms = [Arm.of("a", 6, [0, 1, 2, 6], 1.0), Arm.of("b", 6, [1, 4, 0, 6], 3.0)]
    for budget in (1.3, 2.2, 3.1):
        schedule = greedy(tables(arms), ["a", "b"], budget)
        assert schedule is not None
        assert evaluate(schedule, arms).spent.mean() == pytest.approx(budget)


def test_greedy_goes_on_where_no_training_problem_is_left() -> None:
    arms = [Arm.of("a", 20, [20, 19, 20], 1.0), Arm.of("b", 20, [20, 20, 20], 4.0)]
    assert len(greedy_path(tables(arms))) < 40
    shrunk = [shrunk_table(arm, arm_grid(arm), fit_prior(arm)) for arm in arms]
    assert len(greedy_path(shrunk)) == 40


def test_the_posterior_is_that_of_the_beta_binomial() -> None:
    arm = Arm.of("a", 10, [0, 3, 10, 5])
    prior = fit_prior(arm)
    table = shrunk_table(arm, np.arange(4), prior)
    rate = (prior.a + arm.c) / (prior.a + prior.b + 10)
    assert table.survival[1] == pytest.approx(1 - rate)
    again = (prior.a + arm.c) / (prior.a + prior.b + 11)
    assert table.survival[2] == pytest.approx((1 - rate) * (1 - again))
    assert table.spent[2] == pytest.approx(1 + (1 - rate))
    for passed in (0, 10):
        edge = fit_prior(Arm.of("a", 10, [passed] * 3))
        assert 0 < edge.a / (edge.a + edge.b) < 1


def test_the_grid_has_every_small_number_and_ends_where_samples_do() -> None:
    assert count_grid(10).tolist() == list(range(11))
    grid = count_grid(1000)
    assert grid[:65].tolist() == list(range(65))
    assert grid[-1] == 1000
    assert np.all(np.diff(grid) >= 1)
    assert np.max(grid[66:] / grid[65:-1]) < 1.04


@pytest.mark.skipif(not DATA.exists(), reason="the public counts are not there")
def test_greedy_is_within_half_a_point_of_the_optimum_on_public_counts() -> None:
    groups = group_counts(read_counts(DATA / "evalperf" / "llama31_counts.jsonl.gz")).values()
    arms = [Arm.of(one.name, one.n, one.c, 9.24 if "70B" in one.name else 1.0) for one in groups]
    own = tables(arms)
    budgets = [1.0, 2.0, 3.0, 4.62, 5.5, 6.5]
    for budget, path in zip(budgets, optimal_paths(own, budgets), strict=True):
        cost, success = mean_walk(walk(own, path))
        greedy_cost, greedy_success = mean_walk(walk(own, greedy_path(own, budget)))
        assert np.interp(cost[-1], greedy_cost, greedy_success) >= success[-1] - 0.005


@pytest.mark.skipif(not DATA.exists(), reason="the public counts are not there")
@pytest.mark.parametrize("benchmark", ["cruxeval-i", "cruxeval-o"])
def test_greedy_of_three_sizes_is_within_half_a_point_of_the_optimum(benchmark: str) -> None:
    groups = group_counts(read_counts(DATA / "cruxeval" / "codellama_T0.8.jsonl.gz")).values()
    prices = {"codellama-7b": 1.69, "codellama-13b": 3.29, "codellama-34b": 8.58}
    models, _ = common_counts([one for one in groups if one.benchmark == benchmark])
    own = tables([Arm.of(one.name, one.n, one.c, prices[one.model]) for one in models])
    budgets = [2.0, 4.0, 8.0, 16.0, 30.0]
    for budget, path in zip(budgets, optimal_paths(own, budgets), strict=True):
        cost, success = mean_walk(walk(own, path))
        greedy_cost, greedy_success = mean_walk(walk(own, greedy_path(own, budget)))
        assert np.interp(cost[-1], greedy_cost, greedy_success) >= success[-1] - 0.005


def test_the_example_by_hand_of_the_docs() -> None:
    arms = [Arm.of("small", 4, [3, 0], 1.0), Arm.of("large", 4, [4, 2], 4.0)]
    schedule = greedy(tables(arms), ["small", "large"], 4.0)
    assert schedule is not None
    assert schedule.steps == (("small", 2), ("large", 1), ("large", 1))
    assert schedule.last_share == pytest.approx(0.375)
    result = evaluate(schedule, arms)
    assert result.success.mean() == pytest.approx(0.8125)
    assert result.spent.mean() == pytest.approx(4.0)
    costs = [evaluate(Schedule(schedule.steps[:at]), arms).spent.mean() for at in (1, 2, 3)]
    assert costs == pytest.approx([1.625, 3.625, 4.625])


def test_a_million_samples_are_as_exact_as_a_thousand() -> None:
    n, passed = 10**6, np.array([0, 1, 3, 250, 1500])
    arm = Arm.of("a", n, passed, 1.0)
    points = np.array([0, 1, 4096, 5000, 70_000, 999_000, 10**6])
    table = recorded_table(arm, points)
    assert table.survival[1:] == pytest.approx(failure_at_k(n, passed, points[1:, np.newaxis]), abs=1e-8)
    assert table.spent[:, 0] == pytest.approx(points)
    assert table.spent[-1] == pytest.approx((n + 1) / (passed + 1))


def test_shrunk_tables_go_on_beyond_where_draws_are_followed_one_by_one() -> None:
    arm = Arm.of("a", 20_000, [0, 2, 40, 9000], 1.0)
    prior = fit_prior(arm)
    points = count_grid(20_000)
    table = shrunk_table(arm, points, prior)
    j = np.arange(20_000)[:, np.newaxis]
    r = np.cumprod((prior.b + arm.n - arm.c + j) / (prior.a + prior.b + arm.n + j), axis=0)
    assert table.survival[1:] == pytest.approx(r[points[1:] - 1], abs=1e-8)
    draws = 1.0 + np.concatenate([np.zeros((1, 4)), np.cumsum(r[:-1], axis=0)])
    assert table.spent[1:] == pytest.approx(draws[points[1:] - 1], rel=1e-3)


def test_the_prior_of_many_samples_is_that_of_their_shares() -> None:
    few, many = Arm.of("a", 10_000, [10, 900, 4000, 9000]), Arm.of("a", 10**6, [1000, 90_000, 400_000, 900_000])
    one, other = fit_prior(few), fit_prior(many)
    assert (other.a, other.b) == pytest.approx((one.a, one.b))
