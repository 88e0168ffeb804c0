from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.statistics.intervals import bootstrap_weights
from isobudget.statistics.pairs import pair_intervals
from isobudget.statistics.winners import clear_leads, lead_intervals

WEIGHTS = bootstrap_weights(30, 300, 0)


def curves(seed: int, sizes: list[int]) -> list[np.ndarray]:
    """Rising success of 30 problems at so many numbers of samples, for each model."""
    dice = np.random.default_rng(seed)
    difficulty = dice.beta(0.7, 0.7, size=(30, 1))
    return [1 - (1 - difficulty ** dice.uniform(0.5, 2)) ** np.arange(1, size + 1) for size in sizes]


def test_one_number_each_is_a_row_of_a_table() -> None:
    """Where nothing can be chosen, judging everything that can be reached is judging the row."""
    success = curves(1, [1, 1, 1])
    rows_low, rows_high = lead_intervals(np.stack(success), WEIGHTS)
    for at, (low, high) in enumerate(pair_intervals(success, WEIGHTS)):
        assert np.allclose(low, rows_low[0, at], atol=1e-6)
        assert np.allclose(high, rows_high[0, at], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_never_surer_than_any_row_within(seed: int, sizes: list[int]) -> None:
    """Its limit is over more differences than that of any row with one number of each model."""
    success = curves(seed, sizes)
    found = pair_intervals(success, WEIGHTS)
    dice = np.random.default_rng(seed)
    chosen = [int(dice.integers(0, size)) for size in sizes]
    row = np.stack([matrix[:, [at]] for matrix, at in zip(success, chosen, strict=True)])
    low, high = lead_intervals(row, WEIGHTS)
    for at, (one, other) in enumerate(combinations(range(len(sizes)), 2)):
        place = chosen[one], chosen[other]
        assert found[at][0][place] <= low[0, at, 0] + 1e-6
        assert found[at][1][place] >= high[0, at, 0] - 1e-6


def test_turned_round_it_is_the_same() -> None:
    one, other = curves(3, [4, 6])
    ((low, high),) = pair_intervals([one, other], WEIGHTS)
    ((turned_low, turned_high),) = pair_intervals([other, one], WEIGHTS)
    assert np.allclose(low, -turned_high.T)
    assert np.allclose(high, -turned_low.T)
    difference = one.mean(axis=0)[:, np.newaxis] - other.mean(axis=0)
    assert np.all((low <= difference) & (difference <= high))


def test_a_single_problem_has_no_interval() -> None:
    ((low, high),) = pair_intervals([np.ones((1, 2)), np.zeros((1, 3))], bootstrap_weights(1, 100, 0))
    assert low.shape == high.shape == (2, 3)
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_leads_are_clear_where_their_interval_leaves_out_0() -> None:
    success = np.stack(curves(5, [3, 3, 3]))
    for kind, flags in enumerate(clear_leads(success, WEIGHTS)):
        low, high = lead_intervals(success, WEIGHTS)
        for at, (one, other) in enumerate(combinations(range(3), 2)):
            assert np.array_equal(flags[one, other], low[kind, at] > 1e-12)
            assert np.array_equal(flags[other, one], high[kind, at] < -1e-12)
