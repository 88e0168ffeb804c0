"""Which pairs of models are compared one by one: all, or if there are many, those that a reader asks about.

With M models there are M (M - 1) / 2 pairs. Tests of clear leads always use all pairs. Crossings and flips take longer,
and nobody reads thousands of them. They are computed for every pair of up to `ALL` models; with more models, only for
those that are best at some budget, the cheapest and the most expensive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

from isobudget.curves.best import Best
from isobudget.errors import InputError

#: up to this many models every pair has its flips and crossings
ALL = 40
#: most models of a comparison, which then takes about a minute
_MOST = 500


def check_models(models: int) -> None:
    """Refuse more models than can be compared with each other.

    Raises:
        InputError: there are more than 500.
    """
    if models > _MOST:
        raise InputError(
            f"{models:,} models make {math.comb(models, 2):,} pairs, too many; at most {_MOST} models can be compared: "
            "give the results of fewer, such as one family or size at a time"
        )


def pairs_that_matter(labels: Sequence[str], best: Iterable[Best]) -> list[tuple[str, str]]:
    """The pairs among these models, in order: those that are best at a budget, the first and the last."""
    matter = {labels[0], labels[-1], *(one.model for one in best)}
    return list(combinations([label for label in labels if label in matter], 2))


def pairs_looked_at(labels: Sequence[str], best: Iterable[Best]) -> list[tuple[str, str]]:
    """The pairs with flips and crossings: every one of up to `ALL` models, else those that matter."""
    return list(combinations(labels, 2)) if len(labels) <= ALL else pairs_that_matter(labels, best)


def pairs_note(labels: Sequence[str], best: Iterable[Best]) -> tuple[str, ...]:
    """The note for tables in which not every pair has its flips and crossings."""
    count, looked_at = math.comb(len(labels), 2), len(pairs_looked_at(labels, best))
    if looked_at == count:
        return ()
    return (
        f"With more than {ALL} models, crossings and flips are shown only for the models that are best at some budget, "
        f"the cheapest and the dearest: {looked_at:,} of {count:,} pairs.",
    )
