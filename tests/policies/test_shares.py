"""A policy that sees the share of tests: against every order of recorded samples, and on data where it must help."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from isobudget.errors import InputError
from isobudget.policies.arms import Arm, Floats
from isobudget.policies.evaluate import Path
from isobudget.policies.labels import Labels
from isobudget.policies.learn import Policy, learn
from isobudget.policies.schedule import Schedule
from isobudget.policies.shares import (
    CASES,
    FIRST,
    Opening,
    Shares,
    case_chances,
    case_of,
    evaluate_by_case,
    folded,
    learn_by_share,
    recorded_atoms,
)

#: of two problems the samples of two arms: 1 passes, else the share of tests that pass
SAMPLES = {"a": [[0.0, 0.6, 1, 0.3], [0.0, 0.0, 0.4, 0.9]], "b": [[1, 0.0, 0.0], [0.0, 1, 1]]}
PRICES = {"a": (1.0, 2.0), "b": (5.0, 7.0)}
#: after two draws of a: by case, (arm, how many) in order
AFTER = {"none": [("b", 2), ("a", 1)], "some": [("a", 1), ("b", 1)], "most": [("a", 2)]}


def arms() -> list[Arm]:
    return [
        Arm.of(name, [len(own) for own in every], [own.count(1) for own in every], *PRICES[name])
        for name, every in SAMPLES.items()
    ]


def failing(name: str) -> Floats:
    counts = np.zeros((2, len(CASES)), dtype=np.int64)
    for at, own in enumerate(SAMPLES[name]):
        for share in own:
            if share != 1:
                counts[at, case_of(share)] += 1
    return counts


def played(orders: dict[str, tuple[float, ...]]) -> tuple[bool, float]:
    """By hand: two draws of a, then as the best of them says."""
    drawn, spent, best = {"a": 0, "b": 0}, 0.0, 0.0

    def draw(name: str) -> bool:
        nonlocal spent, best
        share = orders[name][drawn[name]]
        drawn[name] += 1
        spent += PRICES[name][0 if share == 1 else 1]
        best = max(best, share)
        return share == 1

    if draw("a") or draw("a"):
        return True, spent
    return any(draw(name) for name, count in AFTER[CASES[case_of(best)]] for _ in range(count)), spent


def test_it_is_exact_over_every_order_of_the_samples() -> None:
    tables = recorded_atoms(arms(), Shares({"a": failing("a")}), Opening(0, 2))
    steps = [(0, 1)]
    for case, own in AFTER.items():
        done = {"a": 0, "b": 0}
        for name, count in own:
            for _ in range(count):
                done[name] += 1
                steps.append((1 + 2 * CASES.index(case) + (name == "b"), done[name]))
    arm, to = np.array(steps).T
    walked = folded(tables, Path(arm, to))
    for at in range(2):
        results = [
            played({"a": a, "b": b}) for a, b in product(*(permutations(SAMPLES[name][at]) for name in ("a", "b")))
        ]
        assert 1 - walked.survival[-1, at] == pytest.approx(np.mean([passed for passed, _ in results]))
        assert walked.spent[-1, at] == pytest.approx(np.mean([spent for _, spent in results]))
    assert walked.survival[0].tolist() == [1.0, 1.0]


def test_chances_of_cases_sum_to_that_of_no_pass() -> None:
    counts = np.array([[3, 2, 1], [0, 0, 0], [5, 0, 0]])
    chances = case_chances(np.array([8, 4, 5]), counts, 2)
    assert chances.sum(axis=1) == pytest.approx([15 / 28, 0.0, 1.0])
    assert chances[2].tolist() == [1.0, 0.0, 0.0]


def mixed(seed: int) -> tuple[list[Arm], Shares, Labels]:
    """Half of the problems can be solved by the cheap arm, whose failing samples pass most tests there; half cannot."""
    rng = np.random.default_rng(seed)
    near = np.arange(120) % 2 == 0
    c = np.where(near, rng.binomial(20, 0.3, 120), 0)
    counts = np.zeros((120, 3), dtype=np.int64)
    counts[near, 2], counts[~near, 0] = (20 - c)[near], 20
    dear = rng.binomial(20, np.where(near, 0.3, 0.6))
    cheap = Arm.of("cheap", 20, c, 1.0)
    labels = Labels.of_problems(["near" if one else "far" for one in near])
    return [cheap, Arm.of("dear", 20, dear, 6.0)], Shares({"cheap": counts}), labels


def test_it_helps_where_shares_tell_problems_apart() -> None:
    own, shares, labels = mixed(0)
    budgets = [4.0, 8.0]
    seen = learn_by_share(own, budgets, shares)
    plain = learn(own, budgets, (Policy.GREEDY, Policy.BY_LABEL), labels=labels)
    for budget, one, greedy, told in zip(budgets, seen, plain[Policy.GREEDY], plain[Policy.BY_LABEL], strict=True):
        assert one.success.mean() > greedy.success.mean() + 0.02
        assert one.success.mean() < told.success.mean() + 0.02  # which knows it before the first draw
        assert one.spent.mean() == pytest.approx(budget, rel=0.02)
        assert one.by_label is not None
        assert one.by_label[FIRST].arms == ("cheap",)
        assert one.by_label["most"].arms[0] == "cheap"
        assert set(one.by_label) <= {FIRST, *CASES}
    assert seen[1].by_label is not None
    assert "dear" in seen[1].by_label["none"].arms


def test_where_shares_say_nothing_it_is_no_better() -> None:
    own, _, _ = mixed(1)
    rng = np.random.default_rng(2)
    fail = own[0].n - own[0].c
    counts = np.stack([rng.multinomial(one, [0.5, 0.3, 0.2]) for one in fail])
    seen = learn_by_share(own, [6.0], Shares({"cheap": counts}))[0]
    greedy = learn(own, [6.0], (Policy.GREEDY,))[Policy.GREEDY][0]
    assert abs(seen.success.mean() - greedy.success.mean()) < 0.04


def test_its_schedules_are_evaluated_as_every_order_plays_them() -> None:
    schedules = {case: Schedule(tuple(own)) for case, own in AFTER.items()}
    told = evaluate_by_case(schedules, arms(), Shares({"a": failing("a")}), Opening(0, 2))
    for at in range(2):
        results = [
            played({"a": a, "b": b}) for a, b in product(permutations(SAMPLES["a"][at]), permutations(SAMPLES["b"][at]))
        ]
        assert told.success[at] == pytest.approx(np.mean([passed for passed, _ in results]))
        assert told.spent[at] == pytest.approx(np.mean([spent for _, spent in results]))


def test_no_more_is_stated_than_its_schedules_reach() -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        c = rng.binomial(12, rng.beta(0.5, 0.8, 14) / 2)
        shares = Shares({"small": np.stack([rng.multinomial(12 - one, [0.5, 0.3, 0.2]) for one in c])})
        large = Arm.of("large", 8, rng.binomial(8, rng.beta(3, 1, 14)), rng.uniform(4, 12, 14))
        own = [Arm.of("small", 12, c, 1.0), large]
        for one in learn_by_share(own, [1.5, 3.0, 6.0, 12.0], shares):
            assert one.by_label is not None
            opening = Opening(0, one.by_label[FIRST].draws)
            reached = evaluate_by_case(one.by_label, own, shares, opening)
            assert one.success.mean() <= reached.success.mean() + 1e-9
            assert one.own_cost == pytest.approx(reached.spent.mean())
            assert one.own_cost <= one.budget * (1 + 1e-9)


def test_what_cannot_be_learned_by_shares() -> None:
    own, shares, _ = mixed(0)
    with pytest.raises(InputError, match="needs arms that record how many tests"):
        learn_by_share(own, [4.0], Shares({}))
    hidden = [Arm.of("cheap", 20, own[0].c, 1.0, hidden=np.ones(120)), own[1]]
    with pytest.raises(InputError, match="works with one suite of tests"):
        learn_by_share(hidden, [4.0], shares)
    assert not learn_by_share(own, [0.5], shares)[0].draws
    with pytest.raises(InputError, match="by_share"):
        learn(own, [4.0], (Policy.BY_SHARE,))
    schedule = learn_by_share(own, [1.2], shares)[0].by_label
    assert schedule is not None
    assert schedule[FIRST] == Schedule((("cheap", 1),))
