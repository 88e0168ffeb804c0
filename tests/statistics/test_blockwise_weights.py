"""Weights that are not held: the same as the matrix by problem, the same distribution by kind."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.statistics import blockwise_weights
from isobudget.statistics.blockwise_weights import BlockwiseWeights, kinds, problem_blocks
from isobudget.statistics.intervals import (
    bootstrap_curve,
    bootstrap_difference,
    bootstrap_weights,
    mean_replicates,
    weighted_means,
    weights_of,
)
from isobudget.statistics.winners import lead_intervals


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 70), st.integers(0, 5))
def test_blocks_of_any_size_give_the_same_weights(problems: int, replicates: int, rows: int, seed: int) -> None:
    blocks = list(problem_blocks(problems, replicates, seed, rows))
    assert max(map(len, blocks)) <= rows
    assert np.array_equal(np.concatenate(blocks), bootstrap_weights(problems, replicates, seed))


def test_few_problems_are_held_and_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert np.array_equal(np.asarray(weights_of(50, 200, 1)), bootstrap_weights(50, 200, 1))
    assert weights_of(50, 200, 1) is weights_of(50, 200, 1)
    monkeypatch.setattr(blockwise_weights, "MANY", 49)
    assert weights_of(50, 200, 1) == BlockwiseWeights(50, 200, 1)


@pytest.mark.parametrize("block", [1, 300, 10**6])
def test_means_by_problem_are_those_of_the_matrix(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockwise_weights, "_BLOCK", block)
    values, weights = np.random.default_rng(0).random((80, 5)), bootstrap_weights(80, 400, 2)
    values[:, 3] = np.nan
    ours = BlockwiseWeights(80, 400, 2)
    assert ours.means(values) == pytest.approx(weights @ values / 80, abs=1e-14, nan_ok=True)
    assert mean_replicates(values, ours) == pytest.approx(mean_replicates(values, weights), abs=1e-7, nan_ok=True)
    for one, other in zip(
        weighted_means([values, values[:, :1]], ours), weighted_means([values, values[:, :1]], weights), strict=True
    ):
        assert one == pytest.approx(other, abs=1e-14, nan_ok=True)


def test_intervals_by_kind_are_those_of_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockwise_weights, "MANY", 100)
    rng = np.random.default_rng(3)
    one, other = (rng.binomial(4, p, (2000, 1)) / [4, 5] for p in (0.3, 0.35))
    ours, weights = BlockwiseWeights(2000, 10_000, 0), bootstrap_weights(2000, 10_000, 1)
    assert len(kinds(np.concatenate([one, other], axis=1))[1]) * blockwise_weights._KIND < 2000
    both = np.stack([one, other])
    for found, expected in (
        (bootstrap_curve(one, ours), bootstrap_curve(one, weights)),
        (bootstrap_difference(one, other, ours), bootstrap_difference(one, other, weights)),
        (lead_intervals(both, ours), lead_intervals(both, weights)),
    ):
        assert np.stack(found) == pytest.approx(np.stack(expected), abs=1.5e-3)


def test_what_is_compared_by_kind_stays_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockwise_weights, "MANY", 100)
    values = np.random.default_rng(4).binomial(3, 0.5, (1000, 1)) / 3
    first, second = mean_replicates(np.concatenate([values, 1 - values], axis=1), BlockwiseWeights(1000, 500, 0))
    assert first == pytest.approx(-second, abs=1e-7)


def test_kinds_count_equal_rows() -> None:
    rows, many = kinds(np.array([[0.5, 1.0], [0.0, 1.0], [0.5, 1.0]]))
    assert dict(zip(map(tuple, rows.tolist()), many.tolist(), strict=True)) == {(0.5, 1.0): 2, (0.0, 1.0): 1}


def test_a_hundred_thousand_problems_in_200_megabytes() -> None:
    values = np.random.default_rng(5).random((100_000, 2))
    tracemalloc.start()
    low, high = bootstrap_curve(values, BlockwiseWeights(100_000, 200, 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.all((low < values.mean(axis=0)) & (values.mean(axis=0) < high) & (high - low < 0.006))
    assert peak < 200e6


def test_what_would_take_too_long_is_refused_with_what_fits() -> None:
    values = np.random.default_rng(6).random((1_000_000, 1))
    with pytest.raises(InputError, match=r"1,000,000 of them different.* use at most 6,000 replicates"):
        BlockwiseWeights(1_000_000, 10_000, 0).means(values)
