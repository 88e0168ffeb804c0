"""Compares the success of policies at each budget, with paired intervals, and recommends one.

Intervals are over problems (`statistics.intervals`); those of the gain over the best single model with fixed k are
paired. The simplest policy that is within noise of the best is recommended: a more complex one whose advantage is not
clear may just as well be worse on other problems. Fixed k is only recommended if no policy that stops does as well:
with the same arm and budget, a policy that stops draws at least as many samples.

With a hidden suite, the worth of a policy is (hidden success - cost x share of false passes), where the cost is that of
a false pass in right answers. The share of false passes grows with every further draw, so that more samples may hurt
beyond some k.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.policies.arms import LONG, Arm, Floats, count_grid, recorded_table
from isobudget.policies.evaluate import Path, Spending, spending, spending_by_label, walk
from isobudget.policies.labels import Labels
from isobudget.policies.learn import Learned, Policy
from isobudget.policies.schedule import Schedule
from isobudget.statistics.intervals import Weights, bootstrap_curve, bootstrap_difference


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One policy at one budget; success in [0, 1], NaN where the budget does not pay for one sample.

    Attributes:
        budget: expected spending per problem.
        unit: unit of the budget and of all costs.
        policy: its name, such as `greedy`.
        problems: number of problems on which it was learned and measured.
        success: success on problems that the policy was not learned on.
        low, high: interval of `success` over problems.
        gain: gain over the best single model with fixed k at the same budget; 0 where both draw the same.
        gain_low, gain_high: paired interval of `gain`.
        expected_cost: mean cost of a problem.
        p95_cost: cost that 95 % of the problems do not exceed.
        draws: pairs (arm, count), in order; empty with `by_label`.
        suite: the tests that choose and stop.
        hidden_success: chance to end with a sample that passes the hidden suite, too; None without a hidden suite.
        false_pass: share of all problems that end with a sample that passes the visible tests but not the hidden ones.
        last_share: share of the problems for which the last of `draws` is made.
        median_cost: cost that half of the problems do not exceed.
        unsolved_share: the part of the spending that goes to attempts without a pass.
        schedule: the schedule to run; None where nothing is drawn, or with `by_label`.
        by_label: for the policy `by_label`, the schedule to run for the problems of each label, in place of `schedule`.
            For the policy `by_share`, the schedule to run first, and the schedule for each case. `p95_cost`,
            `median_cost` and `unsolved_share` of `by_share` are not known.
        ahead: for a recommended row, the row of a policy that passes far more at the same budget (see
            `policies.recommended`); None if there is no such policy.
    """

    budget: float
    unit: str
    policy: str
    problems: int
    success: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    expected_cost: float
    p95_cost: float
    draws: tuple[tuple[str, int], ...]
    suite: str
    hidden_success: float | None
    false_pass: float | None
    last_share: float
    median_cost: float
    unsolved_share: float
    schedule: Schedule | None
    by_label: Mapping[str, Schedule] | None = None
    ahead: PlanRow | None = None


#: share of the budget by which a recommended policy may exceed it on problems that it was not learned on
SLACK = 0.05


def plan_rows(
    learned: Mapping[Policy, Sequence[Learned]],
    base: Sequence[Learned],
    arms: Sequence[Arm],
    weights: Weights,
    *,
    level: float,
    unit: str,
    suite: str,
    labels: Labels | None = None,
) -> list[list[PlanRow]]:
    """The rows of each budget, policies in the order given.

    Args:
        learned: by policy, one entry per budget.
        base: the best single arm with fixed k, one per budget.
        arms: recorded samples.
        weights: weights of the bootstrap over problems.
        level: confidence level of the intervals.
        unit, suite: stated in the rows.
        labels: labels of the problems, for `by_label`.
    """
    ones = [one for row in zip(*learned.values(), strict=True) for one in row]
    against = [own for own in base for _ in learned]
    intervals = zip(*_interval(ones, weights, level), *_gain(ones, against, weights, level), strict=True)
    rows = [
        _row(one, other, tuple(map(float, within)), _spent(one, arms, labels), unit, suite)
        for one, other, within in zip(ones, against, intervals, strict=True)
    ]
    return [rows[start : start + len(learned)] for start in range(0, len(rows), len(learned))]


def _row(
    learned: Learned, fixed_k: Learned, intervals: Sequence[float], spent: Spending | None, unit: str, suite: str
) -> PlanRow:
    """The row of a policy, compared with the best fixed k at its budget; `intervals` of its success and of its gain."""
    hidden = None if learned.hidden is None else float(learned.hidden.mean())
    success, cost = float(learned.success.mean()), float(learned.spent.mean())
    low, high, gain_low, gain_high = intervals
    return PlanRow(
        budget=learned.budget,
        unit=unit,
        policy=str(learned.policy),
        problems=len(learned.success),
        success=success,
        low=low,
        high=high,
        gain=0.0 if _same(learned, fixed_k) else success - float(fixed_k.success.mean()),
        gain_low=gain_low,
        gain_high=gain_high,
        expected_cost=cost if spent is None else min(cost, spent.most),
        p95_cost=math.nan if spent is None else spent.p95,
        draws=() if learned.schedule is None else learned.schedule.steps,
        suite=suite,
        hidden_success=hidden,
        false_pass=None if hidden is None else max(success - hidden, 0.0),
        last_share=1.0 if learned.schedule is None else learned.schedule.last_share,
        median_cost=math.nan if spent is None else spent.median,
        unsolved_share=math.nan if spent is None else spent.unsolved_share,
        schedule=learned.schedule,
        by_label=learned.by_label,
    )


def _spent(learned: Learned, arms: Sequence[Arm], labels: Labels | None) -> Spending | None:
    if learned.policy is Policy.BY_LABEL and learned.by_label and labels is not None:
        return spending_by_label(learned.by_label, arms, [labels.names[place] for place in labels.of])
    return None if learned.schedule is None else spending(learned.schedule, arms)


def recommend(
    learned: Mapping[Policy, Sequence[Learned]],
    weights: Weights,
    *,
    level: float,
    false_pass_cost: float = 0.0,
    target: float = 0.0,
) -> list[Policy | None]:
    """For each budget, the simplest policy within noise of the best; None where nothing can be drawn.

    A policy is left out if it exceeds the budget on problems that it was not learned on, or if another policy spends
    less and is worth at least as much. If fixed k did better than the simplest policy that remains, the simplest policy
    that did as well as fixed k is recommended instead, or fixed k itself if no policy did.

    Args:
        learned: by policy, one entry per budget.
        weights, level: bootstrap weights and confidence level of the paired intervals.
        false_pass_cost: cost of a false pass, in right answers; only used with a hidden suite.
        target: the requested success: if some policies reach it, the others are left out.
    """
    candidates = [policy for policy in Policy if policy in learned]
    worths, fixed = [], []
    for rows in zip(*(learned[policy] for policy in candidates), strict=True):
        with_draws = [one for one in rows if one.draws]
        fixed.append(next((_worth(one, false_pass_cost) for one in with_draws if one.policy is Policy.FIXED_K), None))
        reaching = [one for one in with_draws if float(one.success.mean()) >= target] or with_draws
        stopping = [one for one in reaching if one.policy is not Policy.FIXED_K and affords(one)]
        worths.append(
            {one.policy: _worth(one, false_pass_cost) for one in _kept(stopping or reaching, false_pass_cost)}
        )
    ahead = iter(_ahead(worths, weights, level))
    chosen = [_simplest(worth, ahead) for worth in worths]
    return [_not_below(*one) for one in zip(chosen, worths, fixed, strict=True)]


def affords(learned: Learned) -> bool:
    """Whether a policy stays within the budget, plus the slack, on problems that it was not learned on."""
    return float(learned.spent.mean()) <= learned.budget * (1 + SLACK)


def _kept(ones: Sequence[Learned], false_pass_cost: float) -> list[Learned]:
    """The policies except those for which another policy spends less, beyond the slack, and is worth no less."""
    facts = [(float(_worth(one, false_pass_cost).mean()), float(one.spent.mean())) for one in ones]
    return [
        one
        for one, (worth, spent) in zip(ones, facts, strict=True)
        if not any(other >= worth and less < spent * (1 - SLACK) for other, less in facts)
    ]


def _not_below(policy: Policy | None, worth: Mapping[Policy, Floats], fixed: Floats | None) -> Policy | None:
    """The policy; if fixed k did better on the same problems, the simplest policy that did as well as fixed k.

    This is fixed k itself only if no policy that stops did as well.
    """
    if policy is None or fixed is None:
        return policy
    least = float(fixed.mean()) - 1e-12
    as_good = (one for one in (policy, *worth) if float(worth[one].mean()) >= least)
    return next(as_good, Policy.FIXED_K)


def most_useful_k(arm: Arm, false_pass_cost: float) -> int | None:
    """The k beyond which more samples hurt: the smallest with the highest (hidden success - cost x false passes).

    Args:
        arm: an arm with a hidden suite.
        false_pass_cost: cost of a false pass, as a number of right answers.

    Returns:
        The k, accurate to 3 % above 4,096 samples; 0 if even the first sample costs more than it is worth. None if all
        recorded samples help, or without a hidden suite.
    """
    if arm.hidden is None:
        return None
    most = int(arm.n.min())
    table = recorded_table(arm, np.arange(most + 1) if most <= LONG else count_grid(most))
    rows = len(table.points) - 1
    walked = walk([table], Path(np.zeros(rows, dtype=np.int64), np.arange(1, rows + 1)), [arm.hidden])
    assert walked.hidden is not None
    right = walked.hidden.mean(axis=1)
    worth = right - false_pass_cost * (1.0 - walked.survival.mean(axis=1) - right)
    best = worth > worth.max() - 1e-12
    return None if best[-1] else int(table.points[np.argmax(best)])


def _worth(learned: Learned, false_pass_cost: float) -> Floats:
    """The worth of a policy on each problem, at most 1."""
    if learned.hidden is None:
        return learned.success
    return np.asarray((learned.hidden - false_pass_cost * (learned.success - learned.hidden)) / (1 + false_pass_cost))


def _ahead(worths: Sequence[Mapping[Policy, Floats]], weights: Weights, level: float) -> list[bool]:
    """Whether the best policy at a budget is clearly better than a policy: one list, budget by budget."""
    pairs = [(worth[_best(worth)], values) for worth in worths for values in worth.values()]
    if not pairs:
        return []
    best, others = (np.stack(side, axis=1) for side in zip(*pairs, strict=True))
    low, _ = bootstrap_difference(best, others, weights, level)
    return [bool(one > 0) for one in low]


def _simplest(worth: Mapping[Policy, Floats], ahead: Iterator[bool]) -> Policy | None:
    """The first policy that is not clearly worse than the best."""
    return next((policy for policy, behind in [(one, next(ahead)) for one in worth] if not behind), None)


def _best(worth: Mapping[Policy, Floats]) -> Policy:
    return max(worth, key=lambda policy: float(worth[policy].mean()))


def _interval(ones: Sequence[Learned], weights: Weights, level: float) -> tuple[Floats, Floats]:
    low, high = np.full((2, len(ones)), np.nan)
    known = [at for at, one in enumerate(ones) if one.draws]
    if known:
        low[known], high[known] = bootstrap_curve(_columns([ones[at].success for at in known]), weights, level)
    return low, high


def _gain(ones: Sequence[Learned], against: Sequence[Learned], weights: Weights, level: float) -> tuple[Floats, Floats]:
    low, high = np.full((2, len(ones)), np.nan)
    pairs = list(zip(ones, against, strict=True))
    known = [at for at, (one, other) in enumerate(pairs) if one.draws and other.draws]
    if known:
        own, others = (_columns([pairs[at][side].success for at in known]) for side in (0, 1))
        low[known], high[known] = bootstrap_difference(own, others, weights, level)
    same = [at for at, (one, other) in enumerate(pairs) if _same(one, other)]
    low[same] = high[same] = 0.0
    return low, high


def _same(one: Learned, other: Learned) -> bool:
    """Whether two policies draw equally often from each arm for every problem, so that they pass the same problems.

    Success depends on the numbers of draws alone, not on their order or on whether a policy stops at a pass.
    """
    own, others = one.schedule, other.schedule
    if own is None or others is None or own.last_share < 1 or others.last_share < 1:
        return False
    return own.counts() == others.counts() and bool(np.allclose(one.success, other.success, rtol=0.0, atol=1e-9))


def _columns(values: Sequence[Floats]) -> Floats:
    return np.clip(np.stack(values, axis=1), 0.0, 1.0)
