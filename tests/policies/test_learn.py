"""Learned policies: measured where they were not learned, at equal spending, guarded; what public counts give."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from isobudget.curves import common_counts
from isobudget.errors import InputError
from isobudget.importers.counts import group_counts, read_counts
from isobudget.policies import Arm, Policy, evaluate, learn
from isobudget.policies.arms import arm_grid, fit_prior, recorded_table, shrunk_table
from isobudget.policies.cascades import cascade_paths
from isobudget.policies.choose import most_useful_k, plan_rows, recommend
from isobudget.policies.evaluate import mean_walk, walk
from isobudget.policies.labels import Labels
from isobudget.policies.learn import best_fixed
from isobudget.policies.make import greedy_path
from isobudget.statistics.intervals import bootstrap_weights
from isobudget.statistics.pass_at_k import pass_at_k

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
public = pytest.mark.skipif(not DATA.exists(), reason="the public counts are not there")


def made_up(problems: int, seed: int = 0, n: int = 20, correlation: float = 0.5) -> list[Arm]:
    """A cheap and a dear arm that fail on partly different problems."""
    rng = np.random.default_rng(seed)
    both = rng.standard_normal(problems)
    arms = []
    for name, shift, price in (("small", -1.0, 1.0), ("large", 0.7, 8.0)):
        own = np.sqrt(correlation) * both + np.sqrt(1 - correlation) * rng.standard_normal(problems)
        rates = 1 / (1 + np.exp(-2 * (own + shift)))
        arms.append(Arm.of(name, n, rng.binomial(n, rates), price))
    return arms


def test_every_policy_spends_its_budget_exactly_on_problems_left_out() -> None:
    arms = made_up(80)
    budgets = [1.0, 2.5, 6.0]
    plain = [policy for policy in Policy if policy is not Policy.BY_SHARE]  # it needs results by test
    learned = learn(arms, budgets, plain, labels=Labels.of_problems(["easy"] * 30 + ["hard"] * 50))
    assert list(learned) == plain
    for policy in (Policy.FIRST_PASS, Policy.DOUBLING, Policy.CASCADE, Policy.GREEDY):
        for budget, one in zip(budgets, learned[policy], strict=True):
            assert one.schedule is not None
            assert one.spent.mean() == pytest.approx(budget, rel=1e-3)
            assert evaluate(one.schedule, arms).spent.mean() == pytest.approx(budget, rel=1e-6)
            assert one.success.min() >= 0
            assert one.success.max() <= 1 + 1e-12
    for budget, one in zip(budgets, learned[Policy.BY_LABEL], strict=True):
        assert one.spent.mean() == pytest.approx(budget, rel=1e-3)
    for one in learned[Policy.OPTIMAL]:
        assert one.schedule is not None
        assert one.spent.mean() <= 1.25 * one.budget


def test_stopping_with_one_arm_is_the_estimator_at_equal_cost() -> None:
    arm = made_up(60)[0]
    for one in learn([arm], [2.0, 5.0], [Policy.FIRST_PASS, Policy.GREEDY])[Policy.FIRST_PASS]:
        table = recorded_table(arm, arm_grid(arm))
        cost, success = mean_walk(walk([table], greedy_path([table])))
        assert one.success.mean() == pytest.approx(np.interp(one.budget, cost, success), abs=0.01)


def test_what_is_stated_is_not_what_was_learned_on() -> None:
    """Rates that say nothing: 40 arms of luck alone look better in the sample than on problems left out."""
    rng = np.random.default_rng(3)
    arms = [Arm.of(f"arm {at}", 1, rng.integers(0, 2, 12), 1.0) for at in range(40)]
    first = learn(arms, [1.0], [Policy.FIRST_PASS])[Policy.FIRST_PASS][0]
    in_sample = best_fixed(arms, 1.0).success.mean()
    assert in_sample >= 0.75
    assert first.success.mean() < in_sample - 0.15


def test_no_order_is_stated_to_reach_more_than_it_does_where_it_was_learned() -> None:
    # Prices differ by problem, so that folds disagree on whether a budget pays for one draw of the dear arm.
    rng = np.random.default_rng(3)
    for _ in range(20):
        rates = rng.beta(0.5, 0.5, 14), rng.beta(3.0, 1.0, 14)
        small = Arm.of("small", 24, rng.binomial(24, rates[0] / 2), 1.0)
        large = Arm.of("large", 8, rng.binomial(8, rates[1]), rng.uniform(4, 12, 14))
        budgets = list(np.linspace(4, 12, 9))
        for rows in learn([small, large], budgets).values():
            for one in rows:
                assert one.schedule is not None
                reached = evaluate(one.schedule, [small, large])
                assert one.success.mean() <= reached.success.mean() + 1e-9


def test_where_a_policy_reaches_the_target_one_that_does_not_is_not_recommended() -> None:
    weights, others = bootstrap_weights(12, replicates=500, seed=0), 0
    for seed in range(10):
        learned = learn(made_up(12, seed), [3.0])
        usual = recommend(learned, weights, level=0.95)
        best = max(float(rows[0].success.mean()) for rows in learned.values())
        picked = recommend(learned, weights, level=0.95, target=best)[0]
        assert picked is not None
        assert float(learned[picked][0].success.mean()) == best
        assert recommend(learned, weights, level=0.95, target=1.1) == usual
        others += [picked] != usual
    assert others


def test_the_best_fixed_k_is_the_papers_rule() -> None:
    arms = [Arm.of("a", 10, [1, 2, 9], 1.0, shared=0.5), Arm.of("b", 10, [5, 5, 5], 4.0)]
    one = best_fixed(arms, 4.2)
    assert one.schedule is not None
    assert one.schedule.steps == (("a", 3),)
    assert one.success == pytest.approx(pass_at_k(10, arms[0].c, 3))
    assert best_fixed(arms, 1.4).schedule is None
    level = [Arm.of("dear", 4, [4, 4], 2.0), Arm.of("cheap", 4, [4, 4], 1.0)]
    assert best_fixed(level, 2.0).schedule is not None
    assert best_fixed(level, 2.0).schedule.arms == ("cheap",)  # type: ignore[union-attr]


def test_a_budget_below_one_sample_has_no_schedule() -> None:
    learned = learn(made_up(30), [0.5, 1.0])
    for rows in learned.values():
        assert rows[0].schedule is None
        assert np.isnan(rows[0].success).all()
        assert rows[1].schedule is not None


def test_one_problem_is_not_enough() -> None:
    with pytest.raises(InputError, match="one problem is not enough"):
        learn([Arm.of("a", 3, [1])], [1.0])


def rows_of(arms: Sequence[Arm], budgets: Sequence[float], **how: float) -> tuple[list, list[Policy | None]]:  # type: ignore[type-arg]
    learned = learn(arms, budgets)
    weights = bootstrap_weights(len(arms[0].c), 500)
    base = learned[Policy.FIXED_K]
    rows = plan_rows(learned, base, arms, weights, level=0.95, unit="flops", suite="tests")
    return rows, recommend(learned, weights, level=0.95, **how)


def test_the_guard_takes_the_simplest_within_noise() -> None:
    _, alike = rows_of(made_up(60, correlation=0.99), [2.0, 8.0])
    assert alike == [Policy.FIRST_PASS, Policy.FIRST_PASS]
    rows, apart = rows_of(made_up(600, correlation=0.0), [16.0])
    assert apart[0] in (Policy.CASCADE, Policy.GREEDY)
    by_policy = {row.policy: row for row in rows[0]}
    assert by_policy["greedy"].gain_low > 0
    assert by_policy["fixed_k"].gain == 0


def test_rows_hold_together() -> None:
    rows, _ = rows_of(made_up(50), [2.0, 4.0])
    for row in (one for own in rows for one in own):
        assert row.low <= row.success <= row.high
        assert row.gain_low <= row.gain <= row.gain_high
        assert row.median_cost <= row.p95_cost
        assert row.problems == 50
        assert row.draws == row.schedule.steps


def test_more_samples_hurt_from_some_k_where_false_passes_cost() -> None:
    rng = np.random.default_rng(1)
    right, wrong = rng.uniform(0, 0.3, 40), np.full(40, 0.1)
    visible = np.round(100 * (right + wrong)).astype(int)
    arm = Arm.of("a", 100, visible, hidden=right / (right + wrong))
    free, dear = most_useful_k(arm, 0.0), most_useful_k(arm, 1.2)
    assert free is None
    assert dear is not None
    assert 0 < dear < 100
    worth = [float(np.mean(pass_at_k(100, visible, k) * (arm.hidden - 1.2 * (1 - arm.hidden)))) for k in range(1, 101)]
    assert dear == int(np.argmax(worth)) + 1
    assert most_useful_k(arm, 100.0) == 0
    assert most_useful_k(Arm.of("b", 3, [1]), 1.0) is None


@public
def test_evalperf_half_splits_gain_as_much_as_asked() -> None:
    groups = group_counts(read_counts(DATA / "evalperf" / "llama31_counts.jsonl.gz")).values()
    arms = [Arm.of(one.name, one.n, one.c, 9.24 if "70B" in one.name else 1.0) for one in groups]
    asked = {0.5: 11.0, 1.0: 10.5, 2.0: 7.2, 4.0: 5.5, 8.0: 2.5}
    gains: dict[float, list[float]] = {budget: [] for budget in asked}
    for seed in range(30):
        order = np.random.default_rng(seed).permutation(118)
        first, second = ([arm.only(half) for arm in arms] for half in (order[:59], order[59:]))
        shrunk = [shrunk_table(arm, arm_grid(arm), fit_prior(arm)) for arm in first]
        held = [recorded_table(arm, arm_grid(arm)) for arm in second]
        for number, found in gains.items():
            chosen = best_fixed(first, 9.24 * number).schedule
            assert chosen is not None
            cost, success = mean_walk(walk(held, greedy_path(shrunk, 9.24 * number)))
            greedy = np.interp(9.24 * number, cost, success)
            found.append(100 * float(greedy - evaluate(chosen, second).success.mean()))
    for number, least in asked.items():
        assert np.mean(gains[number]) >= least, number


@public
def test_cruxeval_gains_by_mixing_three_sizes() -> None:
    path = DATA / "cruxeval" / "codellama_T0.8.jsonl.gz"
    groups = [one for one in group_counts(read_counts(path)).values() if one.benchmark == "cruxeval-i"]
    prices = {"codellama-7b": 1.69, "codellama-13b": 3.29, "codellama-34b": 8.58}
    arms = [Arm.of(one.name, one.n, one.c, prices[one.model]) for one in common_counts(groups)[0]]
    rows, picked = rows_of(arms, [8.58, 34.32])
    for own, policy in zip(rows, picked, strict=True):
        by_policy = {row.policy: row for row in own}
        assert by_policy["greedy"].gain > 0.09
        assert policy in (Policy.CASCADE, Policy.GREEDY)


def benchmark(name: str) -> ModuleType:
    """A script of the benchmarks folder as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "least"), [("humaneval", 9.0), ("mbpp", 8.0)])
def test_the_papers_tables_gain_as_much_as_asked(name: str, least: float) -> None:
    pytest.importorskip("scipy")
    from isobudget.paper.tables import pass_tables

    script = benchmark("policies_paper")
    found = script.measure(pass_tables(name)[0], "Code Llama", 0.85, 1500, 0)
    assert max(found["residual"].values()) <= 0.25
    assert found["behind_optimal"] <= 0.5
    for rows in found["gains"].values():
        assert np.mean(rows["greedy"]) >= least
        assert all(greedy >= single - 0.3 for greedy, single in zip(rows["greedy"], rows["first pass"], strict=True))


def test_a_cascade_can_be_cut_within_any_stage() -> None:
    """Its first stage alone may spend more than the budget on other problems than it was learned on."""
    arms = made_up(60)
    tables = [recorded_table(arm, arm_grid(arm)) for arm in arms]
    budgets = [1.0, 3.0, 7.0, 15.0]
    mixed = 0
    for path in cascade_paths(tables, budgets):
        mixed += len(set(path.arm.tolist())) > 1
        rows = path.rows(2)
        steps, before = np.diff(rows, axis=0).sum(axis=1), rows[np.arange(len(path)), path.arm]
        assert np.all(steps >= 1)
        assert np.all(steps <= np.maximum(before, 1))
    assert mixed
