"""The given order of samples as a ranking, for files that somebody else has ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isobudget.errors import InputError
from isobudget.rankers.base import PerSample, Pool, Ranking
from isobudget.rankers.ranker import Ranker, RankerInputs


@dataclass(frozen=True, slots=True)
class Order(Ranker):
    """The samples as they are given, best first."""

    needs_texts: ClassVar[bool] = False

    def rank(self, inputs: RankerInputs) -> Ranking:
        """See `by_order`.

        Raises:
            InputError: only counts of the samples are known.
        """
        if not inputs.pool.ordered:
            raise InputError(
                f"{inputs.pool.model}: imported from counts, so it is not known which samples passed, and there is no "
                "order to rank by; import lists of verdicts (`passed`)"
            )
        return by_order(inputs.pool, self.name)


def by_order(pool: Pool, name: str = "order") -> Ranking:
    """The ranking in the order of the pool, by scores n, n - 1, ..., 1; nothing is set aside."""
    scores = tuple(np.arange(n, 0, -1, dtype=np.float64) for n in pool.sizes)
    return Ranking(name, PerSample(scores, tuple(np.zeros(n, dtype=bool) for n in pool.sizes)))


RANKERS = (Order("order"),)
