"""The paper's tables at equal budget: pass_flops@f and pass_time@t from pass@k and Table 1.

    pass_flops@f = pass@k  with  k = max{k' : flops(k') <= f}        (section 2.2)

Budgets are multiples of one sample of the family's 70B model. Between published k, pass@k is interpolated by a monotone
cubic of log(-log(1 - pass@k)) in log k, and marked. Beyond the largest published k there is no value. If one published
k is left out, interpolation misses the value at this k by 0.28 points (root mean square over Tables 2-4). A lead that
involves an interpolated value and is below twice that error does not count as a lead. The tables have no counts per
problem, so there are no intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from isobudget.costs.cost import SampleCost, Unit
from isobudget.errors import InputError
from isobudget.paper.tables import PassTable, paper_cost
from isobudget.statistics.interpolation import success_between

#: multiples of one 70B sample
BUDGETS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64)
#: points by which an interpolated pass@k may be wrong: twice the error stated above
ERROR = 0.56
#: the 70B model of each family; budgets are multiples of one of its samples
DEAREST = {"Code Llama": "Code Llama 70B", "Llama-3": "Llama-3 70B"}


@dataclass(frozen=True, slots=True)
class BudgetCell:
    """A model's result at a budget.

    Attributes:
        k: number of samples that the budget affords.
        percent: pass@k, NaN if it is not known.
        interpolated: whether k lies between published ones.
        at_least: pass@k at the largest published k if `k` is larger, otherwise equal to `percent`.
        reason: why `percent` is NaN, else empty.
    """

    k: int
    percent: float
    at_least: float
    interpolated: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EqualBudget:
    """One row of an equal-budget table.

    Attributes:
        benchmark, family: the benchmark, and the family of models: `Code Llama` or `Llama-3`.
        unit: flops or seconds.
        multiple: the budget in samples of the family's 70B model.
        budget: the budget in `unit`.
        cells: the result of each model, by name.
    """

    benchmark: str
    family: str
    unit: Unit
    multiple: float
    budget: float
    cells: dict[str, BudgetCell]

    @property
    def best(self) -> str | None:
        """The model with the highest pass@k.

        None if no model affords a sample, if a model affords more samples than were published, or if the lead is within
        the interpolation's error.
        """
        afford = {model: cell for model, cell in self.cells.items() if cell.k > 0}
        if not afford or any(math.isnan(cell.percent) for cell in afford.values()):
            return None
        first, *others = sorted(afford, key=lambda model: -afford[model].percent)
        best = afford[first]
        near = [afford[one] for one in others if best.percent - afford[one].percent < ERROR]
        return None if any(best.interpolated or one.interpolated for one in near) else first


@dataclass(frozen=True, slots=True)
class PaperFlip:
    """The cost ratio at which the winner of two models flips.

    Attributes:
        cheap, dear: the cheaper and the more expensive model.
        k_dear: samples of the more expensive model, a published k.
        k_cheap: fewest samples of the cheaper model that solve at least as much as `k_dear` samples of the more
            expensive model. None if no k up to the largest published k of the cheaper model does.
        ratio: k_cheap / k_dear. The cheaper model does as well or better if one sample of the more expensive model
            costs at least as much as this many samples of the cheaper model. NaN if `k_cheap` is None.
        reason: why `ratio` is NaN, else empty.
    """

    benchmark: str
    cheap: str
    dear: str
    k_dear: int
    k_cheap: int | None
    ratio: float
    reason: str = ""


def interpolate(ks: Sequence[int], percent: Sequence[float], k: int) -> BudgetCell:
    """The result at any k, from published k and pass@k in percent; see `statistics.interpolation`."""
    known = list(zip(ks, percent, strict=False))
    for at, value in known:
        if at == k:
            return BudgetCell(k, value, value)
    if k < known[0][0]:
        return BudgetCell(k, math.nan, math.nan, reason="cannot afford one sample")
    if k > known[-1][0]:
        return BudgetCell(k, math.nan, known[-1][1], reason=f"beyond the largest published k, {known[-1][0]}")
    between = 100 * float(success_between(ks[: len(known)], [value / 100 for _, value in known], k))
    return BudgetCell(k, between, between, interpolated=True)


def equal_budget(table: PassTable, unit: Unit, multiples: Sequence[float] = BUDGETS) -> tuple[EqualBudget, ...]:
    """The equal-budget rows of one benchmark, one per family and budget, with the result of each model.

    Budgets at which no model has a known pass@k are left out.

    Raises:
        InputError: the paper has no cost in that unit.
    """
    rows = []
    for family, dearest in DEAREST.items():
        models = family_models(table, family)
        if not models:
            continue
        costs = {model: sample_price(model, unit) for model in models}
        for multiple in multiples:
            budget = multiple * costs[dearest].per_sample
            cells = {m: interpolate(table.k, table.percent[m], costs[m].affordable(budget)) for m in models}
            if any(not math.isnan(cell.percent) for cell in cells.values()):
                rows.append(EqualBudget(table.benchmark, family, unit, multiple, budget, cells))
    return tuple(rows)


def paper_flips(table: PassTable) -> tuple[PaperFlip, ...]:
    """The ratio at which the winner flips, for each pair of models of a family and each published k of the larger."""
    flips = []
    for family in DEAREST:
        models = family_models(table, family)
        for at, cheap in enumerate(models):
            for dear in models[at + 1 :]:
                flips += [_flip(table, cheap, dear, k) for k in table.k[: len(table.percent[dear])]]
    return tuple(flips)


def cost_ratio(cheap: str, dear: str, unit: Unit) -> float:
    """By the paper's costs, the price of a sample of the more expensive model in samples of the cheaper one."""
    return sample_price(dear, unit).per_sample / sample_price(cheap, unit).per_sample


def _flip(table: PassTable, cheap: str, dear: str, k_dear: int) -> PaperFlip:
    target = table.percent[dear][table.k.index(k_dear)]
    published = table.percent[cheap]
    largest = table.k[len(published) - 1]
    for k in range(1, largest + 1):
        if _percent_at(table.k, published, k) >= target - 1e-9:
            return PaperFlip(table.benchmark, cheap, dear, k_dear, k, k / k_dear)
    reason = f"{cheap} reaches {published[-1]} % at its largest published k, {largest}, below {target} %"
    return PaperFlip(table.benchmark, cheap, dear, k_dear, None, math.nan, reason)


@cache
def _percent_at(ks: tuple[int, ...], percent: tuple[float, ...], k: int) -> float:
    """Pass@k of a published row; cached, since every flip of the model needs it."""
    return interpolate(ks, percent, k).percent


def family_models(table: PassTable, family: str) -> list[str]:
    """The table's models of a family, the smallest first."""
    return [model for model in table.percent if model.startswith(family)]


def sample_price(model: str, unit: Unit) -> SampleCost:
    """The cost of a sample of one of the paper's models. Raises `InputError` for a unit without costs in the paper."""
    cost = paper_cost(model, unit)
    if cost is None:
        raise InputError(f"the paper has no cost in {unit} for {model}; it has flops and seconds")
    return cost
