"""Computes the success and spending of a schedule, exactly from recorded counts.

After k_a draws of each arm a, the chance that none of them has passed is

    S = product over arms of C(n-c, k_a) / C(n, k_a)

This estimate is unbiased, because each arm occurs once, with all its draws. Success is 1 - mean S at the end. The
expected cost of a step of arm a from k to k' draws is the product of the other arms' factors of S, times the spending
of arm a alone from k to k' (`arms.Table.spent`), in which passing and failing samples have separate prices. If the
samples of a step start together, all of them are paid for. If nothing stops a schedule, every draw costs its arm's
mean price.

With a hidden suite, the sample that stops the schedule passes the hidden suite, too, with a certain probability: the
share of the arm's passing samples that pass the hidden suite. Beyond the recorded samples everything is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.errors import InputError
from isobudget.policies.arms import (
    Arm,
    Floats,
    Ints,
    Table,
    check_same_problems,
    count_grid,
    recorded_survival,
    recorded_table,
)
from isobudget.policies.schedule import ForSome, Schedule, Stop

#: most problems x draws for which the distribution of spending is computed draw by draw
_MOST_PLACES = 250_000


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """An order of draws on tables: step t draws from the arm at place `arm[t]` up to row `to[t]` of its table."""

    arm: Ints
    to: Ints

    def __len__(self) -> int:
        return len(self.arm)

    def rows(self, arms: int) -> Ints:
        """The row of each arm's table before the first step and after each, shape (steps + 1, arms)."""
        rows = np.zeros((len(self.arm) + 1, arms), dtype=np.int64)
        rows[np.arange(1, len(rows)), self.arm] = self.to
        return np.asarray(np.maximum.accumulate(rows, axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Failure and cost of every prefix of a path that stops at the first pass; shapes (steps + 1, problems).

    Attributes:
        survival: chance that nothing has passed.
        spent: expected cost.
        hidden: chance that a sample has passed and passes the hidden suite, too; None without a hidden suite.
    """

    survival: Floats
    spent: Floats
    hidden: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Success and cost of a schedule on recorded problems; each array has one entry per problem.

    Attributes:
        success: chance to pass, in [0, 1].
        spent: expected cost.
        hidden: chance to pass the visible suite with a sample that passes the hidden one, too; None without a hidden
            suite.
    """

    success: Floats
    spent: Floats
    hidden: Floats | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """How spending varies from problem to problem and from one order of the samples to another.

    Attributes:
        median: amount that half of the problems do not exceed.
        p95: amount that 95 % of the problems do not exceed.
        most: amount that no problem exceeds.
        unsolved_share: share of all spending that goes to attempts without a pass; NaN if nothing is spent.
    """

    median: float
    p95: float
    most: float
    unsolved_share: float


def walk(tables: Sequence[Table], path: Path, hidden: Sequence[Floats] | None = None) -> Walk:
    """Follow a path on tables.

    Args:
        tables: one table per arm, on the same problems.
        path: the order of the draws.
        hidden: `Arm.hidden` of each arm.
    """
    rows = path.rows(len(tables))
    used = np.unique(path.arm)
    if len(used) == 1 and hidden is None:
        alone = rows[:, used[0]]
        return Walk(tables[used[0]].survival[alone], tables[used[0]].spent[alone])
    by_arm = {int(at): tables[at].survival[rows[:, at]] for at in used}
    survival = np.ones((len(rows), tables[0].survival.shape[1]))
    spent = np.zeros_like(survival)
    for at, own in by_arm.items():
        survival *= own
        steps = np.flatnonzero(path.arm == at)
        cost = tables[at].spent[rows[steps + 1, at]] - tables[at].spent[rows[steps, at]]
        for other, of_other in by_arm.items():
            if other != at:
                cost *= of_other[steps]
        spent[steps + 1] = cost
    truly = None
    if hidden is not None:
        shares = np.nan_to_num(np.stack(hidden))
        truly = np.concatenate([np.zeros_like(survival[:1]), -np.diff(survival, axis=0) * shares[path.arm]])
        truly = np.cumsum(truly, axis=0)
    return Walk(survival, np.cumsum(spent, axis=0, out=spent), truly)


def evaluate(schedule: Schedule, arms: Sequence[Arm]) -> Evaluation:
    """Success and expected cost of a schedule on each problem.

    Args:
        schedule: the schedule; for a mixture, the mean of its two schedules by their shares.
        arms: recorded samples of at least the schedule's arms, on the same problems.

    Returns:
        An `Evaluation`, NaN for problems with fewer samples than the schedule may draw.

    Raises:
        InputError: the schedule has an arm that is not among `arms`.
    """
    if schedule.last_share < 1:
        longer = evaluate(schedule.chosen(0.0), arms)
        shorter = _nothing(longer) if len(schedule.steps) == 1 else evaluate(schedule.shorter(), arms)
        return _mixture(longer, shorter, schedule.last_share)
    check_same_problems(arms)
    own, points, path = _points(schedule, arms)
    pairs = zip(own, points, strict=True)
    tables = [recorded_table(arm, counts, batched=schedule.batched) for arm, counts in pairs]
    hidden = [arm.hidden for arm in own if arm.hidden is not None]
    walked = walk(tables, path, hidden if len(hidden) == len(own) else None)
    spent = walked.spent[-1]
    if schedule.stop is Stop.NEVER:
        counts = schedule.counts()
        spent = np.sum([counts[arm.name] * arm.price + arm.shared for arm in own], axis=0)
        spent = np.where(np.isnan(walked.survival[-1]), np.nan, spent)
    return Evaluation(1.0 - walked.survival[-1], spent, None if walked.hidden is None else walked.hidden[-1])


def spending(schedule: Schedule, arms: Sequence[Arm]) -> Spending:
    """The distribution of the cost of one problem, over problems and over orders of their samples.

    The schedule may stop after each draw. With more than 250,000 problems x draws, stops are only computed after each
    of the first 64 draws of an arm, and then in steps of 3 %. Every sample costs the mean of the passing, or of the
    failing, samples of its problem.
    """
    return _spending(_parts(schedule, arms))


def spending_by_label(schedules: Mapping[str, Schedule], arms: Sequence[Arm], names: Sequence[str]) -> Spending:
    """Like `spending`, where each problem has the schedule of its label; problems of labels without one cost nothing.

    Args:
        schedules: schedules by label.
        arms: recorded samples.
        names: the label of each problem.
    """
    parts, places = [], np.array(names)
    for label in dict.fromkeys(names):
        own = places == label
        if label in schedules:
            here = _parts(schedules[label], [arm.only(own) for arm in arms])
            parts += [(part, share * float(own.mean())) for part, share in here]
        else:
            parts.append((_FREE, float(own.mean())))
    return _spending(parts)


#: amounts that a problem may cost, their probabilities, mean cost of attempts without a pass; and the share of problems
_Part = tuple[tuple[Floats, Floats, float], float]
#: the same for problems for which nothing is drawn
_FREE: tuple[Floats, Floats, float] = (np.zeros(1), np.ones(1), 0.0)


def _parts(schedule: Schedule, arms: Sequence[Arm]) -> list[_Part]:
    """One schedule, or the two of a mixture, with their shares of the problems."""
    if schedule.last_share == 1:
        return [(_atoms(schedule, arms), 1.0)]
    longer = _atoms(schedule.chosen(0.0), arms)
    shorter = _FREE if len(schedule.steps) == 1 else _atoms(schedule.shorter(), arms)
    return [(longer, schedule.last_share), (shorter, 1 - schedule.last_share)]


def _spending(parts: Sequence[_Part]) -> Spending:
    amounts = np.concatenate([part[0] for part, _ in parts])
    chances = np.concatenate([part[1] * share for part, share in parts])
    unsolved = sum(float(part[2]) * share for part, share in parts)
    order = np.argsort(amounts, kind="stable")
    below = np.cumsum(chances[order])
    median, p95 = (
        float(amounts[order][np.searchsorted(below, q * below[-1] * (1 - 1e-12))]) if below[-1] > 0 else np.nan
        for q in (0.5, 0.95)
    )
    total = float(amounts @ chances)
    most = float(amounts[chances > 0].max(initial=0.0))
    return Spending(median, p95, most, unsolved / total if total else float("nan"))


def _points(schedule: Schedule, arms: Sequence[Arm]) -> tuple[list[Arm], list[Ints], Path]:
    """The schedule's arms as recorded, the numbers of draws of each after its steps, and the path on these rows."""
    by_name = {arm.name: arm for arm in arms}
    for name in schedule.arms:
        if name not in by_name:
            raise InputError(f"the schedule draws from {name!r}, but there are only samples of {', '.join(by_name)}")
    reached: dict[str, list[int]] = {name: [0] for name in schedule.arms}
    place = {name: at for at, name in enumerate(reached)}
    steps = []
    for name, count in schedule.steps:
        reached[name].append(reached[name][-1] + count)
        steps.append((place[name], len(reached[name]) - 1))
    arm, to = np.array(steps).T
    return [by_name[name] for name in reached], [np.array(counts) for counts in reached.values()], Path(arm, to)


def _nothing(other: Evaluation) -> Evaluation:
    """Success and spending without any draw, on this many problems."""
    empty = np.zeros_like(other.success)
    return Evaluation(empty, empty, None if other.hidden is None else empty)


def _mixture(longer: Evaluation, shorter: Evaluation, share: float) -> Evaluation:
    hidden = None
    if longer.hidden is not None and shorter.hidden is not None:
        hidden = share * longer.hidden + (1 - share) * shorter.hidden
    return Evaluation(
        share * longer.success + (1 - share) * shorter.success,
        share * longer.spent + (1 - share) * shorter.spent,
        hidden,
    )


def _atoms(schedule: Schedule, arms: Sequence[Arm]) -> tuple[Floats, Floats, float]:
    """Amounts that a problem may cost, their probabilities, and the mean cost of attempts without a pass."""
    if schedule.stop is Stop.NEVER:
        whole = evaluate(schedule, arms)
        chances = np.full(len(whole.spent), 1 / len(whole.spent))
        return whole.spent, chances, float(np.mean(whole.spent * (1 - whole.success)))
    fine = schedule if schedule.batched else _finer(schedule, len(arms[0].c))
    own, points, path = _points(fine, arms)
    counts = np.stack([reached[rows] for reached, rows in zip(points, path.rows(len(own)).T, strict=True)], axis=1)
    survival = recorded_survival(own[0], counts[:, 0])
    for at, arm in enumerate(own[1:], start=1):
        survival *= recorded_survival(arm, counts[:, at])
    passed, failed = (np.stack([getattr(arm, name) for arm in own]) for name in ("if_passed", "if_failed"))
    alike = bool(np.all(passed == passed[:, :1]) and np.all(failed == failed[:, :1]))
    if alike:
        survival, passed, failed = survival.mean(axis=1, keepdims=True), passed[:, :1], failed[:, :1]
    shared = (counts > 0) @ np.array([arm.shared for arm in own])
    all_failed = counts @ failed + shared[:, np.newaxis]
    last_passed = all_failed[1:] + (passed - failed)[path.arm]
    amounts = np.concatenate([last_passed.ravel(), all_failed[-1]])
    chances = np.concatenate([-np.diff(survival, axis=0).ravel(), survival[-1]]) / survival.shape[1]
    return amounts, chances, float(np.mean(survival[-1] * all_failed[-1]))


def _finer(schedule: Schedule, problems: int) -> Schedule:
    """The schedule draw by draw; where that is too fine, with the steps of the arms' grid."""
    most = schedule.draws
    grid = np.arange(most) if most * problems <= _MOST_PLACES else count_grid(most)
    steps = []
    reached = dict.fromkeys(schedule.arms, 0)
    for arm, count in schedule.steps:
        start, end = reached[arm], reached[arm] + count
        inner = grid[(grid > start) & (grid < end)]
        steps += [(arm, int(step)) for step in np.diff([start, *inner, end])]
        reached[arm] = end
    return Schedule(tuple(steps))


def met(mean_spent: Floats, budget: float) -> tuple[int, float]:
    """The last whole step that a budget covers on average, and the share of problems for which it covers the next step.

    Args:
        mean_spent: mean cost of each prefix, shape (steps + 1,), not falling.
        budget: mean cost per problem to cover.
    """
    last = int(np.searchsorted(mean_spent, budget * (1 + 1e-9), side="right")) - 1
    if last >= len(mean_spent) - 1:
        return len(mean_spent) - 1, 0.0
    step = mean_spent[last + 1] - mean_spent[last]
    return last, float(np.clip((budget - mean_spent[last]) / step, 0.0, 1.0)) if step > 0 else 0.0


def path_schedule(
    path: Path,
    tables: Sequence[Table],
    names: Sequence[str],
    last: int,
    share: float,
    *,
    batched: bool = False,
    for_some: bool = False,
) -> Schedule | None:
    """The prefix of a path as a schedule; None where nothing is drawn.

    The prefix has `last` whole steps, and the next step for a `share` of the problems. If that step would be the first
    one, it is left out; with `for_some` it becomes a `ForSome` instead.
    """
    rows = path.rows(len(tables))
    steps = []
    for step in range(min(last + (share > 0), len(path))):
        at = int(path.arm[step])
        before, after = tables[at].points[rows[[step, step + 1], at]]
        steps.append((names[at], int(after - before)))
    if share > 0 and len(steps) == 1 and for_some:
        return ForSome(tuple(steps), last_share=share)
    if share > 0 and len(steps) < 2:
        steps, share = steps[:last], 0.0
    return Schedule(tuple(steps), batched=batched, last_share=share or 1.0).merged() if steps else None


def mean_walk(walked: Walk) -> tuple[Floats, Floats]:
    """Mean cost and mean success of every prefix, each of shape (steps + 1,)."""
    return walked.spent.mean(axis=1), 1.0 - walked.survival.mean(axis=1)
