"""Success against budget: curves of models, the best model at each budget, and where the winner flips.

`compare_counts` goes from counts and costs to a `Comparison`; `curve`, `curve_from_matrix` and `compare` are its
parts, for other ways of choosing a sample. Nothing here reads files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from isobudget.costs.cost import SampleCost
from isobudget.curves.best import Best
from isobudget.curves.beyond import Beyond, look_all_beyond, look_beyond
from isobudget.curves.compare import Comparison, Reach, common_tasks, compare
from isobudget.curves.crossings import Crossing
from isobudget.curves.curve import LIKELIHOOD, TESTS, Bootstrap, Curve, Point, curve, curve_from_matrix, cut_note
from isobudget.curves.flips import Flip
from isobudget.curves.pairs import check_models
from isobudget.curves.recommendation import Segment
from isobudget.curves.stopping import FIRST_PASS, FIXED, Charged
from isobudget.errors import InputError
from isobudget.grid import counted

if TYPE_CHECKING:
    from isobudget.costs.budget import Written
    from isobudget.importers.counts import ModelCounts

__all__ = [
    "FIRST_PASS",
    "FIXED",
    "LIKELIHOOD",
    "TESTS",
    "Best",
    "Beyond",
    "Bootstrap",
    "Charged",
    "Comparison",
    "Crossing",
    "Curve",
    "Flip",
    "Point",
    "Reach",
    "Segment",
    "common_counts",
    "common_tasks",
    "compare",
    "compare_counts",
    "curve",
    "curve_from_matrix",
    "look_all_beyond",
    "look_beyond",
]


def compare_counts(
    models: Sequence[ModelCounts],
    prices: Mapping[str, SampleCost],
    *,
    budgets: Sequence[float] | Written | None = None,
    bootstrap: Bootstrap | None = None,
    notes: Sequence[str] = (),
    stop: str = FIXED,
    extrapolate: int | None = None,
) -> Comparison:
    """Compare models of one benchmark by pass@k at equal budget, on the problems that all of them have.

    Args:
        models: the counts, one entry per model.
        prices: what a sample of each model costs, by `ModelCounts.name`.
        budgets, bootstrap, notes: see `compare`.
        stop: when sampling stops: `fixed`, or `first-pass`.
        extrapolate: guess pass@k beyond the samples up to this k; see `Comparison.beyond`.

    Raises:
        InputError: a price is missing, the models share no problem, the units differ, or there is nothing to guess.
    """
    check_models(len(models))
    missing = [counts.name for counts in models if counts.name not in prices]
    if missing:
        raise InputError(f"no cost for {missing[0]!r}; there are costs for: {', '.join(prices) or 'no model'}")
    common, left_out = common_counts(models)
    bootstrap = bootstrap or Bootstrap()
    curves = [curve(counts, prices[counts.name], bootstrap, stop=stop) for counts in common]
    beyond = look_all_beyond(curves, [(counts.n, counts.c) for counts in common], extrapolate, bootstrap)
    benchmark = models[0].benchmark if models else ""
    notes = (*notes, *left_out, *cut_note([(counts.name, counts.n) for counts in common]))
    return compare(curves, budgets=budgets, benchmark=benchmark, bootstrap=bootstrap, notes=notes, beyond=beyond)


def common_counts(models: Sequence[ModelCounts]) -> tuple[list[ModelCounts], tuple[str, ...]]:
    """The models' counts on the problems that all models have, in one order, and a note if problems are left out.

    Raises:
        InputError: there are no models, or they have no problem in common.
    """
    if not models:
        raise InputError("nothing to compare: no model has counts")
    common = common_tasks([counts.task_ids for counts in models])
    if not common:
        names = ", ".join(counts.name for counts in models)
        raise InputError(f"{names} have no problem in common; they cannot be compared")
    every = {task for counts in models for task in counts.task_ids}
    left_out = len(every) - len(common)
    others = f"{left_out:,} other{'s are' if left_out > 1 else ' is'} left out"
    note = (f"Compared on the {counted(len(common), 'problem')} that all models have; {others}.",)
    return [counts.select(common) for counts in models], note if left_out else ()
