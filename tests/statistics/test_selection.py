"""Selectors of the whole set: random prefixes against brute force, with the error that they state."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from isobudget.errors import InputError
from isobudget.statistics.prefixes import MajorityVote, PrefixCurve, prefix_curve

ANSWERS = np.array([0, 0, 1, 2, 1, -1, 0, -1])
PASSED = np.array([1, 1, 0, 0, 0, 1, 1, 0], dtype=float)


def brute(k: int) -> float:
    vote = MajorityVote(ANSWERS)
    subsets = combinations(range(len(ANSWERS)), k)
    return float(np.mean([PASSED[vote.choose(np.array(subset))].mean() for subset in subsets]))


def test_majority_chooses_the_most_frequent_answer() -> None:
    vote = MajorityVote(ANSWERS)
    assert vote.choose(np.array([2, 4, 0])).tolist() == [2, 4]
    assert vote.choose(np.array([3, 0])).tolist() == [3, 0]
    assert vote.choose(np.array([5, 7])).tolist() == [5, 7]
    assert vote.choose(np.array([5, 7, 3])).tolist() == [3]


def test_the_stated_error_is_the_actual_one() -> None:
    """Over many seeds, the estimate misses the exact mean by about its own standard error."""
    k = [1, 2, 3, 5]
    exact = np.array([brute(size) for size in k])
    runs = [prefix_curve([PASSED] * 2, [MajorityVote(ANSWERS)] * 2, k, orders=40, seed=seed) for seed in range(60)]
    misses = np.array([(run.success - exact) / run.standard_error for run in runs])
    assert np.abs(misses.mean(axis=0)).max() < 0.5
    assert 0.7 < misses.std() < 1.3


def test_the_whole_set_has_no_error_and_beyond_it_is_nan() -> None:
    curve = prefix_curve([PASSED], [MajorityVote(ANSWERS)], [len(PASSED), len(PASSED) + 1], orders=5)
    assert isinstance(curve, PrefixCurve)
    assert curve.success[0] == brute(len(PASSED))
    assert curve.standard_error[0] == 0
    assert np.isnan([curve.success[1], curve.standard_error[1]]).all()


def test_same_seed_same_curve_and_unequal_n() -> None:
    passed, selectors = [PASSED, PASSED[:3]], [MajorityVote(ANSWERS), MajorityVote(ANSWERS[:3])]
    one, other = (prefix_curve(passed, selectors, [1, 3], seed=7) for _ in range(2))
    assert np.array_equal(one.success, other.success)
    assert one.per_problem.shape == (2, 2)
    assert one.per_problem[1, 1] == 1


@pytest.mark.parametrize(
    ("passed", "k", "orders", "said"),
    [
        ([], [1], 5, "one selector"),
        ([PASSED] * 2, [1], 5, "one selector"),
        ([PASSED], [0], 5, "k of 1"),
        ([PASSED], [1], 1, "2 orders"),
    ],
)
def test_bad_input(passed: list[np.ndarray], k: list[int], orders: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        prefix_curve(passed, [MajorityVote(ANSWERS)], k, orders=orders)
