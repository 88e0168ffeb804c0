"""Guesses beside a curve: where they begin, what they cost, and that no recommendation uses them."""

from __future__ import annotations

import numpy as np
import pytest

from isobudget.costs.cost import SampleCost, Unit
from isobudget.curves import FIRST_PASS, Bootstrap, compare_counts, curve, look_beyond
from isobudget.errors import InputError
from isobudget.importers.counts import ModelCounts
from isobudget.statistics.extrapolation import extrapolate

QUICK = Bootstrap(replicates=300)
C = [0, 1, 3, 8, 10, 0, 2]


def counts(model: str, n: int, c: list[int]) -> ModelCounts:
    tasks = tuple(f"t{i}" for i in range(len(c)))
    nothing = (None,) * len(c)
    return ModelCounts("bench", model, "", tasks, np.full(len(c), n), np.asarray(c), nothing, nothing)


def flops(per_sample: float, per_problem: float = 0.0) -> SampleCost:
    return SampleCost(Unit.FLOPS, per_sample, per_problem, "test")


@pytest.mark.parametrize(("last", "k"), [(10, []), (11, [11]), (20, [20]), (45, [20, 40, 45]), (80, [20, 40, 80])])
def test_they_begin_behind_the_samples(last: int, k: list[int]) -> None:
    made = curve(counts("m", 10, C), flops(2.0, 1.0), QUICK)
    beyond = look_beyond(made, np.full(7, 10), C, last, QUICK)
    assert beyond.k.tolist() == k
    assert beyond.cost.tolist() == [1 + 2 * size for size in k]
    assert (beyond.guesses is None) == (not k)


def test_they_are_those_of_extrapolation() -> None:
    made = curve(counts("m", 10, C), flops(1.0), QUICK)
    beyond = look_beyond(made, np.full(7, 10), C, 40, Bootstrap(level=0.8, seed=3))
    direct = extrapolate(10, C, [20, 40], level=0.8, seed=3)
    for ours, theirs in zip(beyond.by_model(), (direct.beta_binomial, direct.power_law), strict=True):
        assert np.array_equal(ours.success, theirs.success)
        assert np.array_equal(ours.low, theirs.low)


def test_no_verdict_rests_on_them() -> None:
    models, prices = [counts("a", 10, C), counts("b", 6, [0, 4, 3, 5, 6, 1, 2])], {"a": flops(1.0), "b": flops(3.0)}
    plain = compare_counts(models, prices, bootstrap=QUICK)
    asked = compare_counts(models, prices, bootstrap=QUICK, extrapolate=100)
    assert asked.to_dict() == plain.to_dict()
    assert asked.reach() == plain.reach()
    assert (len(plain.beyond), [one.label for one in asked.beyond]) == (0, ["a", "b"])


def test_what_is_refused() -> None:
    model = counts("m", 10, C)
    stopping = curve(model, flops(1.0), QUICK, stop=FIRST_PASS)
    with pytest.raises(InputError, match="all k samples to be charged"):
        look_beyond(stopping, model.n, model.c, 20)
    with pytest.raises(InputError, match="nothing to extrapolate"):
        compare_counts([model], {"m": flops(1.0)}, bootstrap=QUICK, extrapolate=10)
