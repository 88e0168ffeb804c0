"""Repairing as an arm: names, and the comparison with sampling from scratch against every order of recorded chains."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from isobudget.policies.arms import Arm
from isobudget.policies.evaluate import evaluate
from isobudget.policies.make import first_pass
from isobudget.policies.repair import compare_repairs, repairing, split_arm
from isobudget.statistics.intervals import bootstrap_weights


def test_names_of_arms_go_there_and_back() -> None:
    for repairs in (0, 1, 2, 16):
        assert split_arm(repairing("a/b+c", repairs)) == ("a/b+c", repairs)
    assert repairing("7b", 1) == "7b+repair"
    assert split_arm("7b+repair", {"7b+repair"}) == ("7b+repair", 0)
    assert split_arm("+repair") == ("+repair", 0)
    assert split_arm("7b+repair0") == ("7b+repair0", 0)


def test_a_schedule_of_chains_is_the_mean_over_all_orders_of_them() -> None:
    """Each chain: verdicts of its links; a link costs 2, a sample 1. Played by hand in every order."""
    problems = [
        [(False, True), (False, False, False), (True,), (False, False, True)],
        [(False, False, False), (False, False, False), (False, True), (False, False, False)],
    ]
    cost = [[1 + 2 * (len(chain) - 1) for chain in chains] for chains in problems]
    passed = [[chain[-1] for chain in chains] for chains in problems]
    arm = Arm.of(
        "a+repair2",
        [4, 4],
        [sum(own) for own in passed],
        [np.mean([c for c, ok in zip(*pair, strict=True) if ok]) for pair in zip(cost, passed, strict=True)],
        [np.mean([c for c, ok in zip(*pair, strict=True) if not ok]) for pair in zip(cost, passed, strict=True)],
    )
    for k in (1, 2, 3, 4):
        result = evaluate(first_pass("a+repair2", k), [arm])
        for at in range(2):
            won, spent, orders = 0, 0, 0
            for order in permutations(range(4)):
                orders += 1
                for place in order[:k]:
                    spent += cost[at][place]
                    if passed[at][place]:
                        won += 1
                        break
            assert result.success[at] == pytest.approx(won / orders)
            assert result.spent[at] == pytest.approx(spent / orders)


def test_repairing_is_compared_only_where_both_spend_the_budget() -> None:
    rng = np.random.default_rng(3)
    anew = Arm.of("a", 8, rng.integers(0, 3, 40), 1.0)
    better = Arm.of("a+repair", 8, rng.integers(3, 9, 40), 1.5)
    weights = bootstrap_weights(40, 500, 0)
    rows = compare_repairs(anew, better, [1.0, 2.0, 4.0, 100.0], weights, level=0.95, unit="tokens")
    assert np.isnan([rows[0].repaired, rows[0].gain, rows[3].gain, rows[3].anew]).all()
    assert rows[1].gain == pytest.approx(rows[1].repaired - rows[1].anew)
    assert 0 < rows[1].gain_low < rows[1].gain < rows[1].gain_high
    same = compare_repairs(anew, anew, [2.0], weights, level=0.95, unit="tokens")[0]
    assert same.gain == 0
    assert same.gain_low <= 0 <= same.gain_high
