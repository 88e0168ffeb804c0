"""What holds for all counts, prices and schedules, on examples that hypothesis makes up from a fixed seed."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.policies import (
    Arm,
    Schedule,
    cascade,
    doubling,
    evaluate,
    first_pass,
    fixed_k,
    replay,
    spending,
)
from isobudget.policies.arms import arm_grid, recorded_table
from isobudget.policies.evaluate import mean_walk, walk
from isobudget.policies.make import greedy, greedy_path, optimal
from isobudget.statistics.pass_at_k import expected_cost, pass_at_k

same_each_time = settings(derandomize=True, deadline=None, max_examples=60)
PRICES = st.tuples(st.floats(0.1, 50), st.floats(0.1, 50))


@st.composite
def arms_of(draw: st.DrawFn, names: str = "ab", most: int = 6) -> list[Arm]:
    """Arms on the same 1 to 5 problems, with up to `most` samples each, and prices by verdict."""
    problems = draw(st.integers(1, 5))
    made = []
    for name in names:
        n = draw(st.integers(2, most))
        c = draw(st.lists(st.integers(0, n), min_size=problems, max_size=problems))
        passed, failed = draw(PRICES)
        made.append(Arm.of(name, n, c, passed, failed, shared=draw(st.sampled_from([0.0, 0.5]))))
    return made


@st.composite
def schedules_of(draw: st.DrawFn, arms: list[Arm]) -> Schedule:
    """An order of draws that the recorded samples suffice for."""
    every = [arm.name for arm in arms for _ in range(int(arm.n[0]))]
    order = draw(st.permutations(every))
    return Schedule(tuple((name, 1) for name in order[: draw(st.integers(1, len(order)))]))


@same_each_time
@given(arms_of("a"), st.data())
def test_fixed_k_is_pass_at_k_and_first_pass_its_closed_form(arms: list[Arm], data: st.DataObject) -> None:
    (arm,) = arms
    k = data.draw(st.integers(1, int(arm.n[0])))
    always, stopping = evaluate(fixed_k("a", k), arms), evaluate(first_pass("a", k), arms)
    assert always.success == pytest.approx(pass_at_k(arm.n, arm.c, k), abs=1e-12)
    assert stopping.success == pytest.approx(always.success, abs=1e-12)
    assert always.spent == pytest.approx(arm.shared + k * arm.price)
    closed = [
        expected_cost(n, c, k, p, f) for n, c, p, f in zip(arm.n, arm.c, arm.if_passed, arm.if_failed, strict=True)
    ]
    assert stopping.spent == pytest.approx(arm.shared + np.array(closed))


@same_each_time
@given(st.lists(st.booleans(), min_size=1, max_size=5), st.data())
def test_replay_of_fixed_k_over_all_orders_is_pass_at_k(passed: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(passed)))
    played = [replay(fixed_k("a", k), {"a": order}) for order in permutations(passed)]
    assert np.mean([one.passed for one in played]) == pytest.approx(float(pass_at_k(len(passed), sum(passed), k)))
    assert {one.spent for one in played} == {float(k)}


@same_each_time
@given(arms_of("a"), st.data())
def test_a_cascade_of_one_model_is_that_model(arms: list[Arm], data: st.DataObject) -> None:
    k = data.draw(st.integers(2, int(arms[0].n[0])))
    cut = data.draw(st.integers(1, k - 1))
    one, split = evaluate(first_pass("a", k), arms), evaluate(cascade([("a", cut), ("a", k - cut)]), arms)
    assert split.success == pytest.approx(one.success, abs=1e-12)
    assert split.spent == pytest.approx(one.spent)


@same_each_time
@given(arms_of(), st.data())
def test_the_order_decides_only_what_it_costs(arms: list[Arm], data: st.DataObject) -> None:
    schedule = data.draw(schedules_of(arms))
    other = Schedule(tuple(data.draw(st.permutations(schedule.steps))))
    assert evaluate(other, arms).success == pytest.approx(evaluate(schedule, arms).success, abs=1e-12)


@same_each_time
@given(arms_of(), st.data())
def test_one_draw_more_never_solves_less_nor_costs_less(arms: list[Arm], data: st.DataObject) -> None:
    schedule = data.draw(schedules_of(arms).filter(lambda one: len(one.steps) > 1))
    longer, shorter = evaluate(schedule, arms), evaluate(schedule.shorter(), arms)
    assert np.all(longer.success >= shorter.success - 1e-12)
    assert np.all(longer.spent >= shorter.spent - 1e-9)


@same_each_time
@given(arms_of("a", 12), st.data())
def test_batches_solve_the_same_between_stopping_and_never_stopping(arms: list[Arm], data: st.DataObject) -> None:
    (arm,) = arms
    k = data.draw(st.integers(1, int(arm.n[0])))
    alike = [Arm.of("a", arm.n, arm.c, 1.0)]
    batched, one_by_one, all_of_them = (evaluate(make("a", k), alike) for make in (doubling, first_pass, fixed_k))
    assert batched.success == pytest.approx(one_by_one.success, abs=1e-12)
    assert np.all(one_by_one.spent <= batched.spent + 1e-9)
    assert np.all(batched.spent <= all_of_them.spent + 1e-9)


@same_each_time
@given(arms_of(), st.data())
def test_quantiles_of_spending_are_in_order_and_unsolved_is_a_share(arms: list[Arm], data: st.DataObject) -> None:
    schedule = data.draw(schedules_of(arms))
    exact, spread = evaluate(schedule, arms), spending(schedule, arms)
    assert spread.median <= spread.p95
    assert 0 <= spread.unsolved_share <= 1 + 1e-12
    if not exact.success.any():
        assert spread.unsolved_share == pytest.approx(1.0)
        assert spread.p95 >= exact.spent.min() - 1e-9


@same_each_time
@given(arms_of(), st.floats(0.2, 80))
def test_greedy_meets_a_budget_that_pays_for_a_draw(arms: list[Arm], budget: float) -> None:
    tables = [recorded_table(arm, arm_grid(arm)) for arm in arms]
    names = [arm.name for arm in arms]
    schedule = greedy(tables, names, budget)
    if schedule is None:
        assert not any(table.spent[1].mean() <= budget and (table.survival[1] < 1).any() for table in tables)
        return
    spent = float(evaluate(schedule, arms).spent.mean())
    assert spent <= budget * (1 + 1e-6)
    cost, _ = mean_walk(walk(tables, greedy_path(tables, budget)))
    if cost[-1] >= budget and len(schedule.steps) > 1:
        assert spent == pytest.approx(budget)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(arms_of("abc", 2), st.floats(0.5, 60))
def test_optimal_is_the_best_of_all_orders_of_three_arms_of_up_to_six_draws(arms: list[Arm], budget: float) -> None:
    best = -1.0
    for length in range(1, 7):
        for order in product("abc", repeat=length):
            schedule = Schedule(tuple((name, 1) for name in order))
            if any(count > 2 for count in schedule.counts().values()):
                continue
            result = evaluate(schedule, arms)
            if result.spent.mean() <= budget * (1 + 1e-9):
                best = max(best, float(result.success.mean()))
    chosen = optimal([recorded_table(arm, arm_grid(arm)) for arm in arms], ["a", "b", "c"], budget)
    reached = -1.0 if chosen is None else float(evaluate(chosen, arms).success.mean())
    assert reached == pytest.approx(best, abs=1e-12) or (chosen is None and best <= 1e-12)


@same_each_time
@given(arms_of("a"), st.data())
def test_beyond_the_recorded_samples_everything_is_nan(arms: list[Arm], data: st.DataObject) -> None:
    (arm,) = arms
    k = int(arm.n[0]) + data.draw(st.integers(1, 3))
    for make in (fixed_k, first_pass, doubling):
        result = evaluate(make("a", k), arms)
        assert np.isnan(result.success).all()
        assert np.isnan(result.spent).all()
