"""The live stepper plays what replay and the exact numbers say, and keeps to its budget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.policies import Draw, Halt, Schedule, Stepper, Stop, cascade, doubling, first_pass, fixed_k, replay

STEPS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), min_size=1, max_size=5)


def by_hand(schedule: Schedule, passed: dict[str, list[bool]]) -> tuple[bool, dict[str, int]]:
    """Whether the schedule passes, and what it draws, by reading the samples one by one."""
    drawn = dict.fromkeys(schedule.arms, 0)
    solved = False
    for arm, count in schedule.steps:
        if solved and schedule.stop is Stop.FIRST_PASS:
            break
        for _ in range(count):
            solved = solved or passed[arm][drawn[arm]]
            drawn[arm] += 1
            if solved and schedule.stop is Stop.FIRST_PASS and not schedule.batched:
                break
    return solved, drawn


@given(
    STEPS,
    st.sampled_from([(Stop.FIRST_PASS, False), (Stop.FIRST_PASS, True), (Stop.NEVER, False)]),
    st.tuples(*[st.lists(st.booleans(), min_size=15, max_size=15)] * 2),
)
def test_live_is_replay_sample_by_sample(
    steps: list[tuple[str, int]], how: tuple[Stop, bool], verdicts: tuple[list[bool], list[bool]]
) -> None:
    schedule = Schedule(tuple(steps), *how)
    passed = dict(zip("ab", verdicts, strict=True))
    solved, drawn = by_hand(schedule, passed)
    stepper = Stepper(schedule)
    while isinstance(move := stepper.next(), Draw):
        start = stepper.drawn[move.arm]
        stepper.record(passed[move.arm][start : start + move.count], float(move.count))
    assert (stepper.passed, stepper.drawn) == (solved, drawn)
    assert move is (Halt.PASSED if solved else Halt.FINISHED)
    again = replay(schedule, passed)
    assert (again.passed, dict(again.drawn), again.spent, again.halt) == (solved, drawn, stepper.spent, move)


@given(STEPS, st.floats(0.5, 40), st.integers(0, 2**32 - 1))
def test_a_budget_is_kept_where_prices_hold(steps: list[tuple[str, int]], budget: float, seed: int) -> None:
    prices = {"a": 1.0, "b": 4.0}
    rng = np.random.default_rng(seed)
    for batched in (False, True):
        stepper = Stepper(Schedule(tuple(steps), batched=batched), budget, prices)
        while isinstance(move := stepper.next(), Draw):
            stepper.record([bool(rng.random() < 0.1)] * move.count, prices[move.arm] * move.count)
        assert stepper.spent <= budget * (1 + 1e-9)
        if move is Halt.BUDGET:
            assert stepper.spent + min(prices.values()) * (stepper.drawn == {}) <= budget + 4.0


def test_a_batch_is_cut_to_what_the_budget_pays_for() -> None:
    stepper = Stepper(doubling("a", 8), budget=3.0, prices={"a": 1.0})
    moves = []
    while isinstance(move := stepper.next(), Draw):
        moves.append(move.count)
        stepper.record([False] * move.count, float(move.count))
    assert moves == [1, 1, 1]
    assert move is Halt.BUDGET


def test_the_same_answer_until_something_came_back() -> None:
    stepper = Stepper(cascade([("a", 1), ("b", 1)]))
    assert stepper.next() == stepper.next() == Draw("a", 1)
    stepper.record([], 1.0)
    assert stepper.next() == Draw("b", 1)
    stepper.record([True], 1.0)
    assert stepper.next() is Halt.PASSED
    assert stepper.spent == 2.0


def test_fixed_k_goes_on_after_a_pass() -> None:
    stepper = Stepper(fixed_k("a", 3))
    assert stepper.next() == Draw("a", 3)
    stepper.record([True, False, False])
    assert stepper.next() is Halt.PASSED


def test_misuse() -> None:
    with pytest.raises(InputError, match="mixture"):
        Stepper(Schedule((("a", 1), ("b", 1)), last_share=0.5))
    for budget in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="budget"):
            Stepper(first_pass("a", 1), budget)
    stepper = Stepper(first_pass("a", 1))
    with pytest.raises(InputError, match="nothing was asked for"):
        stepper.record([True])
    stepper.next()
    with pytest.raises(InputError, match="do not match what was asked for"):
        stepper.record([True, True])
    with pytest.raises(InputError, match="do not match what was asked for"):
        stepper.record([True], -1.0)
    with pytest.raises(InputError, match="more samples of a than the 1 recorded"):
        replay(first_pass("a", 2), {"a": [False]})
