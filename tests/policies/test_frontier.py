"""The frontier is what a plan recommends at each budget, and nothing where nothing can be learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isobudget.policies import Arm, Policy, learn
from isobudget.policies.choose import recommend
from isobudget.policies.frontier import frontier
from isobudget.statistics.intervals import bootstrap_weights


def arms(problems: int = 60) -> list[Arm]:
    rng = np.random.default_rng(0)
    small, large = rng.beta(0.5, 1.5, problems), rng.beta(1.0, 0.8, problems)
    return [Arm.of("small", 20, rng.binomial(20, small), 1.0), Arm.of("large", 20, rng.binomial(20, large), 6.0)]


def test_a_point_for_every_budget_that_pays_for_a_sample() -> None:
    both, budgets, weights = arms(), [0.5, 1.0, 4.0, 12.0], bootstrap_weights(60, 500)
    points = frontier(both, budgets, weights, level=0.95, unit="flops")
    assert [point.budget for point in points] == budgets[1:]
    learned = learn(both, budgets)
    assert [None, *(point.policy for point in points)] == recommend(learned, weights, level=0.95)
    fixed = learned[Policy.FIXED_K][1:]
    for point, one in zip(points, fixed, strict=True):
        assert point.success >= one.success.mean() - 1e-9
    success = [point.success for point in points]
    assert success == sorted(success)


def test_nothing_where_nothing_can_be_learned() -> None:
    weights = bootstrap_weights(3, 500)
    assert frontier([Arm.of("a", 4, [0, 0, 0])], [1.0], weights, level=0.95, unit="flops") == ()
    assert frontier([Arm.of("a", 4, [2])], [1.0], bootstrap_weights(1, 500), level=0.95, unit="flops") == ()


def test_the_arms_of_a_run_are_those_of_its_comparison(tmp_path: Path) -> None:
    from isobudget.analysis.compare_run import run_comparison
    from isobudget.analysis.load_samples import load_samples
    from isobudget.solving.frontier import run_frontier
    from support.synthetic_run import PAIR, synthetic_run

    loaded = load_samples(synthetic_run(tmp_path / "run", PAIR).path)
    comparison = run_comparison(loaded)
    points = run_frontier(loaded, comparison)
    assert [point.budget for point in points] == list(comparison.budgets)
    assert points[0].problems == len(comparison.curves[0].task_ids)
    assert points[0].gain_low <= points[0].gain
    nothing = load_samples(synthetic_run(tmp_path / "one", PAIR, {"quickstart": 1}).path)
    assert run_frontier(nothing, run_comparison(nothing)) == ()
