"""A policy that chooses its next schedule by the share of the tests that the best sample so far passes.

The policy begins with m draws of one arm. If no draw passes, the problem is assigned to a case by the largest share of
tests that one of the draws passes. Each case has its own order of draws, under one shared budget. If F_b of the n
samples fail with a share in case b or below, then

    P(none of m passes, and the best lies in case b) = (C(F_b, m) - C(F_(b-1), m)) / C(n, m)

is exact. The next schedule draws from the n - m samples that are left, c of which pass. So a problem becomes one atom
for each case, with this probability as its weight. Cases are treated like labels (`policies.labels`), with a greedy
order of the arms in each case.

For learning, the weights are posterior means: the rate as in `arms`, and the cases given failure with a Dirichlet prior
of weight 2 around the mean of all problems. Two suites, and looking more than once, are not supported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from isobudget.errors import InputError
from isobudget.policies.arms import Arm, Floats, Ints, Table, arm_grid, fit_prior, recorded_table, shrunk_table
from isobudget.policies.evaluate import Evaluation, Path, Walk, evaluate, met, path_schedule, walk
from isobudget.policies.folds import LeftOut, between, folds, places
from isobudget.policies.labels import only_there
from isobudget.policies.learn import Learned, Policy, not_above_its_own, nothing
from isobudget.policies.make import greedy_path
from isobudget.policies.schedule import Schedule

#: cases by the largest share of tests that a failing sample passes, and the name of the schedule before them
CASES = ("none", "some", "most")
FIRST = "first"
#: numbers of draws with which a policy may begin, and the share of the budget that they may take
_OPENINGS, _PART = (4, 2, 1), 0.5
_WEIGHT = 2.0


def case_of(share: float) -> int:
    """The index in `CASES` of a share of tests in [0, 1): none, up to a half, more."""
    return 0 if not share > 0 else 1 if share <= 0.5 else 2


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Failing samples by case.

    Attributes:
        failing: numbers of failing samples, by arm; shape (problems, cases), rows sum to n - c. Arms whose shares were
            not recorded are missing.
    """

    failing: Mapping[str, Ints]

    def only(self, problems: Ints) -> Shares:
        """The counts of some of the problems, by index."""
        return Shares({name: counts[problems] for name, counts in self.failing.items()})


@dataclass(frozen=True, slots=True)
class Opening:
    """The draws before a policy looks at the tests passed: the index of the arm, and the number of draws."""

    arm: int
    draws: int


def learn_by_share(arms: Sequence[Arm], budgets: Sequence[float], shares: Shares, *, seed: int = 0) -> list[Learned]:
    """Learn the policy `by_share` at each budget, and measure it on problems that it was not learned on.

    This is done as in `learn.learn`. The schedules are in `Learned.by_label`: ``first``, and one for each case that
    gets a draw.

    Raises:
        InputError: no arm has the shares of its samples, or there is a hidden suite.
    """
    known = [place for place, arm in enumerate(arms) if arm.name in shares.failing and int(arm.n.min()) > 1]
    if not known:
        raise InputError("the policy by_share needs arms that record how many tests each sample passes")
    if any(arm.hidden is not None for arm in arms):
        raise InputError(
            "the policy by_share works with one suite of tests; plan without hidden tests, or without by_share"
        )
    splits = list(folds(len(arms[0].c), seed))
    return [_learned(arms, shares, budget, _opening(arms, known, budget), splits) for budget in budgets]


def _opening(arms: Sequence[Arm], known: Sequence[int], budget: float) -> Opening | None:
    """4, 2 or 1 draws of the cheapest arm with known shares, for at most half of the budget.

    A single draw may take the whole budget. The result is None if a single draw costs more than the budget.
    """
    place = min(known, key=lambda one: arms[one].first_draw)
    arm = arms[place]
    price, most = float(arm.price.mean()), int(arm.n.min()) - 1
    for draws in _OPENINGS:
        if draws <= most and (draws * price + arm.shared <= _PART * budget or draws == 1):
            return Opening(place, draws) if draws * price + arm.shared <= budget * (1 + 1e-9) else None
    return None


def _learned(
    arms: Sequence[Arm], shares: Shares, budget: float, opening: Opening | None, splits: Sequence[tuple[Ints, Ints]]
) -> Learned:
    problems = len(arms[0].c)
    if opening is None:
        return nothing(Policy.BY_SHARE, budget, problems)
    exact = recorded_atoms(arms, shares, opening)
    opened = exact[0].spent[1][:problems]
    if any(opened[train].mean() > budget * (1 + 1e-9) for train, _ in splits):
        return nothing(Policy.BY_SHARE, budget, problems)
    every = _order(arms, shares, opening, budget, np.arange(problems))
    left_out = []
    for train, out in splits:
        walked = folded(exact, _order(arms, shares, opening, budget, train))
        here = Walk(walked.survival[:, out], walked.spent[:, out])
        total = here.spent.sum(axis=1)
        left_out.append(LeftOut((walked.spent.sum(axis=1) - total) / len(train), total, here))
    sums, times = np.zeros((2, problems)), np.zeros(problems)
    for fold, place, (_, out) in zip(left_out, places(left_out, budget), splits, strict=True):
        sums[:, out] += [between(part, place) for part in (fold.walked.survival, fold.walked.spent)]
        times[out] += 1
    survival, spent = sums / times
    last, share = met(folded(exact, every).spent.mean(axis=1), budget)
    by_case = _schedules(arms, exact, every, opening, last, share)
    stated = Learned(Policy.BY_SHARE, budget, None, 1.0 - survival, spent, None, by_case)
    return not_above_its_own(stated, evaluate_by_case(by_case, arms, shares, opening)) if by_case else stated


def evaluate_by_case(
    schedules: Mapping[str, Schedule], arms: Sequence[Arm], shares: Shares, opening: Opening
) -> Evaluation:
    """The success and spending of the opening and the cases' schedules on each problem, exactly from the counts.

    Args:
        schedules: schedules by case; nothing is drawn in a case without one.
        arms: recorded samples.
        shares: failing samples of these arms, by case.
        opening: the draws before the policy looks.
    """
    own = arms[opening.arm]
    chances = case_chances(own.n, shares.failing[own.name], opening.draws)
    opened = recorded_table(own, np.array([0, opening.draws]))
    survival, spent = chances.sum(axis=1), opened.spent[1].copy()
    for place, case in enumerate(CASES):
        if case in schedules:
            after = evaluate(schedules[case], _left(arms, opening))
            survival -= chances[:, place] * after.success
            spent += chances[:, place] * after.spent
    return Evaluation(1.0 - survival, spent)


def recorded_atoms(arms: Sequence[Arm], shares: Shares, opening: Opening) -> list[Table]:
    """The opening, then the tables of every arm in each case, on (case, problem) atoms, exactly from the counts."""
    own = arms[opening.arm]
    chances = case_chances(own.n, shares.failing[own.name], opening.draws)
    spent = recorded_table(own, np.array([0, opening.draws])).spent[1]
    rest = [recorded_table(arm, arm_grid(arm)) for arm in _left(arms, opening)]
    return _atoms(chances, spent, rest, opening.draws)


def _left(arms: Sequence[Arm], opening: Opening) -> list[Arm]:
    """The arms with the samples that remain after an opening in which every sample failed."""
    own = arms[opening.arm]
    left = np.maximum(own.n - opening.draws, 1)
    after = replace(own, n=left, c=np.minimum(own.c, left), shared=0.0)
    return [after if place == opening.arm else arm for place, arm in enumerate(arms)]


def case_chances(n: Ints, failing: Ints, draws: int) -> Floats:
    """The chance that no draw passes and that the best draw falls in each case; shape (problems, cases).

    Args:
        n: number of samples of each problem.
        failing: numbers of failing samples by case, shape (problems, cases).
        draws: number of draws.
    """
    below = np.cumsum(failing, axis=1)
    every = [
        [_choose(int(f), draws) / _choose(int(total), draws) for f in row] for row, total in zip(below, n, strict=True)
    ]
    return np.diff(np.array(every), axis=1, prepend=0.0)


def _choose(n: int, k: int) -> float:
    return float(math.comb(n, k))


def _shrunk_atoms(arms: Sequence[Arm], shares: Shares, opening: Opening, grids: Sequence[Ints]) -> list[Table]:
    """Like `recorded_atoms`, under posterior rates and cases."""
    own = arms[opening.arm]
    prior, failing = fit_prior(own), shares.failing[own.name]
    first = shrunk_table(own, np.array([0, opening.draws]), prior)
    cumulative = np.cumsum(failing, axis=1)
    mean = np.cumsum(failing.sum(axis=0) + 1e-9) / (failing.sum() + len(CASES) * 1e-9)
    j = np.arange(opening.draws)[:, np.newaxis, np.newaxis]
    below = np.prod((_WEIGHT * mean + cumulative + j) / (_WEIGHT + cumulative[:, -1:] + j), axis=0)
    chances = first.survival[1][:, np.newaxis] * np.diff(below, axis=1, prepend=0.0)
    rest = []
    for place, (arm, grid) in enumerate(zip(arms, grids, strict=True)):
        after = replace(arm, n=arm.n + opening.draws, shared=0.0) if place == opening.arm else arm
        rest.append(shrunk_table(after, grid, prior if place == opening.arm else fit_prior(arm)))
    return _atoms(chances, first.spent[1], rest, opening.draws)


def _atoms(chances: Floats, spent: Floats, rest: Sequence[Table], draws: int) -> list[Table]:
    """The tables on atoms, case by case.

    The table of the opening comes first: it has the weights of the atoms, and its cost is counted in the first case.
    """
    problems, cases = chances.shape
    weights = chances.T.ravel()
    paid = np.concatenate([spent, np.zeros((cases - 1) * problems)])
    opening = Table(
        np.array([0, draws]), np.stack([np.ones_like(weights), weights]), np.stack([np.zeros_like(paid), paid])
    )
    tables = [opening]
    for case in range(cases):
        here = np.zeros((cases, problems), dtype=bool)
        here[case] = True
        tables += [only_there(table.points, table.survival, table.spent, here.ravel()) for table in rest]
    return tables


def _order(arms: Sequence[Arm], shares: Shares, opening: Opening, budget: float, train: Ints) -> Path:
    """The greedy order after the opening, learned on some problems; steps are rows of the recorded tables."""
    exact_grids = [
        arm_grid(replace(arm, n=arm.n - opening.draws) if place == opening.arm else arm)
        for place, arm in enumerate(arms)
    ]
    tables = _shrunk_atoms([arm.only(train) for arm in arms], shares.only(train), opening, exact_grids)
    return greedy_path(tables, budget / len(CASES), first=0)


def folded(tables: Sequence[Table], path: Path) -> Walk:
    """The walk on atoms as a walk on problems, by summing over the cases of each problem."""
    walked = walk(tables, path)
    shape = (len(walked.survival), len(CASES), -1)
    survival, spent = walked.survival.reshape(shape).sum(axis=1), walked.spent.reshape(shape).sum(axis=1)
    survival[0] = 1.0
    return Walk(survival, spent)


def _schedules(
    arms: Sequence[Arm], tables: Sequence[Table], path: Path, opening: Opening, last: int, share: float
) -> dict[str, Schedule]:
    """The schedules of the opening and of each case that gets a draw."""
    schedules = {FIRST: Schedule(((arms[opening.arm].name, opening.draws),))}
    if not last:
        return schedules if share > 0 else {}
    names = [arm.name for arm in arms]
    for case, name in enumerate(CASES):
        own = (path.arm > 0) & ((path.arm - 1) // len(arms) == case)
        mine = Path((path.arm[own] - 1) % len(arms), path.to[own])
        here = share if share > 0 and last < len(path) and own[last] else 0.0
        start = 1 + case * len(arms)
        schedule = path_schedule(
            mine, tables[start : start + len(arms)], names, int(own[:last].sum()), here, for_some=True
        )
        if schedule is not None:
            schedules[name] = schedule
    return schedules
