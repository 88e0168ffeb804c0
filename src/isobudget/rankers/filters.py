"""Filters in front of any ranker: samples that obviously fail are kept only where nothing else was drawn.

- `executable`: the program compiles, and no call with the arguments of the prompt's own examples crashes.
- `examples`: moreover each of these calls returns what the example states. Visible tests, as AlphaCode filters by
  (Li et al. 2022, section 4.5). Hidden tests are never used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isobudget.rankers.base import FREE, Bools, BySet, Floats, PerSample, Pool, Ranker, Ranking, Spending
from isobudget.statistics.prefixes import PrefixSelector, SetSelector

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class KeepFirst:
    """A selector that sees only the kept samples among those drawn, or all of them if none is kept.

    Attributes:
        inner: chooses among what is left.
        kept: shape (n,).
    """

    inner: SetSelector
    kept: Bools

    def choose(self, drawn: Ints) -> Ints:
        """See `SetSelector`."""
        chosen: Ints = self.inner.choose(self._left(drawn))
        return chosen

    def confidence(self, drawn: Ints) -> float:
        """That of the inner selector, on what is left of the samples drawn."""
        inner = getattr(self.inner, "confidence", None)
        return float(inner(self._left(drawn))) if inner is not None else float("nan")

    def success_of_prefixes(self, orders: Ints, right: Floats) -> Floats:
        """For every prefix of every order, shape (orders, n); see `PrefixSelector`."""
        if not isinstance(self.inner, PrefixSelector):
            return np.array([[right[self.choose(row[:k])].mean() for k in range(1, len(row) + 1)] for row in orders])
        seen = np.cumsum(self.kept[orders], axis=1)
        # The inner selector follows the kept samples alone, then, before the first of them, the others alone.
        with_kept, without = self._following(orders, self.kept, right), self._following(orders, ~self.kept, right)
        rows = np.arange(len(orders))[:, np.newaxis]
        k = np.arange(1, orders.shape[1] + 1)
        found: Floats = np.where(
            seen > 0, with_kept[rows, np.maximum(seen - 1, 0)], without[rows, np.maximum(k - seen - 1, 0)]
        )
        return found

    def _following(self, orders: Ints, mask: Bools, right: Floats) -> Floats:
        """Success of prefixes of the masked samples in each order; filled up with the others, which are not used."""
        assert isinstance(self.inner, PrefixSelector)
        first = np.argsort(~mask[orders], axis=1, kind="stable")
        found: Floats = self.inner.success_of_prefixes(np.take_along_axis(orders, first, axis=1), right)
        return found

    def _left(self, drawn: Ints) -> Ints:
        left: Ints = drawn[self.kept[drawn]]
        return left if len(left) else drawn


@dataclass(frozen=True, slots=True)
class Filtered:
    """A ranker behind a filter.

    Attributes:
        inner: the ranker.
        kind: `executable` or `examples`, for the label.
        kept: by task_id, shape (n,).
        spending: of finding out.
        notes: what was dropped.
    """

    inner: Ranker
    kind: str
    kept: Mapping[str, Bools]
    spending: Spending = FREE
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The ranker's label; what shows it says which filter stands in front."""
        return self.inner.name

    def rank(self, pool: Pool) -> Ranking:
        """The inner ranking, with dropped samples set aside."""
        ranked = self.inner.rank(pool)
        kept = [self.kept[task_id] for task_id in pool.task_ids]
        result: PerSample | BySet
        if isinstance(ranked.result, PerSample):
            result = _behind(ranked.result, kept)
        else:
            selectors = zip(ranked.result.selectors, kept, strict=True)
            strength = (
                np.where(keep, values, values - np.ptp(values) - 1)
                for keep, values in zip(kept, ranked.result.strength, strict=True)
            )
            chosen = tuple(KeepFirst(one, keep) for one, keep in selectors)
            result = BySet(chosen, tuple(strength), ranked.result.undefined)
        return Ranking(self.name, result, ranked.spending.plus(self.spending), (*ranked.notes, *self.notes))


def _behind(scored: PerSample, kept: Sequence[Bools]) -> PerSample:
    """Dropped samples rank behind all others; those that the ranker itself set aside stay there with them."""
    aside = tuple(one | ~keep for one, keep in zip(scored.aside, kept, strict=True))
    return PerSample(scored.scores, aside, scored.is_log_probability)


def kept_by(observed: Sequence[Sequence[str]], stated: Sequence[str | None], must_match: bool) -> Bools:
    """Which samples the prompt's examples leave.

    Args:
        observed: for each sample one text per example; None or nothing for a sample that never ran.
        stated: for each example the value that it states, or None where it states none.
        must_match: whether stated values must be returned, or calls must only not fail.

    Returns:
        Shape (n,).
    """
    return np.array([_keeps(texts, stated, must_match) for texts in observed], dtype=bool)


def _keeps(texts: Sequence[str], stated: Sequence[str | None], must_match: bool) -> bool:
    if not texts and stated:
        return False
    return all(
        not text.startswith("!") and (not must_match or value is None or text == value)
        for text, value in zip(texts, stated, strict=True)
    )
