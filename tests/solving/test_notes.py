"""What a plan says besides its numbers: why less than a budget is spent, and the budget apart from the spending."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isobudget import api
from isobudget.grid import with_unit
from isobudget.policies import Arm, Learned, Policy, learn
from isobudget.solving.notes import other_model_notes, unspent_notes

HALF = Arm.of("small", 4, [2, 2, 1, 3, 2, 1], 1.0)
LARGE = Arm.of("large", 3, [3, 2, 3, 2, 3, 1], 5.0)


def learned(arms: Sequence[Arm], budgets: Sequence[float], *policies: Policy) -> list[Learned]:
    return [one for own in learn(arms, budgets, policies).values() for one in own]


def test_fixed_k_spends_less_where_another_sample_does_not_fit_or_none_is_left() -> None:
    rows = learned([HALF], [1.0, 2.5, 3.0, 9.0], Policy.FIXED_K)
    assert unspent_notes(rows, [HALF], "seconds") == [
        "Spending stays below the budget with fixed k at 2.5 s: another whole sample does not fit.",
        "Spending stays below the budget with fixed k at 9 s: all recorded samples are drawn.",
    ]
    assert unspent_notes(learned([HALF], [1.0, 3.0], Policy.FIXED_K), [HALF], "seconds") == []


def test_a_policy_that_stops_spends_less_where_samples_end_or_nothing_is_left_to_solve() -> None:
    never = Arm.of("small", 4, [0, 2, 1, 3, 2, 1], 1.0)
    said = unspent_notes(learned([never], [1.5, 50.0], Policy.FIRST_PASS), [never], "seconds")
    assert said == ["Spending stays below the budget with first pass at 50 s: all recorded samples are drawn."]
    sure = Arm.of("small", 4, [4, 2, 3, 3, 2, 3], 1.0)
    said = unspent_notes(learned([sure], [1.2, 8.0, 9.0], Policy.FIRST_PASS, Policy.GREEDY), [sure], "seconds")
    assert said == [
        "Spending stays below the budget with first pass and greedy at 8 s and 9 s: every problem passes for less."
    ]


def test_an_optimal_order_is_mixed_so_that_it_spends_its_budget() -> None:
    rows = learned([HALF, LARGE], [1.2], Policy.OPTIMAL)
    assert unspent_notes(rows, [HALF, LARGE], "seconds") == []
    assert rows[0].schedule is not None
    assert 0 < rows[0].schedule.last_share < 1


def test_samples_of_one_arm_end_before_those_of_others() -> None:
    few = Arm.of("small", 2, [0, 2, 1, 0, 2, 1], 1.0)
    dear = Arm.of("large", 3, [0, 1, 1, 0, 0, 1], 50.0)
    rows = learned([few, dear], [20.0], Policy.FIRST_PASS)
    assert unspent_notes(rows, [few, dear], "seconds") == [
        "Spending stays below the budget with first pass at 20 s: all recorded samples of small are drawn."
    ]


def test_a_policy_of_one_model_that_was_measured_with_two_says_so() -> None:
    passed = [[int(at * step % 5 > 2) for at in range(30)] for step in (3, 2)]
    arms = [Arm.of(name, 1, c, price) for name, c, price in zip("ab", passed, (1.7, 8.6), strict=True)]
    rows = learned(arms, [2.0, 13.0], Policy.FIRST_PASS)
    assert other_model_notes(rows, "seconds") == [
        "The numbers of first pass at 13 s are from more than one model: when it is learned from a part of the "
        "problems, the policy chooses another model than when it is learned from all problems."
    ]
    assert other_model_notes(learned(arms[:1], [2.0, 13.0], Policy.FIRST_PASS), "seconds") == []


def test_fixed_k_names_the_model_whose_samples_end() -> None:
    few = Arm.of("small", 2, [2, 2, 1, 2, 2, 1], 1.0)
    poor = Arm.of("large", 3, [0, 0, 1, 0, 0, 1], 2.0)
    (said,) = unspent_notes(learned([few, poor], [6.0], Policy.FIXED_K), [few, poor], "seconds")
    assert said == "Spending stays below the budget with fixed k at 6 s: all recorded samples of small are drawn."


def test_many_budgets_are_counted() -> None:
    rows = learned([HALF], [1.0, 5.0, 6.0, 7.0, 8.0], Policy.FIXED_K)
    (said,) = unspent_notes(rows, [HALF], "seconds")
    assert said == "Spending stays below the budget with fixed k at 4 of 5 budgets: all recorded samples are drawn."


@pytest.mark.parametrize("budget", [1.7, 3.0, 30.0])
def test_the_sentence_names_the_budget_and_the_spending(tmp_path: Path, budget: float) -> None:
    rows: list[dict[str, Any]] = [
        {"model": arm.name, "task_id": at, "n": int(n), "c": int(c)}
        for arm in (HALF, LARGE)
        for at, (n, c) in enumerate(zip(arm.n, arm.c, strict=True))
    ]
    file, costs = tmp_path / "counts.jsonl", tmp_path / "costs.toml"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    costs.write_text("[models.small]\nseconds = 1\n[models.large]\nseconds = 5\n")
    made = api.plan(file, costs=costs, unit="seconds", budget=budget, replicates=200)
    (row,) = made.recommended
    assert made.sentence.startswith(f"For a budget of {with_unit(budget, 'seconds')} a problem run ")
    assert f"; it spends {with_unit(row.expected_cost, 'seconds')} on average; " in made.sentence
    assert row.expected_cost <= budget * 1.05
