"""What is said where the simplest policy within noise lies far below another one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from isobudget.policies.choose import PlanRow
from isobudget.policies.learn import Policy
from isobudget.policies.recommended import recommended_rows
from isobudget.policies.schedule import Schedule
from isobudget.solving.sentence import ahead_in_words, ahead_notes, plan_sentence


def row(policy: Policy, success: float, **changed: Any) -> PlanRow:
    """A row of 14 problems whose gain is not clear."""
    nothing = {"suite": "tests", "hidden_success": None, "false_pass": None, "last_share": 1.0, "unsolved_share": 0.0}
    costs = {"budget": 192.0, "unit": "seconds", "expected_cost": 190.0, "p95_cost": 600.0, "median_cost": 150.0}
    gains = {"gain": success - 0.5, "gain_low": -0.065, "gain_high": 0.472, "low": success - 0.1, "high": success + 0.1}
    draws = {"draws": (("a", 3),), "schedule": Schedule((("a", 3),)), "problems": 14}
    return replace(PlanRow(policy=str(policy), success=success, **nothing, **costs, **gains, **draws), **changed)


FIRST, CASCADE = row(Policy.FIRST_PASS, 0.5), row(Policy.CASCADE, 0.709)
SAID = "cascade reaches 70.9%, not clearly better on 14 problems"


def test_the_policy_far_ahead_is_named() -> None:
    unknown = row(Policy.GREEDY, math.nan)
    (chosen,) = recommended_rows([[unknown, FIRST, CASCADE]], [Policy.FIRST_PASS])
    assert (chosen, chosen.ahead) == (replace(FIRST, ahead=CASCADE), CASCADE)
    assert ahead_in_words(chosen) == [SAID]
    assert SAID in plan_sentence([chosen], "seconds")
    assert ahead_notes([chosen, CASCADE]) == (f"At 192 s {SAID}.",)


@pytest.mark.parametrize("best", [row(Policy.CASCADE, 0.549), row(Policy.CASCADE, 0.4)])
def test_what_is_near_or_below_is_not(best: PlanRow) -> None:
    assert recommended_rows([[FIRST, best]], [Policy.FIRST_PASS]) == (FIRST,)


def test_none_is_named_where_false_passes_count() -> None:
    hidden = replace(FIRST, hidden_success=0.4, false_pass=0.1)
    assert recommended_rows([[hidden, CASCADE], [FIRST]], [Policy.FIRST_PASS, None]) == (hidden,)


def test_what_spends_more_or_is_clearly_better_is_said_so() -> None:
    dear = replace(CASCADE, expected_cost=210.0)
    assert ahead_in_words(replace(FIRST, ahead=dear)) == ["cascade reaches 70.9%, for more than the budget"]
    clear = replace(CASCADE, gain_low=0.01)
    assert ahead_in_words(replace(row(Policy.FIXED_K, 0.5), ahead=clear)) == ["cascade reaches 70.9%"]


def test_fixed_k_is_not_compared_with_itself() -> None:
    said = plan_sentence([row(Policy.FIXED_K, 0.5)], "seconds")
    assert "points" not in said
    assert "not clear" not in said
    assert "points against the best single model" in plan_sentence([FIRST], "seconds")
