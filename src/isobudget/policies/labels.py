"""One order of draws for each label of the problems, such as a difficulty, under one shared budget.

A policy may see a problem's label before the first draw and choose a schedule by it. An arm restricted to the problems
of one label is treated as a separate arm, which draws nothing and costs nothing on all other problems. The greedy order
of these arms

    index = E[S p, label] / E[S cost, label]

spends each part of the budget where it gains most, within a label and between labels. The rates of a problem are shrunk
towards those of the other problems of its label. The policy looks at labels only. It ignores how many tests the failed
samples pass (`policies.shares` does not).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError
from isobudget.policies.arms import Arm, Floats, Ints, Table, fit_prior, shrunk_table
from isobudget.policies.evaluate import Evaluation, Path, evaluate, path_schedule
from isobudget.policies.schedule import Schedule

#: fewest problems of a label that is planned by itself, and the name for all other labels together
LEAST, OTHERS = 10, "others"


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of problems.

    Attributes:
        names: each label once.
        of: the place of each problem's label in `names`, shape (problems,).
    """

    names: tuple[str, ...]
    of: Ints

    @classmethod
    def of_problems(cls, labels: Sequence[str]) -> Labels:
        """Group problems by their labels. Labels of fewer than 10 problems, and missing ones, are merged into `others`.

        Raises:
            InputError: fewer than two labels are left.
        """
        many = Counter(labels)
        kept = [label if label and many[label] >= LEAST else OTHERS for label in labels]
        names = tuple(dict.fromkeys(kept))
        if len(names) < 2:
            raise InputError(
                f"the policy by_label needs a label with {LEAST} problems or more, and problems with other labels; "
                "give problems a `difficulty`"
            )
        return cls(names, np.array([names.index(label) for label in kept], dtype=np.int64))

    def only(self, problems: Ints) -> Labels:
        """The labels of some of the problems, by index."""
        return Labels(self.names, self.of[problems])


def recorded_by_label(tables: Sequence[Table], labels: Labels) -> list[Table]:
    """The tables of every arm on the problems of each label, arms of the first label first."""
    made = []
    for label in range(len(labels.names)):
        own = labels.of == label
        made += [only_there(table.points, table.survival[:, own], table.spent[:, own], own) for table in tables]
    return made


def shrunk_by_label(arms: Sequence[Arm], points: Sequence[Ints], labels: Labels) -> list[Table]:
    """Like `recorded_by_label`, under posterior rates; each label has a prior of its own."""
    made = []
    for label in range(len(labels.names)):
        own = labels.of == label
        for arm, reached in zip(arms, points, strict=True):
            if own.any():
                there = arm.only(own)
                table = shrunk_table(there, reached, fit_prior(there))
                made.append(only_there(reached, table.survival, table.spent, own))
            else:
                nothing = np.zeros((len(reached), 0))
                made.append(only_there(reached, nothing, nothing, own))
    return made


def label_schedules(
    path: Path, tables: Sequence[Table], names: Sequence[str], labels: Labels, last: int, share: float
) -> dict[str, Schedule]:
    """The prefix of a path on `recorded_by_label` as one schedule per label, without labels that get no draw.

    Args:
        path: the order of draws.
        tables: tables of the arms, without labels.
        names: names of the arms.
        labels: labels of the problems.
        last: number of whole steps.
        share: share of the problems for which the next step is made.
    """
    schedules = {}
    for place, label in enumerate(labels.names):
        own = path.arm // len(tables) == place
        mine = Path(path.arm[own] % len(tables), path.to[own])
        here = share if share > 0 and last < len(path) and own[last] else 0.0
        schedule = path_schedule(mine, tables, names, int(own[:last].sum()), here, for_some=True)
        if schedule is not None:
            schedules[label] = schedule
    return schedules


def evaluate_by_label(schedules: Mapping[str, Schedule], arms: Sequence[Arm], labels: Labels) -> Evaluation:
    """The success and cost of the labels' schedules on each problem; 0 if the label has no schedule.

    Args:
        schedules: schedules by label.
        arms: recorded samples.
        labels: labels of the problems.
    """
    success, spent, hidden = np.zeros((3, len(labels.of)))
    known = all(arm.hidden is not None for arm in arms)
    for place, label in enumerate(labels.names):
        if label in schedules:
            own = labels.of == place
            evaluation = evaluate(schedules[label], [arm.only(own) for arm in arms])
            success[own], spent[own] = evaluation.success, evaluation.spent
            hidden[own] = 0.0 if evaluation.hidden is None else evaluation.hidden
    return Evaluation(success, spent, hidden if known else None)


def only_there(points: Ints, survival: Floats, spent: Floats, own: NDArray[np.bool_]) -> Table:
    """A table with these values on its `own` problems; on all other problems it draws nothing and costs nothing."""
    every, nothing = np.ones((len(points), len(own))), np.zeros((len(points), len(own)))
    every[:, own], nothing[:, own] = survival, spent
    return Table(points, every, nothing)
