"""The page's tables of rankers: their success in choosing without tests, beside pass@k, which is choosing by tests."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from isobudget.curves import Comparison
from isobudget.grid import interval, percent
from isobudget.rankers.base import RANDOM, Floats
from isobudget.report.page.tables import Cell, PageTable
from isobudget.report.tables.ranking import shown_k

if TYPE_CHECKING:
    from isobudget.ranking.measure import Ranked, RankedModel
    from isobudget.ranking.rank import BenchmarkRanking

#: most columns of k
_MOST = 5


def ranking_tables(ranking: BenchmarkRanking, comparison: Comparison) -> Iterator[PageTable]:
    """One table per model: every ranker at some k, and pass@k of the same samples."""
    for model in ranking.models:
        ks = shown_k(model.ranked[0].k_max)[-_MOST:]
        best = max((one for one in model.ranked if one.ranker != RANDOM), key=lambda one: float(one.success[-1]))
        rows = [_row(one, ks, one is best) for one in model.ranked]
        curve = next(one for one in comparison.curves if one.model == model.model)
        if curve.k_max >= ks[-1]:
            rows.append(
                (Cell("chosen by tests (pass@k)"), *_cells(curve.success, curve.low, curve.high, ks), Cell("–"))
            )
        columns = ("Chosen by", *(f"k = {k:,}" for k in ks), "AUC")
        yield PageTable(f"The sample that is chosen from k of {model.model} passes", columns, tuple(rows), _note(model))


def _row(ranked: Ranked, ks: list[int], best: bool) -> tuple[Cell, ...]:
    cells = _cells(ranked.success, ranked.low, ranked.high, ks)
    if best:
        cells[-1] = Cell(cells[-1].text, cells[-1].small, "best")
    auc = Cell("–")
    if ranked.auc is not None and not math.isnan(ranked.auc.value):
        ends = "" if math.isnan(ranked.auc.low) else f"{ranked.auc.low:.3f}–{ranked.auc.high:.3f}"
        auc = Cell(f"{ranked.auc.value:.3f}", ends)
    return (Cell("a random sample" if ranked.ranker == RANDOM else ranked.ranker), *cells, auc)


def _cells(success: Floats, low: Floats, high: Floats, ks: list[int]) -> list[Cell]:
    at = (k - 1 for k in ks)
    return [Cell(f"{percent(success[k])}%", interval(low[k], high[k], "–")) for k in at]


def _note(model: RankedModel) -> str:
    greedy = model.samples.greedy
    text = "The best ranker at the largest k is bold. AUC: within problems with right and wrong samples; 0.5 is chance."
    return text if greedy is None else f"{text} Its greedy output passes {percent(greedy.success)}%."
