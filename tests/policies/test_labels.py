"""One order a label and one budget for all: what labels are worth, and that labels of no worth do no harm."""

from __future__ import annotations

import numpy as np
import pytest

from isobudget.errors import InputError
from isobudget.policies import Arm, Policy, evaluate, learn, spending
from isobudget.policies.arms import arm_grid, recorded_table
from isobudget.policies.evaluate import mean_walk, spending_by_label, walk
from isobudget.policies.labels import OTHERS, Labels, evaluate_by_label, label_schedules, recorded_by_label
from isobudget.policies.make import first_pass, greedy_path
from isobudget.policies.schedule import ForSome, Schedule


def two_kinds(problems: int, n: int = 20, seed: int = 0) -> tuple[list[Arm], Labels]:
    """Half of the problems suit the small arm, half only the large one."""
    rng = np.random.default_rng(seed)
    easy = np.arange(problems) % 2 == 0
    small = np.where(easy, rng.uniform(0.3, 0.9, problems), rng.uniform(0.0, 0.02, problems))
    large = np.where(easy, rng.uniform(0.4, 0.9, problems), rng.uniform(0.2, 0.7, problems))
    arms = [Arm.of("small", n, rng.binomial(n, small), 1.0), Arm.of("large", n, rng.binomial(n, large), 6.0)]
    return arms, Labels.of_problems(np.where(easy, "easy", "hard").tolist())


def test_a_label_that_tells_is_worth_points() -> None:
    arms, labels = two_kinds(300)
    learned = learn(arms, [6.0], [Policy.GREEDY, Policy.BY_LABEL], labels=labels)
    (plain,), (told,) = learned[Policy.GREEDY], learned[Policy.BY_LABEL]
    assert told.success.mean() > plain.success.mean() + 0.05
    assert told.by_label is not None
    assert told.by_label["easy"].arms[0] == "small"
    assert told.by_label["hard"].arms == ("large",)
    assert told.spent.mean() == pytest.approx(6.0, rel=1e-3)


def test_labels_at_random_cost_little() -> None:
    arms, _ = two_kinds(200)
    labels = Labels.of_problems([str(at) for at in np.random.default_rng(1).integers(0, 3, 200)])
    learned = learn(arms, [3.0, 8.0], [Policy.GREEDY, Policy.BY_LABEL], labels=labels)
    for plain, told in zip(learned[Policy.GREEDY], learned[Policy.BY_LABEL], strict=True):
        assert abs(told.success.mean() - plain.success.mean()) < 0.03


@pytest.mark.parametrize("budget", [2.5, 5.0, 9.0])
def test_the_schedules_achieve_and_spend_what_the_order_does(budget: float) -> None:
    arms, labels = two_kinds(40)
    tables = [recorded_table(arm, arm_grid(arm)) for arm in arms]
    virtual = recorded_by_label(tables, labels)
    path = greedy_path(virtual, budget)
    cost, success = mean_walk(walk(virtual, path))
    last = int(np.searchsorted(cost, budget, side="right")) - 1
    schedules = label_schedules(path, tables, ["small", "large"], labels, last, 0.0)
    parts = []
    for place, name in enumerate(labels.names):
        own = [arm.only(labels.of == place) for arm in arms]
        parts.append(evaluate(schedules[name], own) if name in schedules else None)
    sums = np.sum([[part.success.sum(), part.spent.sum()] for part in parts if part is not None], axis=0) / 40
    assert sums == pytest.approx([success[last], cost[last]])


def test_no_more_is_stated_than_the_schedules_of_the_labels_reach() -> None:
    for_some = 0
    for seed in range(6):
        arms, labels = two_kinds(40, seed=seed)
        for one in learn(arms, [1.5, 2.5, 3.5, 6.0], [Policy.BY_LABEL], labels=labels)[Policy.BY_LABEL]:
            assert one.by_label is not None
            reached = evaluate_by_label(one.by_label, arms, labels)
            assert one.success.mean() <= reached.success.mean() + 1e-9
            assert one.own_cost == pytest.approx(reached.spent.mean())
            assert one.own_cost == pytest.approx(one.budget)
            for_some += sum(isinstance(schedule, ForSome) for schedule in one.by_label.values())
    assert for_some  # a label whose first draw is paid for some of its problems only


def test_a_first_draw_for_some_of_the_problems_spends_and_solves_its_share() -> None:
    arms, labels = two_kinds(40)
    whole, some = Schedule((("large", 1),)), ForSome((("large", 1),), last_share=0.25)
    assert evaluate(some, arms).success == pytest.approx(evaluate(whole, arms).success / 4)
    assert evaluate(some, arms).spent == pytest.approx(evaluate(whole, arms).spent / 4)
    assert [some.played(chance) is None for chance in (0.0, 0.24, 0.25, 0.9)] == [False, False, True, True]
    assert some.played(0.0) is not None
    assert some.played(0.0).steps == whole.steps  # type: ignore[union-attr]
    assert some.merged() == some
    assert (spending(some, arms).median, spending(some, arms).most) == (0.0, spending(whole, arms).most)
    names = [labels.names[place] for place in labels.of]
    assert spending_by_label({"hard": some}, arms, names).p95 == 6.0


def test_schedules_of_labels_are_evaluated_label_by_label() -> None:
    arms, labels = two_kinds(40)
    hard = labels.of == labels.names.index("hard")
    told = evaluate_by_label({"hard": first_pass("large", 3)}, arms, labels)
    assert not told.success[~hard].any()
    assert not told.spent[~hard].any()
    alone = evaluate(first_pass("large", 3), arms)
    assert told.success[hard] == pytest.approx(alone.success[hard])
    assert told.spent[hard] == pytest.approx(alone.spent[hard])
    assert told.hidden is None


def test_no_share_of_a_step_is_lost_between_labels() -> None:
    arms, labels = two_kinds(40)
    tables = [recorded_table(arm, arm_grid(arm)) for arm in arms]
    path = greedy_path(recorded_by_label(tables, labels), 9.0)
    for last in (1, 12, len(path) - 1):
        schedules = label_schedules(path, tables, ["small", "large"], labels, last, 0.25)
        assert [one.last_share for one in schedules.values() if one.last_share < 1] == [0.25]
        assert sum(one.draws for one in schedules.values()) == last + 1


def test_one_schedule_for_all_labels_spends_as_without_labels() -> None:
    arms, labels = two_kinds(40)
    names = [labels.names[place] for place in labels.of]
    schedule = first_pass("small", 6)
    both = spending_by_label({"easy": schedule, "hard": schedule}, arms, names)
    plain = spending(schedule, arms)
    assert (both.median, both.p95) == (plain.median, plain.p95)
    assert both.unsolved_share == pytest.approx(plain.unsolved_share)
    assert spending_by_label({"easy": schedule}, arms, names).median <= plain.median


def test_few_problems_are_put_together() -> None:
    labels = Labels.of_problems(["a"] * 12 + ["b"] * 3 + [""] * 2)
    assert labels.names == ("a", OTHERS)
    assert labels.of.tolist() == [0] * 12 + [1] * 5
    with pytest.raises(InputError, match="needs a label with 10 problems or more, and problems with other labels"):
        Labels.of_problems(["a"] * 12)
    with pytest.raises(InputError, match="by_label needs labels"):
        learn(two_kinds(20)[0], [2.0], [Policy.BY_LABEL])
