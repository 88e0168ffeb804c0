from __future__ import annotations

import numpy as np
import pytest

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import Bootstrap, Comparison, compare, curve_from_matrix
from isobudget.curves.sliders import MOST, numbers_of_samples, sliders

FEW = Bootstrap(replicates=100)
TASKS = tuple(map(str, range(12)))


def comparison(sizes: list[int], unit: Unit, seed: int = 0) -> Comparison:
    """Models with so many samples of 12 problems, each dearer than the one before."""
    dice = np.random.default_rng(seed)
    chance = dice.uniform(0.01, 0.6, size=(len(sizes), len(TASKS), 1))
    curves = [
        curve_from_matrix(
            f"m{at}",
            TASKS,
            1 - (1 - chance[at]) ** np.arange(1, size + 1),
            SampleCost(unit, 1.7**at * (1 if unit is Unit.FLOPS else 1 + at % 3), 0.3 * at),
            selection="tests",
            bootstrap=FEW,
        )
        for at, size in enumerate(sizes)
    ]
    return compare(curves, bootstrap=FEW)


def test_few_samples_are_all_kept() -> None:
    found = sliders({Unit.FLOPS: comparison([40, 20], Unit.FLOPS)})
    assert {label: k.tolist() for label, k in found.k.items()} == {"m0": list(range(1, 41)), "m1": list(range(1, 21))}
    assert found.anywhere[0][0].shape == (40, 20)


@pytest.mark.parametrize("sizes", [[1000, 300], [10_000, 64, 65, 1], [500] * 9, [200] * 20])
def test_stops_pay_for_numbers_that_are_kept(sizes: list[int]) -> None:
    comparisons = {unit: comparison(sizes, unit) for unit in (Unit.FLOPS, Unit.SECONDS)}
    found = sliders(comparisons)
    assert found.pairs[0] == found.labels[:2]
    for unit, one in comparisons.items():
        budgets = found.budgets[unit]
        assert list(budgets) == sorted(set(budgets))
        assert (budgets[0], budgets[-1]) == (min(c.cost[0] for c in one.curves), max(c.cost[-1] for c in one.curves))
        for curve in one.curves:
            kept = found.k[curve.label].tolist()
            assert kept == sorted(set(kept))
            assert (kept[0], kept[-1]) == (1, curve.k_max)
            assert len(kept) <= numbers_of_samples(len(sizes)) <= MOST
            assert {curve.at(budget).k for budget in budgets} - {0} <= set(kept)
        low, high = found.rows[unit]
        assert low.shape == high.shape == (len(found.pairs), len(budgets))
    assert sum(low.size for low, _ in found.anywhere) <= 65_000


def test_rows_say_what_tables_say() -> None:
    one = comparison([30, 12, 5], Unit.FLOPS, seed=3)
    found = sliders({Unit.FLOPS: one})
    again = compare(one.curves, budgets=found.budgets[Unit.FLOPS], bootstrap=FEW)
    for at, best in enumerate(again.best):
        for pair, (first, second) in enumerate(found.pairs):
            low, high = (ends[pair][at] for ends in found.rows[Unit.FLOPS])
            if best.model == first and second not in best.capped:
                assert (low > 1e-12) == (second in best.clear_against)
            if best.model == second and first not in best.capped:
                assert (high < -1e-12) == (first in best.clear_against)
