"""Filters that apply before any ranker: samples that obviously fail are chosen only if nothing else was drawn.

- `executable`: the program compiles, and no call with the arguments of the prompt's own examples crashes.
- `examples`: in addition, each of these calls returns the value that the example states. AlphaCode filters by visible
  tests in this way (Li et al. 2022, section 4.5). Hidden tests are never used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.grid import counted
from isobudget.rankers.base import FREE, Bools, BySet, Floats, Ints, PerSample, RankerCost, Ranking
from isobudget.rankers.ranker import Ranker, RankerInputs
from isobudget.statistics.prefixes import PrefixSelector, SetSelector
from isobudget.syntax import is_python


@dataclass(frozen=True, slots=True, eq=False)
class KeepFirst:
    """A selector that sees only the kept samples among those drawn, or all of them if none is kept.

    Attributes:
        inner: chooses among the samples that are left.
        kept: shape (n,), whether the filter keeps a sample.
    """

    inner: SetSelector
    kept: Bools

    def choose(self, drawn: Ints) -> Ints:
        """See `SetSelector`."""
        chosen: Ints = self.inner.choose(self._left(drawn))
        return chosen

    def confidence(self, drawn: Ints) -> float:
        """The confidence of the inner selector on the kept samples."""
        inner = getattr(self.inner, "confidence", None)
        return float(inner(self._left(drawn))) if inner is not None else float("nan")

    def success_of_prefixes(self, orders: Ints, right: Floats) -> Floats:
        """Mean success of `choose` for every prefix of every order, shape (orders, n); see `PrefixSelector`."""
        if not isinstance(self.inner, PrefixSelector):
            return np.array([[right[self.choose(row[:k])].mean() for k in range(1, len(row) + 1)] for row in orders])
        seen = np.cumsum(self.kept[orders], axis=1)
        # The inner selector follows the kept samples alone, then, before the first of them, the others alone.
        with_kept, without = self._following(orders, self.kept, right), self._following(orders, ~self.kept, right)
        rows = np.arange(len(orders))[:, np.newaxis]
        k = np.arange(1, orders.shape[1] + 1)
        success: Floats = np.where(
            seen > 0, with_kept[rows, np.maximum(seen - 1, 0)], without[rows, np.maximum(k - seen - 1, 0)]
        )
        return success

    def _following(self, orders: Ints, mask: Bools, right: Floats) -> Floats:
        """Success of prefixes of the masked samples in each order; the columns after them are not used."""
        assert isinstance(self.inner, PrefixSelector)
        first = np.argsort(~mask[orders], axis=1, kind="stable")
        success: Floats = self.inner.success_of_prefixes(np.take_along_axis(orders, first, axis=1), right)
        return success

    def _left(self, drawn: Ints) -> Ints:
        left: Ints = drawn[self.kept[drawn]]
        return left if len(left) else drawn


def behind_filter(
    ranked: Ranking, kept: Sequence[Bools], cost: RankerCost = FREE, notes: tuple[str, ...] = ()
) -> Ranking:
    """The ranking with dropped samples set aside, after all others; `kept` is per problem, shape (n,).

    The ranking keeps the ranker's name; the filter is named in titles of tables and figures.
    """
    result = ranked.result
    filtered: PerSample | BySet
    if isinstance(result, PerSample):
        # those that the ranker itself set aside stay there with the dropped ones
        aside = tuple(one | ~keep for one, keep in zip(result.aside, kept, strict=True))
        filtered = PerSample(result.scores, aside)
    else:
        strength = (
            np.where(keep, values, values - np.ptp(values) - 1)
            for keep, values in zip(kept, result.strength, strict=True)
        )
        chosen = tuple(KeepFirst(one, keep) for one, keep in zip(result.selectors, kept, strict=True))
        filtered = BySet(chosen, tuple(strength), result.undefined)
    return Ranking(ranked.ranker, filtered, ranked.cost.plus(cost), (*ranked.notes, *notes))


def rank_filtered(ranker: Ranker, inputs: RankerInputs, kind: str) -> Ranking:
    """Rank after the filter `kind`. Samples that the ranker runs anyway are not charged twice."""
    ranked = ranker.rank(inputs)
    observed, cost = inputs.of_examples()
    kept = []
    for candidates in inputs.pool.problems:
        task = candidates.problem.task_id
        stated = inputs.stated(task)[: len(inputs.chosen[task].examples)]
        whole = np.array([is_python(sample.program) for sample in candidates.samples], dtype=bool)
        texts = [] if observed is None else [row[: len(stated)] for row in observed[task]]
        kept.append(whole & kept_by(texts, stated, kind == "examples") if stated else whole)
    dropped, total = sum(int((~row).sum()) for row in kept), int(inputs.pool.sizes.sum())
    note = f"filter {kind}: {dropped:,} of {counted(total, 'sample')} dropped"
    return behind_filter(ranked, kept, FREE if cost is None else cost, (note,))


def kept_by(observed: Sequence[Sequence[str]], stated: Sequence[str | None], must_match: bool) -> Bools:
    """Which samples the filter by the prompt's examples keeps, shape (n,).

    Args:
        observed: for each sample one text per example; empty for a sample that never ran.
        stated: for each example the value that it states, or None if it states none.
        must_match: whether calls must return the stated values; otherwise it is enough that they do not fail.
    """
    return np.array([_keeps(texts, stated, must_match) for texts in observed], dtype=bool)


def _keeps(texts: Sequence[str], stated: Sequence[str | None], must_match: bool) -> bool:
    return len(texts) == len(stated) and all(
        not text.startswith("!") and (not must_match or value is None or text == value)
        for text, value in zip(texts, stated, strict=True)
    )
