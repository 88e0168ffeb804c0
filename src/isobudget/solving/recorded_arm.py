"""One arm as it was recorded, on its own problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isobudget.analysis.left_out import LeftOut
from isobudget.costs.cost import SampleCost
from isobudget.grid import counted
from isobudget.policies.arms import Arm, Floats
from isobudget.solving.suites import Verdicts


@dataclass(frozen=True, slots=True, eq=False)
class RecordedArm:
    """One arm on its own problems.

    `verdicts` are the verdicts on each problem's samples, in order; None for a problem with counts alone. `hidden` are
    the verdicts of hidden tests, if the source has them. `one_suite` is the number of problems that were left out
    because they have only one suite of tests, while other problems have a visible and a hidden one.

    `repairs` is how often a failing sample is repaired. `pool` names the recorded samples that the arm draws, and is
    empty if no other arm draws them. Arms of the same pool cannot be mixed. `left_out` is what of a run is not used.

    `if_passed` and `if_failed` are the mean prices of a problem's passing and failing samples. A price is NaN if the
    problem has no such sample. Both fields are None if all samples cost the same.
    """

    name: str
    task_ids: tuple[str, ...]
    n: NDArray[np.int64]
    c: NDArray[np.int64]
    verdicts: Verdicts
    price: SampleCost
    if_passed: Floats | None = None
    if_failed: Floats | None = None
    hidden: Verdicts | None = None
    one_suite: int = 0
    repairs: int = 0
    pool: str = ""
    left_out: LeftOut = field(default_factory=LeftOut)

    def on(self, tasks: Sequence[str], hidden: Sequence[float] | None = None) -> Arm:
        """The arm on some of its problems.

        `hidden` is the share of each problem's passing samples that also pass the hidden tests.
        """
        place = {task: at for at, task in enumerate(self.task_ids)}
        rows = np.array([place[task] for task in tasks])
        prices: list[float | Floats] = [
            self.price.per_sample if own is None else own[rows] for own in (self.if_passed, self.if_failed)
        ]
        return Arm.of(self.name, self.n[rows], self.c[rows], *prices, shared=self.price.per_problem, hidden=hidden)


def amounts_by_verdict(verdicts: Verdicts, amounts: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Mean amounts of the passing and of the failing samples of each problem, NaN where there are none."""
    means = []
    for kind in (True, False):
        own = [all_of_it[np.array(passed) == kind] for passed, all_of_it in zip(verdicts, amounts, strict=True)]
        means.append(np.array([one.mean() if len(one) else np.nan for one in own]))
    return means[0], means[1]


def suite_note(left_out: int) -> str:
    """A note on the problems that are left out because they do not distinguish visible tests."""
    return f"{counted(left_out, 'problem')} left out: no visible tests are stated for them, unlike for other problems."


def short_notes(arms: Sequence[RecordedArm], common: Sequence[str]) -> list[str]:
    """A note for every arm that is limited by a problem with fewer samples, or that has one sample per problem."""
    notes = []
    for arm in arms:
        place = {task: at for at, task in enumerate(arm.task_ids)}
        n = arm.n[[place[task] for task in common]]
        if n.min() < n.max():
            few = common[int(np.argmin(n))]
            notes.append(
                f"{arm.name}: at most {counted(int(n.min()), 'draw')}, as {few} has no more samples (others up to "
                f"{n.max():,})."
            )
        elif n.max() == 1:
            notes.append(f"{arm.name}: one sample of each problem was recorded, so policies draw from it at most once.")
    return notes
