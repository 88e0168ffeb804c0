"""Success and cost from counts are exact: identities, brute force over all orders of the samples, simulation."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.policies import Arm, Schedule, Stop, cascade, doubling, evaluate, first_pass, fixed_k, replay, spending
from isobudget.statistics.pass_at_k import cascade as cascade_by_stages
from isobudget.statistics.pass_at_k import expected_cost, pass_at_k

N, C = 8, np.array([0, 1, 3, 8])
SMALL = Arm.of("small", N, C, 1.0, 2.0, shared=0.5)
LARGE = Arm.of("large", 6, [0, 2, 1, 6], [9.0, 8.0, 7.0, 6.0], 12.0)


def test_fixed_k_is_pass_at_k_at_k_times_the_mean_price() -> None:
    for k in range(1, N + 1):
        result = evaluate(fixed_k("small", k), [SMALL, LARGE])
        assert result.success == pytest.approx(pass_at_k(N, C, k), abs=1e-14)
        assert result.spent == pytest.approx(0.5 + k * (C * 1.0 + (N - C) * 2.0) / N)


def test_first_pass_has_the_same_success_at_the_closed_form_cost() -> None:
    for k in range(1, N + 1):
        result = evaluate(first_pass("small", k), [SMALL])
        assert result.success == pytest.approx(pass_at_k(N, C, k), abs=1e-14)
        assert result.spent == pytest.approx(0.5 + expected_cost(N, C, k, 1.0, 2.0))


def test_a_cascade_of_one_model_is_that_model() -> None:
    for k in range(2, N + 1):
        one, split = (
            evaluate(first_pass("small", k), [SMALL]),
            evaluate(cascade([("small", k - 1), ("small", 1)]), [SMALL]),
        )
        assert split.success == pytest.approx(one.success, abs=1e-14)
        assert split.spent == pytest.approx(one.spent)


def test_a_cascade_is_that_of_the_estimators() -> None:
    small, large = Arm.of("small", N, C, 1.0), Arm.of("large", 6, LARGE.c, 10.0)
    result = evaluate(cascade([("small", 3), ("large", 2)]), [large, small])
    known = cascade_by_stages(np.array([[N] * 4, [6] * 4]), np.array([C, LARGE.c]), [3, 2], [1.0, 10.0])
    assert result.success == pytest.approx(known.success, abs=1e-14)
    assert result.spent == pytest.approx(known.cost)


STEPS = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 2)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.lists(st.booleans(), min_size=4, max_size=4)] * 2),
    STEPS.filter(lambda steps: all(sum(n for arm, n in steps if arm == one) <= 4 for one in "ab")),
    st.sampled_from([(Stop.FIRST_PASS, False), (Stop.FIRST_PASS, True), (Stop.NEVER, False)]),
)
def test_brute_force_over_all_orders_of_the_samples(
    passed: tuple[list[bool], list[bool]], steps: list[tuple[str, int]], how: tuple[Stop, bool]
) -> None:
    amounts = {"a": [1.0, 2.0, 4.0, 7.0], "b": [10.0, 11.0, 13.0, 30.0]}
    arms = []
    for name, verdicts in zip("ab", passed, strict=True):
        mean = [
            float(
                np.mean([own for own, kind in zip(amounts[name], verdicts, strict=True) if kind is wanted] or [np.nan])
            )
            for wanted in (True, False)
        ]
        arms.append(Arm.of(name, 4, [sum(verdicts)], *mean))
    schedule = Schedule(tuple(steps), *how)
    results = []
    for one in permutations(range(4)):
        for other in permutations(range(4)) if "b" in schedule.arms else [range(4)]:
            orders = {"a": one, "b": other}
            results.append(
                replay(
                    schedule,
                    {name: [own[at] for at in orders[name]] for name, own in zip("ab", passed, strict=True)},
                    {name: [own[at] for at in orders[name]] for name, own in amounts.items()},
                )
            )
    exact = evaluate(schedule, arms)
    assert exact.success[0] == pytest.approx(np.mean([result.passed for result in results]), abs=1e-12)
    assert exact.spent[0] == pytest.approx(np.mean([result.spent for result in results]))


def test_simulation_agrees_within_three_standard_errors() -> None:
    rng = np.random.default_rng(5)
    schedule = Schedule((("small", 2), ("large", 1), ("small", 3), ("large", 2)))
    exact = evaluate(schedule, [SMALL, LARGE])
    for problem in range(4):
        counts = {arm.name: (int(arm.n[problem]), int(arm.c[problem])) for arm in (SMALL, LARGE)}
        prices = {arm.name: (float(arm.if_failed[problem]), float(arm.if_passed[problem])) for arm in (SMALL, LARGE)}
        played = []
        for _ in range(4000):
            passed = {name: rng.permutation([True] * c + [False] * (n - c)).tolist() for name, (n, c) in counts.items()}
            amounts = {name: [prices[name][one] for one in own] for name, own in passed.items()}
            played.append(replay(schedule, passed, amounts))
        for values, expected in (
            ([one.passed for one in played], exact.success[problem]),
            ([one.spent + 0.5 for one in played], exact.spent[problem]),
        ):
            error = np.std(values) / math.sqrt(len(values))
            assert abs(np.mean(values) - expected) <= 3 * error + 1e-9


def test_beyond_the_recorded_samples_nothing_is_guessed() -> None:
    ragged = Arm.of("a", [2, 5], [0, 1])
    result = evaluate(first_pass("a", 3), [ragged])
    assert np.isnan(result.success).tolist() == [True, False]
    assert np.isnan(result.spent).tolist() == [True, False]
    assert np.isnan(evaluate(fixed_k("a", 3), [ragged]).spent[0])
    assert np.isnan(evaluate(doubling("a", 3), [ragged]).spent[0])


def test_a_mixture_is_the_mean_of_its_two_schedules() -> None:
    steps = (("small", 2), ("large", 1))
    mixed = evaluate(Schedule(steps, last_share=0.3), [SMALL, LARGE])
    longer, shorter = evaluate(Schedule(steps), [SMALL, LARGE]), evaluate(Schedule(steps[:1]), [SMALL, LARGE])
    assert mixed.success == pytest.approx(0.3 * longer.success + 0.7 * shorter.success)
    assert mixed.spent == pytest.approx(0.3 * longer.spent + 0.7 * shorter.spent)


def test_hidden_success_by_brute_force() -> None:
    visible, hidden = [True, True, False, True], [True, False, False, False]
    arm = Arm.of("a", 4, [3], hidden=[1 / 3])
    for k in (1, 2, 4):
        right = [next((hidden[at] for at in order[:k] if visible[at]), False) for order in permutations(range(4))]
        result = evaluate(first_pass("a", k), [arm])
        assert result.hidden is not None
        assert result.hidden[0] == pytest.approx(np.mean(right))


def test_spending_is_that_of_all_orders() -> None:
    arms = [Arm.of("a", 4, [0, 1, 4], 1.0, 2.0), Arm.of("b", 3, [1, 0, 3], 10.0, 20.0)]
    schedule = cascade([("a", 3), ("b", 2)])
    spent, unsolved = [], 0.0
    for problem in range(3):
        own = []
        for one in permutations(range(4)):
            for other in permutations(range(3)):
                passed = {
                    "a": [at < arms[0].c[problem] for at in one],
                    "b": [at < arms[1].c[problem] for at in other],
                }
                amounts = {
                    "a": [1.0 if yes else 2.0 for yes in passed["a"]],
                    "b": [10.0 if yes else 20.0 for yes in passed["b"]],
                }
                result = replay(schedule, passed, amounts)
                own.append(result.spent)
                unsolved += 0 if result.passed else result.spent
        spent += own
    distribution = spending(schedule, arms)
    assert distribution.median == pytest.approx(np.quantile(spent, 0.5, method="inverted_cdf"))
    assert distribution.p95 == pytest.approx(np.quantile(spent, 0.95, method="inverted_cdf"))
    assert distribution.unsolved_share == pytest.approx(unsolved / sum(spent))
    assert spending(fixed_k("a", 2), arms).p95 == pytest.approx(4.0)


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match="draws from 'medium'"):
        evaluate(first_pass("medium", 1), [SMALL])
    with pytest.raises(InputError, match="same problems"):
        evaluate(first_pass("small", 1), [SMALL, Arm.of("b", 3, [1])])
    with pytest.raises(InputError, match="same name"):
        evaluate(first_pass("small", 1), [SMALL, SMALL])
    with pytest.raises(InputError, match="0 <= c <= n"):
        Arm.of("a", 3, [4])
    with pytest.raises(InputError, match="positive amount"):
        Arm.of("a", 3, [1], 0.0)
