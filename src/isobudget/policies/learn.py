"""Learns policies from recorded results, and measures them on problems on which they were not learned.

Each training problem is an atom: its rates under all arms, each rate shrunk to the arm's prior (`arms.shrunk_table`).
On the atoms a policy is an order of draws for a budget. Its success is measured on the recorded counts of the problems
that were left out, over repeated folds, at equal expected spending: each fold's order is followed to the same budget on
the fold's own training problems. One factor for all folds scales this budget, so that the problems left out spend
exactly the stated budget on average. A problem's success is its mean over the repeats.

The best single arm is chosen by the recorded counts of the training problems; orders of several arms are chosen by
shrunk rates. A budget is met on average, so an arm whose single draw exceeds the budget may still be used on problems
where others have failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Protocol

import numpy as np

from isobudget.errors import InputError
from isobudget.policies.arms import (
    Arm,
    Floats,
    Ints,
    Table,
    arm_grid,
    check_same_problems,
    fit_prior,
    recorded_table,
    shrunk_table,
)
from isobudget.policies.cascades import cascade_paths
from isobudget.policies.evaluate import Evaluation, Path, Walk, evaluate, mean_walk, met, path_schedule, walk
from isobudget.policies.folds import LeftOut, Split, between, folds, places
from isobudget.policies.labels import (
    Labels,
    evaluate_by_label,
    label_schedules,
    recorded_by_label,
    shrunk_by_label,
)
from isobudget.policies.make import affords_first, fixed_k, greedy_path, optimal_paths
from isobudget.policies.schedule import Schedule


class Policy(StrEnum):
    """The policies that can be learned, the simplest first."""

    FIXED_K = "fixed_k"
    FIRST_PASS = "first_pass"
    DOUBLING = "doubling"
    CASCADE = "cascade"
    GREEDY = "greedy"
    OPTIMAL = "optimal"
    BY_LABEL = "by_label"
    BY_SHARE = "by_share"


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """One policy at one budget.

    Attributes:
        policy: the policy.
        budget: the expected cost per problem for which the policy was learned.
        schedule: learned on all problems; None where the budget does not pay for one sample.
        success, spent: of each problem under schedules that were learned without it, shape (problems,); NaN without a
            schedule. `fixed_k` learns nothing: it is the best single model in hindsight.
        hidden: chance to pass with a sample that passes the hidden suite, too; None without a hidden suite.
        by_label: replaces `schedule` for two policies. For `by_label`, it maps each label that gets a draw to its
            schedule. For `by_share`, it has the opening schedule, and one for each case of `policies.shares`.
        own_cost: mean cost of the schedule on the problems on which the schedule was learned.
    """

    policy: Policy
    budget: float
    schedule: Schedule | None
    success: Floats
    spent: Floats
    hidden: Floats | None = None
    by_label: Mapping[str, Schedule] | None = None
    own_cost: float = math.nan

    @property
    def draws(self) -> bool:
        """Whether the budget pays for at least one draw."""
        return self.schedule is not None or bool(self.by_label)


def learn(
    arms: Sequence[Arm],
    budgets: Sequence[float],
    policies: Sequence[Policy] = (Policy.FIXED_K, Policy.FIRST_PASS, Policy.CASCADE, Policy.GREEDY),
    *,
    seed: int = 0,
    labels: Labels | None = None,
) -> dict[Policy, list[Learned]]:
    """Learn policies for budgets.

    Args:
        arms: recorded samples on the same problems.
        budgets: expected cost per problem, in the unit of the prices.
        policies: the policies to learn.
        seed: seed of the folds.
        labels: labels of the problems, for `by_label`.

    Returns:
        For each policy, one `Learned` per budget, in the order given.

    Raises:
        InputError: there are fewer than two problems, more than three arms for the policy `optimal`, or no labels for
            `by_label`; or `policies` has `by_share`, which `shares.learn_by_share` learns.
    """
    check_same_problems(arms)
    problems = len(arms[0].c)
    if problems < 2:
        raise InputError("a plan is learned on some problems and measured on others; one problem is not enough")
    if Policy.BY_LABEL in policies and labels is None:
        raise InputError("the policy by_label needs labels of the problems; none are recorded")
    if Policy.BY_SHARE in policies:
        raise InputError("the policy by_share is learned by shares.learn_by_share")
    splits = list(folds(problems, seed))
    every = np.arange(problems)
    learners: dict[Policy, _Learner] = {
        policy: _LEARNERS[policy] for policy in policies if policy is not Policy.FIXED_K
    }
    hidden = [arm.hidden for arm in arms if arm.hidden is not None]
    record = _Record(arms, hidden if len(hidden) == len(arms) else None, splits, labels)
    plans = [_paths(record, budgets, learners, train) for train in (every, *(train for train, _ in splits))]
    learned: dict[Policy, list[Learned]] = {}
    for policy in policies:
        if policy is Policy.FIXED_K:
            learned[policy] = [best_fixed(arms, budget) for budget in budgets]
            continue
        learned[policy] = []
        for place, budget in enumerate(budgets):
            final, *others = (plan[policy][place] for plan in plans)
            learned[policy].append(_learned(policy, budget, final, others, record))
    return learned


def best_fixed(arms: Sequence[Arm], budget: float) -> Learned:
    """The best single arm with as many samples as the budget pays for, all of them charged: the paper's rule.

    The arm is chosen in hindsight, on the problems on which it is measured. At equal success, it is the cheaper arm.
    """
    best: Learned | None = None
    for arm in sorted(arms, key=lambda one: one.first_draw):
        price = float(arm.price.mean())
        k = min(math.floor((budget * (1 + 1e-9) - arm.shared) / price), int(arm.n.min()))
        if k < 1:
            continue
        schedule = fixed_k(arm.name, k)
        result = evaluate(schedule, [arm])
        cost = float(result.spent.mean())
        learned = Learned(Policy.FIXED_K, budget, schedule, result.success, result.spent, result.hidden, own_cost=cost)
        if best is None or (learned.success.mean(), -learned.spent.mean()) > (best.success.mean(), -best.spent.mean()):
            best = learned
    return best or nothing(Policy.FIXED_K, budget, len(arms[0].c))


class _Learner(Protocol):
    def __call__(self, tables: Sequence[Table], budgets: Sequence[float]) -> list[Path]:
        """Learn an order of draws for each budget.

        An order does not stop at its budget: it continues as long as samples are left, so that it can be followed to
        the same budget on problems that cost less.
        """


class _Record:
    """The recorded counts as exact tables. Each table is made when first needed; the last walks on tables are kept."""

    def __init__(
        self, arms: Sequence[Arm], hidden: Sequence[Floats] | None, splits: Sequence[Split], labels: Labels | None
    ) -> None:
        self.arms, self.hidden, self.splits, self.labels = arms, hidden, splits, labels
        first = [arm.first_draw for arm in arms]
        self.cheapest = min(first)
        self.one_draw = Path(np.array([first.index(self.cheapest)]), np.ones(1, dtype=np.int64))
        self._tables: dict[Policy, list[Table]] = {}
        self._walked: tuple[tuple[Path, ...], list[LeftOut]] = ((), [])
        self._spent: tuple[Path, Floats] | None = None

    def tables(self, policy: Policy = Policy.GREEDY) -> list[Table]:
        """The tables in the form that a policy needs: in batches, by label, or draw by draw."""
        kind = policy if policy in (Policy.DOUBLING, Policy.BY_LABEL) else Policy.GREEDY
        if kind not in self._tables:
            self._tables[kind] = self._made(kind)
        return self._tables[kind]

    def _made(self, kind: Policy) -> list[Table]:
        if kind is Policy.BY_LABEL and self.labels is not None:
            return recorded_by_label(self.tables(), self.labels)
        batched = kind is Policy.DOUBLING
        grids = [_doubling_grid(arm) if batched else arm_grid(arm) for arm in self.arms]
        pairs = zip(self.arms, grids, strict=True)
        return [recorded_table(arm, grid, batched=batched) for arm, grid in pairs]

    def mean_spent(self, path: Path, policy: Policy) -> Floats:
        """Mean cost of each prefix of an order on all problems."""
        if self._spent is None or self._spent[0] is not path:
            self._spent = path, mean_walk(walk(self.tables(policy), path))[0]
        return self._spent[1]

    def left_out(self, paths: Sequence[Path], policy: Policy) -> list[LeftOut]:
        """The results of each fold's order on the problems left out. Budgets with the same orders share the results."""
        known, walked = self._walked
        if len(known) != len(paths) or any(one is not other for one, other in zip(known, paths, strict=True)):
            pairs = zip(paths, self.splits, strict=True)
            walked = [self._one_left_out(path, *split, policy) for path, split in pairs]
            self._walked = (tuple(paths), walked)
        return walked

    def _one_left_out(self, path: Path, train: Ints, out: Ints, policy: Policy) -> LeftOut:
        tables = self.tables(policy)
        shares = None if self.hidden is None else [*self.hidden] * (len(tables) // len(self.arms))
        walked = walk(tables, path, shares)
        hidden = None if walked.hidden is None else walked.hidden[:, out]
        here = Walk(walked.survival[:, out], walked.spent[:, out], hidden)
        total = here.spent.sum(axis=1)
        return LeftOut((walked.spent.sum(axis=1) - total) / len(train), total, here)


def _paths(
    record: _Record, budgets: Sequence[float], learners: Mapping[Policy, _Learner], train: Ints
) -> dict[Policy, list[Path]]:
    """The order of each policy for each budget, learned on some problems."""
    shrunk: list[Table] = []
    if learners.keys() - _OF_ONE_ARM:
        own = [arm.only(train) for arm in record.arms]
        pairs = zip(own, record.tables(), strict=True)
        shrunk = [shrunk_table(arm, table.points, fit_prior(arm)) for arm, table in pairs]
    paths = {}
    for policy, learner in learners.items():
        tables = shrunk
        if policy in _OF_ONE_ARM:
            tables = [table.only(train) for table in record.tables(policy)]
        elif policy is Policy.BY_LABEL and record.labels is not None:
            points = [table.points for table in record.tables()]
            tables = shrunk_by_label([arm.only(train) for arm in record.arms], points, record.labels.only(train))
        paths[policy] = learner(tables, [_paying(tables, budget, record.cheapest) for budget in budgets])
    return paths


def _paying(tables: Sequence[Table], budget: float, cheapest: float) -> float:
    """The budget, raised where necessary so that it covers the cheapest first draw on these tables.

    It is only raised if it covers the cheapest first draw on all problems (`cheapest`). If samples have individual
    prices, that draw may cost a little more on some of the problems than on all of them.
    """
    if budget * (1 + 1e-9) < cheapest:
        return budget
    return max(budget, min(float(table.spent[1].mean()) for table in tables if len(table.points) > 1))


def _learned(policy: Policy, budget: float, final: Path, others: Sequence[Path], record: _Record) -> Learned:
    problems = len(record.arms[0].c)
    schedule, by_label = _schedules(policy, budget, final, record)
    if policy is not Policy.BY_LABEL and schedule is None and budget * (1 + 1e-9) >= record.cheapest:
        # by shrunk rates another arm looked cheaper, which the budget does not pay for on the problems as recorded
        final, others = record.one_draw, [record.one_draw] * len(others)
        schedule, _ = _schedules(policy, budget, final, record)
    if not (schedule or by_label) or any(not len(path) for path in others):
        return nothing(policy, budget, problems)
    if schedule is not None and _only_one_draw(schedule, final, others):
        own = evaluate(schedule, record.arms)
        return Learned(policy, budget, schedule, own.success, own.spent, own.hidden, own_cost=float(own.spent.mean()))
    left_out = record.left_out(others, policy)
    sums, times = np.zeros((3, problems)), np.zeros(problems)
    for fold, place, (_, out) in zip(left_out, places(left_out, budget), record.splits, strict=True):
        parts = (fold.walked.survival, fold.walked.spent, fold.walked.hidden)
        sums[:, out] += [0.0 * out if part is None else between(part, place) for part in parts]
        times[out] += 1
    survival, spent, hidden = sums / times
    truly = None if record.hidden is None else hidden
    stated = Learned(policy, budget, schedule, 1.0 - survival, spent, truly, by_label)
    if schedule is not None:
        return not_above_its_own(stated, evaluate(schedule, record.arms))
    assert by_label is not None
    assert record.labels is not None
    return not_above_its_own(stated, evaluate_by_label(by_label, record.arms, record.labels))


def _only_one_draw(schedule: Schedule, final: Path, others: Sequence[Path]) -> bool:
    """Whether the schedule is a single draw from the arm that every fold uses first. If so, all learned the same."""
    return schedule.draws == 1 and all(path.arm[0] == final.arm[0] for path in others)


def not_above_its_own(stated: Learned, own: Evaluation) -> Learned:
    """The policy with the success to state: the success of the folds, but at most that of the final schedule.

    The final schedule is evaluated on all problems, on which it was learned. The folds can have a higher success, which
    the final schedule cannot reach, if their schedules draw from other arms.

    Args:
        stated: the policy as measured by the folds.
        own: success on all problems of the policy's schedule, or of the schedules of its labels or cases.
    """
    stated = replace(stated, own_cost=float(own.spent.mean()))
    if not own.success.mean() < stated.success.mean() - 1e-12:
        return stated
    return replace(stated, success=own.success, spent=own.spent, hidden=own.hidden)


def _schedules(
    policy: Policy, budget: float, path: Path, record: _Record
) -> tuple[Schedule | None, dict[str, Schedule] | None]:
    """The schedule that spends a budget on all problems, or the schedules by label."""
    if not len(path):
        return None, None
    last, share = met(record.mean_spent(path, policy), budget)
    names = [arm.name for arm in record.arms]
    if policy is Policy.BY_LABEL and record.labels is not None:
        return None, label_schedules(path, record.tables(), names, record.labels, last, share)
    return path_schedule(path, record.tables(policy), names, last, share, batched=policy is Policy.DOUBLING), None


def nothing(policy: Policy, budget: float, problems: int) -> Learned:
    """A policy for which the budget pays for no draw."""
    empty = np.full(problems, np.nan)
    return Learned(policy, budget, None, empty, empty)


def _doubling_grid(arm: Arm) -> Ints:
    """0, 1, 2, 4, ... samples, and all that every problem has."""
    most = int(arm.n.min())
    return np.unique([0, *(2**power for power in range(most.bit_length())), most]).astype(np.int64)


def _single(tables: Sequence[Table], budgets: Sequence[float]) -> list[Path]:
    """The best single arm for each budget."""
    paths = [
        Path(np.full(len(table.points) - 1, at), np.arange(1, len(table.points))) for at, table in enumerate(tables)
    ]
    curves = [(table.spent.mean(axis=1), 1.0 - table.survival.mean(axis=1)) for table in tables]
    chosen = []
    for budget in budgets:
        success = [
            float(np.interp(budget, *curve)) if affords_first(table, budget) else -1.0
            for table, curve in zip(tables, curves, strict=True)
        ]
        cheapest = [-float(np.interp(budget, curve[0], curve[0])) for curve in curves]
        best = max(range(len(tables)), key=lambda at: (success[at], cheapest[at]))
        chosen.append(paths[best] if success[best] >= 0 else _NO_PATH)
    return chosen


def _greedy(tables: Sequence[Table], budgets: Sequence[float]) -> list[Path]:
    """One order for all budgets that cover its first draw, and others for smaller budgets."""
    paths: dict[float, Path] = {}
    left = sorted(budgets, reverse=True)
    while left:
        path = greedy_path(tables, left[0])
        shared = [one for one in left if not len(path) or affords_first(tables[path.arm[0]], one)] or left
        paths |= dict.fromkeys(shared, path)
        left = [one for one in left if one not in paths]
    return [paths[budget] for budget in budgets]


_NO_PATH = Path(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
_OF_ONE_ARM = {Policy.FIRST_PASS, Policy.DOUBLING}
_LEARNERS: Mapping[Policy, _Learner] = {
    Policy.FIRST_PASS: _single,
    Policy.DOUBLING: _single,
    Policy.CASCADE: cascade_paths,
    Policy.GREEDY: _greedy,
    Policy.OPTIMAL: partial(optimal_paths, mixed=True),
    Policy.BY_LABEL: _greedy,
}
