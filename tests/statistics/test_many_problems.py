"""The bootstrap by distinct values: the same intervals as by weights, and a million problems in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from isobudget.analysis import passk as analysis
from isobudget.errors import InputError
from isobudget.importers.counts import ModelCounts
from isobudget.statistics.intervals import bootstrap_curve, bootstrap_weights
from isobudget.statistics.many_problems import bootstrap_distinct
from isobudget.statistics.pass_at_k import failure_at_k, pass_at_k


def counts(n: np.ndarray, c: np.ndarray) -> ModelCounts:
    nothing = (None,) * len(n)
    return ModelCounts("b", "m", "", tuple(map(str, range(len(n)))), n, c, nothing, nothing)


@pytest.mark.parametrize("hard", [False, True])
def test_the_interval_is_that_of_the_weights(hard: bool) -> None:
    rng = np.random.default_rng(1)
    c = rng.binomial(10, rng.beta(0.1, 3, 900) if hard else rng.beta(0.5, 1, 900))
    values = pass_at_k(10, c[:, np.newaxis], [1, 3, 10])
    different, many = np.unique(c, return_counts=True)
    ours = bootstrap_distinct(pass_at_k(10, different[:, np.newaxis], [1, 3, 10]), many, 20_000)
    theirs = bootstrap_curve(values, bootstrap_weights(900, 20_000))
    assert np.stack(ours) == pytest.approx(np.stack(theirs), abs=1.2e-3)


def test_values_that_are_all_different_are_binned() -> None:
    values = np.random.default_rng(2).beta(0.5, 1, (6000, 1))
    low, high = bootstrap_distinct(values, np.ones(6000, dtype=int), 4000)
    expected = bootstrap_curve(values, bootstrap_weights(6000, 4000))
    assert (low, high) == (pytest.approx(expected[0], abs=1e-3), pytest.approx(expected[1], abs=1e-3))


def test_few_problems_of_many_stretch_it_and_nan_stays() -> None:
    values = np.array([[0.0, np.nan], [1.0, 0.5]])
    low, high = bootstrap_distinct(values, [99_997, 3], 2000)
    alone = bootstrap_curve(np.repeat([[0.0], [1.0]], [997, 3], axis=0), bootstrap_weights(1000, 2000))
    assert 0 <= low[0] < 3e-5 < high[0] < alone[1][0]
    assert np.isnan(low[1])
    assert np.isnan(high[1])
    with pytest.raises(InputError, match="too few for level"):
        bootstrap_distinct(values, [5, 5], 10)


def test_passk_is_the_same_on_either_side_of_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(8, 11, 600)
    group = counts(n, rng.binomial(n, 0.3))
    (few,) = analysis.passk([group], [1, 5, 9])
    monkeypatch.setattr(analysis, "MANY", 10)
    (many,) = analysis.passk([group], [1, 5, 9])
    assert many.success == pytest.approx(few.success, nan_ok=True)
    assert many.low == pytest.approx(few.low, abs=2e-3, nan_ok=True)
    assert many.high == pytest.approx(few.high, abs=2e-3, nan_ok=True)
    assert (many.undefined, many.problems) == (few.undefined, few.problems)


def test_a_million_problems_in_200_megabytes() -> None:
    c = np.random.default_rng(4).binomial(10, 0.4, 1_000_000)
    group = ModelCounts("b", "m", "", ("t",) * len(c), np.full(len(c), 10), c, (), ())
    tracemalloc.start()
    (found,) = analysis.passk([group], [1, 10])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.success[0] == pytest.approx(0.4, abs=0.001)
    assert found.low[0] < found.success[0] < found.high[0] < found.low[0] + 0.001
    assert peak < 200e6


@pytest.mark.parametrize(
    ("n", "c", "k"), [(10**9, 3 * 10**6, 10**5), (10**9, 5, 10**8), (10**9, 10**8, 10**8), (10**6, 2500, 3000)]
)
def test_very_many_samples_of_a_problem(n: int, c: int, k: int) -> None:
    """C(n-c, k) / C(n, k) by exact logarithms of whole numbers: of the smaller of c and k factors."""
    from math import fsum, log1p

    few, most = min(c, k), max(c, k)
    exact = np.exp(fsum(log1p(-most / (n - step)) for step in range(min(few, 20_000))))
    if few > 20_000:
        assert failure_at_k(n, c, k) <= exact
        assert failure_at_k(n, c, k) < 1e-20
    else:
        assert failure_at_k(n, c, k) == pytest.approx(exact, rel=1e-12)
