"""The best model of a row: verdicts that must come out, an independent computation, and truly equal models."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from isobudget.statistics.intervals import bootstrap_difference, bootstrap_weights, widened_tail
from isobudget.statistics.pass_at_k import failure_curve
from isobudget.statistics.winners import best_per_budget, clear_leads, difference_ends


def draw(rng: np.random.Generator, lifts: list[float], problems: int, n: int, ks: list[int]) -> np.ndarray:
    """Success of models on the same problems, shape (models, problems, len(ks)); a lift of 0 makes truly equal ones."""
    chance = rng.beta(0.6, 0.8, problems)
    passed = [rng.binomial(n, np.clip(chance + lift, 0, 1)) for lift in lifts]
    return np.stack([1 - failure_curve(n, c, max(ks))[:, np.array(ks) - 1] for c in passed])


def test_best_per_budget() -> None:
    problems = 164
    generator = np.random.default_rng(1)
    base = generator.beta(1, 1, (problems, 1)) * 0.7
    small = np.hstack([base, base + 0.2, base, np.full((problems, 1), math.nan)])
    large = np.hstack([base + 0.2, base, base, np.full((problems, 1), math.nan)])
    costly = np.hstack([np.full((problems, 1), math.nan), base + 0.199, base, np.full((problems, 1), math.nan)])
    costly[:, 1] += generator.normal(0, 0.01, problems)
    success = {"small": small, "large": large, "costly": costly}
    first, second, third, fourth = best_per_budget(success, bootstrap_weights(problems, 2000))
    assert (first.model, first.clear_against, first.out_of_reach) == ("large", ("small",), ("costly",))
    assert first.success == pytest.approx(base.mean() + 0.2)
    assert first.low < first.success < first.high
    assert second.model in {"small", "costly"}
    assert "large" in second.clear_against
    assert third.model == "small"
    assert (third.clear_against, third.unclear_against) == ((), ("large", "costly"))
    assert fourth.model is None
    assert math.isnan(fourth.success)
    assert fourth.out_of_reach == ("small", "large", "costly")


@pytest.mark.parametrize("models", [2, 3, 5])
def test_limits_are_those_of_an_independent_computation(models: int) -> None:
    rng = np.random.default_rng(models)
    success = draw(rng, list(np.linspace(0, 0.15, models)), 80, 12, [1, 3, 6])
    weights = bootstrap_weights(80, 3000)
    share = 1 - 2 * widened_tail(80, 0.95)
    pairs = list(combinations(range(models), 2))
    moved = {pair: [] for pair in pairs}
    for row in weights:
        for i, j in pairs:
            difference = success[i] - success[j]
            moved[i, j].append(np.average(difference, axis=0, weights=row) - difference.mean(axis=0))
    errors = {pair: np.std(values, axis=0) for pair, values in moved.items()}
    scaled = np.max([np.abs(moved[pair]) / errors[pair] for pair in pairs], axis=0)
    row_limits, limit = np.quantile(scaled, share, axis=0), np.quantile(scaled.max(axis=1), share)
    rows, table = clear_leads(success, weights)
    for i, j in pairs:
        t = (success[i] - success[j]).mean(axis=0) / errors[i, j]
        assert (rows[i, j] == (t > row_limits)).all()
        assert (rows[j, i] == (t < -row_limits)).all()
        assert (table[i, j] == (t > limit)).all()


@pytest.mark.parametrize(("models", "problems", "n"), [(2, 60, 8), (4, 60, 8), (5, 164, 4)])
def test_truly_equal_models_are_seldom_told_apart(models: int, problems: int, n: int) -> None:
    trials, rng, weights = 200, np.random.default_rng(models), bootstrap_weights(problems, 1000)
    in_rows = in_tables = 0
    for _ in range(trials):
        success = draw(rng, [0.0] * models, problems, n, [1, 2, n // 2, n])
        rows, table = clear_leads(success, weights)
        in_rows += rows.any(axis=(0, 1)).sum()
        in_tables += table.any()
    # 5 % are meant; three standard errors of that many trials more
    assert in_rows / (4 * trials) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    assert in_tables / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_it_sees_at_least_what_bonferroni_sees() -> None:
    rng, weights = np.random.default_rng(7), bootstrap_weights(100, 4000)
    ours = bonferronis = 0
    for _ in range(40):
        success = draw(rng, [0.1, 0.05, 0.0, 0.0], 100, 6, [1, 2, 3])
        rows, _ = clear_leads(success, weights)
        ours += rows.sum()
        for i, j in combinations(range(4), 2):
            low, high = bootstrap_difference(success[i], success[j], weights, 1 - 0.05 / 6)
            bonferronis += (low > 0).sum() + (high < 0).sum()
    assert ours >= bonferronis > 0


def test_equal_columns_one_problem_and_missing_values_are_not_clear() -> None:
    success = draw(np.random.default_rng(3), [0.0, 0.4], 50, 6, [1, 2])
    twice = np.concatenate([success[:1], success])
    twice[2, :, 1] = np.nan
    rows, table = clear_leads(twice, bootstrap_weights(50, 500))
    assert not rows[0, 1].any()
    assert not rows[1, 0].any()
    assert rows[2, 0].tolist() == [True, False]
    assert not rows[:, 2, 1].any()
    assert (table <= rows).all()
    rows, table = clear_leads(success[:, :1], bootstrap_weights(1, 500))
    assert not rows.any()
    assert not table.any()


def test_a_lead_on_two_problems_of_many_is_not_clear() -> None:
    one, other = np.zeros((50, 1)), np.zeros((50, 1))
    one[:2] = 1.0
    rows, _ = clear_leads(np.stack([one, other]), bootstrap_weights(50, 2000))
    assert not rows.any()


def test_the_same_small_difference_on_two_problems_is_not_clear() -> None:
    """It has no spread at all, which is no reason to be sure of it."""
    one, other = np.full((2, 3), 0.5), np.full((2, 3), 0.51)
    rows, table = clear_leads(np.stack([one, other]), bootstrap_weights(2, 500))
    assert not rows.any()
    assert not table.any()


def test_a_difference_of_shares_ends_at_one() -> None:
    difference = np.array([[-1.0, 1.0], [-1.0, 0.5], [-0.4, 1.0]])  # of few problems: wide intervals
    error = difference.std(axis=0, ddof=1) / math.sqrt(3)
    low, high = difference_ends(difference, error, np.full((2, 2), 4.0))
    assert low.tolist() == [-1.0, pytest.approx(low[1])]
    assert high[1] == 1.0
    assert (np.abs([low, high]) <= 1).all()
