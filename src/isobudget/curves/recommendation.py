"""Which model to use from which budget on: a recommendation that changes only where a difference is clear.

The best model of a row is often best by chance, and its name may change from row to row. So budgets are divided into as
few segments as possible, such that each segment has a candidate: a model that is not clearly worse than another at any
budget of the segment. A new segment begins when no candidate is left. If a segment has several candidates, the one with
the highest success over its budgets is recommended; in a tie, the one with the smaller total cost. While only one model
affords a sample, there is no choice, and these budgets do not count against the other models.

There are two special cases. A model whose first sample becomes affordable only at a later budget could not be chosen
before. From there on it is recommended if it is the best for the remaining budgets; the earlier model keeps the budgets
where it still leads. And a model whose samples are exhausted is not recommended where another model solves more than
all these samples do, although the success with more samples is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np

from isobudget.curves.best import EQUAL, Best
from isobudget.curves.curve import Curve, Point


@dataclass(frozen=True, slots=True)
class Segment:
    """A model, and the budgets at which it is recommended.

    Attributes:
        model: label of the model.
        start: the smallest budget of the segment: the first budget in the table, or the exact budget at which the model
            takes the lead that becomes clear at the next budget in the table.
        rows: the budgets in the table that belong to the segment.
        first, last: the model at `start` and at the last of the rows.
        unclear_against: by budget, the models that afford a sample and that `model` is not clearly better than.
        ahead: by budget, another model whose success was higher there, though not clearly.
    """

    model: str
    start: float
    rows: tuple[Best, ...]
    first: Point
    last: Point
    unclear_against: dict[float, tuple[str, ...]]
    ahead: dict[float, str]


def recommend(curves: Sequence[Curve], best: Sequence[Best], simultaneous: bool = True) -> tuple[Segment, ...]:
    """The recommended model by budget; empty if no model affords a sample, or none solves any problem.

    Args:
        curves: cheapest sample first.
        best: one per budget, rising.
        simultaneous: whether a lead must be clear with all budgets tested together.
    """
    rows = [row for row in best if row.model is not None]
    forced = list(takewhile(lambda row: len(row.affordable) == 1, rows))
    groups = [(str(group[0].model), group) for group in ([forced] if forced else [])]
    for group, able in _divided(rows[len(forced) :], simultaneous):
        for model, part in _with_newcomers(curves, group, able, simultaneous):
            if groups and groups[-1][0] == model:
                groups[-1][1].extend(part)
            else:
                groups.append((model, part))
    for pair in pairwise(groups):
        _give_back(*pair)
    starts = [groups[0][1][0].budget, *(_switch(curves, *pair) for pair in pairwise(groups))] if groups else []
    by_label = {curve.label: curve for curve in curves}
    return tuple(
        _segment(by_label[model], start, group, simultaneous)
        for (model, group), start in zip(groups, starts, strict=True)
    )


def clearly_worse(row: Best, simultaneous: bool) -> tuple[str, ...]:
    """The models that are clearly worse than the best of a row: in this row alone, or with all rows tested together."""
    return row.clear_at_all_budgets if simultaneous else row.clear_against


def _not_recommended(row: Best, simultaneous: bool) -> set[str]:
    """The models that are clearly worse, and those whose samples are exhausted and that solve less."""
    return {*clearly_worse(row, simultaneous), *row.exhausted}


def _divided(rows: Sequence[Best], simultaneous: bool) -> list[tuple[list[Best], set[str]]]:
    """Runs of rows, each with the models that may be recommended at all of its rows."""
    groups: list[tuple[list[Best], set[str]]] = []
    for row in rows:
        worse = _not_recommended(row, simultaneous)
        if groups and groups[-1][1] - worse:
            groups[-1][0].append(row)
            groups[-1][1].difference_update(worse)
        else:
            groups.append(([row], set(row.affordable) - worse))
    return groups


def _with_newcomers(
    curves: Sequence[Curve], rows: list[Best], able: set[str], simultaneous: bool
) -> Iterator[tuple[str, list[Best]]]:
    """The model of a run of rows; the run is split if a model that affords a sample later is the best for the rest."""
    model, known = _chosen(curves, rows, able), set(rows[0].affordable)
    for at, row in enumerate(rows):
        rest, fresh = rows[at:], set(row.affordable) - known
        worse = {label for one in rest for label in _not_recommended(one, simultaneous)}
        if not fresh - worse:
            continue
        best = _chosen(curves, rest, able | (fresh - worse))
        if best in fresh:
            yield _chosen(curves, rows[:at], able), rows[:at]
            yield from _with_newcomers(curves, rest, able | (fresh - worse), simultaneous)
            return
    yield model, rows


def _chosen(curves: Sequence[Curve], rows: Sequence[Best], able: set[str]) -> str:
    """The candidate with the highest success over the rows."""
    budgets = [row.budget for row in rows]
    wins = {label: sum(row.model == label for row in rows) for label in able}
    mean = {
        curve.label: round(sum(curve.at(budget).success for budget in budgets) / len(budgets), 12)
        for curve in curves
        if curve.label in able
    }
    return max(mean, key=lambda label: (mean[label], wins[label]))


def _give_back(before: tuple[str, list[Best]], after: tuple[str, list[Best]]) -> None:
    """Return rows to the first model if it still leads there although the second one also affords a sample."""
    led = list(takewhile(lambda row: row.model == before[0], after[1]))
    before[1].extend(led)
    del after[1][: len(led)]


def _switch(curves: Sequence[Curve], before: tuple[str, list[Best]], after: tuple[str, list[Best]]) -> float:
    """The exact budget from which the second model is ahead: after the first model's last row, by its own first row."""
    low, high = before[1][-1].budget, after[1][0].budget
    one, other = (next(curve for curve in curves if curve.label == label) for label in (before[0], after[0]))

    def leads(budget: float) -> bool:
        return other.at(budget).success > one.at(budget).success + EQUAL

    if leads(low):
        return high
    steps = np.unique(np.concatenate([one.cost, other.cost]))
    inside = steps[(steps > low) & (steps <= high)]
    return next((float(budget) for budget in inside if leads(float(budget))), high)


def _segment(curve: Curve, start: float, rows: Sequence[Best], simultaneous: bool) -> Segment:
    unclear = {
        row.budget: tuple(
            label for label in row.affordable if label not in (curve.label, *clearly_worse(row, simultaneous))
        )
        for row in rows
    }
    ahead = {
        row.budget: str(row.model)
        for row in rows
        if row.model != curve.label and row.success > curve.at(row.budget).success + EQUAL
    }
    return Segment(curve.label, start, tuple(rows), curve.at(start), curve.at(rows[-1].budget), unclear, ahead)
