"""pass@k, expected draws and cascades against brute force, exact integers, identities and published figures."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.importers.counts import group_counts, read_counts
from isobudget.statistics.pass_at_k import (
    cascade,
    expected_cost,
    expected_draws,
    expected_draws_curve,
    failure_at_k,
    failure_curve,
    pass_at_k,
    pass_at_k_from_histogram,
    pass_curve,
    trusted_k,
    why_undefined,
)

quick = settings(deadline=None, max_examples=60)


@st.composite
def counts(draw: st.DrawFn, largest: int = 400) -> tuple[int, int]:
    n = draw(st.integers(1, largest))
    return n, draw(st.integers(0, n))


def exact_failure(n: int, c: int, k: int) -> Fraction:
    return Fraction(math.comb(n - c, k), math.comb(n, k))


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_brute_force_over_all_subsets(n: int) -> None:
    for c in range(n + 1):
        passed = [1] * c + [0] * (n - c)
        for k in range(1, n + 1):
            subsets = list(combinations(passed, k))
            expected = sum(any(s) for s in subsets) / len(subsets)
            assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-15)
            assert 1 - failure_curve(n, [c], k)[0, k - 1] == pytest.approx(expected, abs=1e-15)


@quick
@given(counts())
def test_curve_against_exact_integers(count: tuple[int, int]) -> None:
    n, c = count
    r = failure_curve(n, [c], n)[0]
    exact = [float(1 - exact_failure(n, c, k)) for k in range(1, n + 1)]
    assert np.max(np.abs((1 - r) - exact)) <= 2e-15
    assert np.max(np.abs(pass_at_k(n, c, np.arange(1, n + 1)) - exact)) <= 2e-15


@quick
@given(counts())
def test_a_curve_rises_from_c_over_n_and_stays_in_bounds(count: tuple[int, int]) -> None:
    n, c = count
    curve = pass_curve(n, [c])
    assert curve.shape == (n,)
    assert curve[0] == pytest.approx(c / n, abs=1e-15)
    assert np.all(np.diff(curve) >= -1e-15)
    assert curve.min() >= 0
    assert curve.max() <= 1
    assert curve[-1] == (1 if c else 0)


def test_large_n_neither_overflows_nor_loses_digits() -> None:
    n, c, k = 20_000, 3, 10_000
    exact = float(1 - exact_failure(n, c, k))
    assert pass_at_k(n, c, k) == pytest.approx(exact, abs=1e-15)
    assert failure_curve(n, [c], k)[0, -1] == pytest.approx(1 - exact, abs=1e-13)


def test_unequal_n_and_nan_beyond() -> None:
    r = failure_curve([3, 5], [1, 2], 6)
    assert np.isnan(r).tolist() == [[False] * 3 + [True] * 3, [False] * 5 + [True]]
    assert np.array_equal(np.isnan(pass_at_k([[3], [5]], [[1], [2]], np.arange(1, 7))), np.isnan(r))
    curve = pass_curve([3, 5], [1, 2], 6)
    assert np.isnan(curve).tolist() == [False] * 3 + [True] * 3
    assert curve[0] == pytest.approx((1 / 3 + 2 / 5) / 2)
    assert pass_curve([3, 5], [1, 2]).shape == (3,)
    assert trusted_k([30, 50]) == 15
    assert why_undefined([30, 50], 30) is None
    assert why_undefined([30, 50, 20], 40) == (
        "k = 40 needs 40 samples of every problem; 2 of 3 have fewer (down to 20)"
    )


def test_no_problems_and_no_samples_are_nan() -> None:
    assert np.isnan(pass_curve(5, [], 3)).all()
    assert why_undefined(np.array([], dtype=int), 1) == "there are no problems"
    assert np.isnan(pass_at_k(0, 0, 1))
    assert np.isnan(failure_curve([0], [0], 1)).all()
    assert failure_curve([], [], 4).shape == (0, 4)


@quick
@given(st.integers(1, 60), st.data())
def test_histogram_is_the_mean_over_problems(n: int, data: st.DataObject) -> None:
    c = np.array(data.draw(st.lists(st.integers(0, n), min_size=1, max_size=30)))
    k = np.arange(1, n + 1)
    by_histogram = pass_at_k_from_histogram(n, np.bincount(c, minlength=n + 1), k)
    assert by_histogram == pytest.approx(pass_curve(n, c), abs=1e-14)
    assert pass_at_k_from_histogram(n, np.bincount(c, minlength=n + 1), 1) == pytest.approx(np.mean(c) / n)


def test_histograms_that_are_none() -> None:
    assert np.isnan(pass_at_k_from_histogram(3, [0, 0, 0, 0], 2))
    assert np.isnan(pass_at_k_from_histogram(3, [1, 0, 0, 0], 4))
    for wrong in ([1, 2], [1, 2, 3, -1], [1, 2, 3, math.nan]):
        with pytest.raises(InputError, match="histogram"):
            pass_at_k_from_histogram(3, wrong, 1)


@pytest.mark.parametrize(
    ("n", "c", "k", "said"),
    [
        (3, 4, 1, "0 <= c <= n"),
        (3, -1, 1, "0 <= c <= n"),
        (3.0, 1, 1, "n must hold whole numbers"),
        (3, 1.5, 1, "c must hold whole numbers"),
        (3, True, 1, "c must hold whole numbers"),
        (3, math.nan, 1, "c must hold whole numbers"),
        (3, 1, 0, "1 or more"),
        (3, 1, -2, "1 or more"),
        (3, 1, 1.5, "k must hold whole numbers"),
        ([3, 3], [1, 1, 1], 1, "do not fit"),
    ],
)
def test_what_is_no_count_is_refused(n: object, c: object, k: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        pass_at_k(n, c, k)  # type: ignore[arg-type]


def test_k_max_is_checked() -> None:
    for k_max in (0, -1, 1.0, True):
        with pytest.raises(InputError, match="k must be a whole number"):
            failure_curve(3, [1], k_max)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="0 or more"):
        failure_at_k(3, 1, -1)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_expected_draws_and_cost_against_all_orders(n: int) -> None:
    for c in range(n + 1):
        passed = [1] * c + [0] * (n - c)
        for k in range(1, n + 1):
            draws, cost = [], []
            for order in permutations(passed):
                stop = next((i + 1 for i, p in enumerate(order[:k]) if p), k)
                draws.append(stop)
                cost.append(sum(2.0 if p else 7.0 for p in order[:stop]))
            assert expected_draws(n, c, k) == pytest.approx(np.mean(draws), abs=1e-13)
            assert expected_cost(n, c, k, 2.0, 7.0) == pytest.approx(np.mean(cost), abs=1e-12)


@quick
@given(counts())
def test_expected_draws_is_the_sum_of_survival(count: tuple[int, int]) -> None:
    n, c = count
    survival = np.concatenate([[1.0], failure_curve(n, [c], n)[0][:-1]])
    assert expected_draws_curve(n, [c], n)[0] == pytest.approx(np.cumsum(survival), rel=1e-12)
    assert expected_draws(n, c, np.arange(1, n + 1)) == pytest.approx(np.cumsum(survival), rel=1e-12)
    assert expected_cost(n, c, n, 3.0, 3.0) == pytest.approx(3.0 * expected_draws(n, c, n), rel=1e-12)


def test_expected_draws_at_the_edges() -> None:
    assert expected_draws(10, 0, 7) == 7
    assert expected_draws(10, 10, 7) == 1
    assert expected_draws(10, 4, 0) == 0
    assert np.isnan(expected_draws(10, 4, 11))
    assert expected_cost(10, 0, 7, math.nan, 2.0) == pytest.approx(14)
    assert expected_cost(10, 10, 7, 5.0, math.nan) == pytest.approx(5)
    assert np.isnan(expected_cost(10, 4, 11, 1.0, 1.0))


@quick
@given(counts(60), st.integers(1, 60), st.floats(0, 100))
def test_a_cascade_of_one_model_is_stop_at_first_pass(count: tuple[int, int], k: int, price: float) -> None:
    n, c = count
    k = min(k, n)
    one = cascade([[n]], [[c]], [k], [price])
    assert one.success[0] == pytest.approx(pass_at_k(n, c, k), abs=1e-14)
    assert one.draws[0, 0] == pytest.approx(expected_draws(n, c, k))
    assert one.cost[0] == pytest.approx(price * expected_draws(n, c, k))
    skipped = cascade([[n], [9]], [[c], [4]], [k, 0], [price, 1e9])
    assert skipped.cost[0] == pytest.approx(one.cost[0])


def test_a_cascade_of_two_models_against_all_orders() -> None:
    small, large, k_small, k_large = [1, 0, 0, 0], [1, 1, 0], 2, 2
    costs, wins = [], []
    for first in permutations(small):
        for second in permutations(large):
            cost = won = 0
            for passed, price in [(p, 1) for p in first[:k_small]] + [(p, 10) for p in second[:k_large]]:
                if not won:
                    cost, won = cost + price, passed
            costs.append(cost)
            wins.append(won)
    both = cascade([[4], [3]], [[1], [2]], [k_small, k_large], [1, 10])
    assert both.cost[0] == pytest.approx(np.mean(costs))
    assert both.success[0] == pytest.approx(np.mean(wins))
    assert both.reached[:, 0] == pytest.approx([1, 0.5])


def test_cascades_that_do_not_fit() -> None:
    assert np.isnan(cascade([[4], [3]], [[1], [2]], [2, 4], [1, 10]).success).all()
    for n, c, k, cost in [([4], [1], [2], [1]), ([[4]], [[1]], [2, 3], [1]), ([[4]], [[1]], [2], [1, 2])]:
        with pytest.raises(InputError, match="a cascade needs"):
            cascade(n, c, k, cost)


def test_unbiased_over_samples() -> None:
    """The mean of the estimator over all outcomes of n independent samples is the true 1 - (1-p)^k."""
    n, k, p = 12, 5, 0.3
    chance = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    assert np.dot(chance, pass_at_k(n, np.arange(n + 1), k)) == pytest.approx(1 - (1 - p) ** k, abs=1e-14)
    draws = (1 - (1 - p) ** k) / p
    assert np.dot(chance, expected_draws(n, np.arange(n + 1), k)) == pytest.approx(draws, abs=1e-13)


def test_p3_as_its_authors_report_it(shared_data: Path) -> None:
    published = {
        "short": [2.236, 8.738, 19.382, 29.975],
        "med": [7.140, 26.664, 51.472, 69.018],
        "long": [14.941, 42.381, 63.845, 76.574],
    }
    for group in group_counts(read_counts(shared_data / "p3" / "counts_n1000.jsonl.gz")).values():
        ours = 100 * pass_curve(group.n, group.c, 1000)[[0, 9, 99, 999]]
        assert ours == pytest.approx(published[group.condition], abs=1e-3)


@pytest.mark.parametrize(
    ("file", "key", "k", "published"),
    [
        ("cruxeval/codellama_T0.8.jsonl.gz", ("cruxeval-i", "codellama-7b"), [1, 5, 10], [28.35, 52.92, 63.12]),
        ("cruxeval/codellama_T0.8.jsonl.gz", ("cruxeval-i", "codellama-13b"), [1, 5, 10], [35.25, 62.00, 71.00]),
        ("cruxeval/codellama_T0.8.jsonl.gz", ("cruxeval-i", "codellama-34b"), [1, 5, 10], [41.11, 66.61, 74.88]),
        (
            "evalperf/llama31_counts.jsonl.gz",
            ("evalperf", "meta-llama--Llama-3.1-8B-Instruct"),
            [1, 5, 10, 100],
            [64.35, 84.52, 89.14, 99.15],
        ),
        (
            "evalperf/llama31_counts.jsonl.gz",
            ("evalperf", "meta-llama--Llama-3.1-70B-Instruct"),
            [1, 5, 10, 100],
            [77.26, 93.16, 96.10, 99.15],
        ),
    ],
)
def test_other_public_counts(
    shared_data: Path, file: str, key: tuple[str, str], k: list[int], published: list[float]
) -> None:
    group = group_counts(read_counts(shared_data / file))[*key, ""]
    ours = 100 * pass_at_k(group.n[:, None], group.c[:, None], k).mean(axis=0)
    assert ours == pytest.approx(published, abs=0.01)


def test_codegen_counts(shared_data: Path) -> None:
    (group,) = group_counts(read_counts(shared_data / "codegen16b" / "verdicts.jsonl.gz")).values()
    ours = 100 * pass_curve(group.n, group.c)[[0, 4, 9, 99]]
    assert ours == pytest.approx([22.1, 42.0, 50.4, 73.8], abs=0.051)


@pytest.mark.parametrize("c", [1, 2, 7, 100, 1500])
def test_long_products_are_good_to_1e_14(c: int) -> None:
    n = 100_000
    curve = failure_curve(n, [c], n // 2)[0]
    for k in (1, 1999, 2001, 10_000, 33_333, n // 2):
        few, many = min(c, k), max(c, k)
        passed_over = math.prod(n - many - step for step in range(few))
        exact = Fraction(passed_over, math.prod(n - step for step in range(few)))
        assert abs(float(exact - Fraction(float(curve[k - 1])))) < 1e-14
        assert abs(float(exact - Fraction(float(failure_at_k(n, c, k))))) < 1e-14
    assert failure_at_k(n, 40_000, 30_000) == failure_curve(n, [40_000], 30_000)[0, -1] == 0.0
    assert failure_at_k(n, 50, 40_000) == pytest.approx(failure_curve(n, [50], 40_000)[0, -1], abs=1e-15)
