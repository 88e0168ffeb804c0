"""Choosing a token: against a plain computation, against the exact distribution, with ties, hostile numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chisquare

from isobudget.backends.base import Sampling
from isobudget.backends.llamacpp.sample_token import sample_token


def plain(logits: NDArray[np.float32], temperature: float, top_p: float) -> list[tuple[int, float]]:
    """The tokens that may be drawn, the likeliest first, and their probabilities: every step written out."""
    scaled = [float(one) / temperature for one in logits]
    weights = [math.exp(one - max(scaled)) for one in scaled]
    shares = [(weight / math.fsum(weights), -token) for token, weight in enumerate(weights)]
    kept: list[tuple[int, float]] = []
    for share, token in sorted(shares, reverse=True):
        if kept and top_p < 1 and math.fsum(one for _, one in kept) >= top_p:  # at 1 all are kept, however unlikely
            break
        kept.append((-token, share))
    whole = math.fsum(share for _, share in kept)
    return [(token, share / whole) for token, share in kept]


@given(
    st.lists(st.floats(-30, 30, width=16), min_size=1, max_size=40),
    st.sampled_from([0.2, 0.6, 0.8, 1.0, 1.5]),
    st.sampled_from([0.05, 0.5, 0.9, 0.95, 1.0]),
    st.floats(0, 1, exclude_max=True),
)
def test_a_token_is_where_the_kept_probabilities_pass_the_number(
    values: list[float], temperature: float, top_p: float, number: float
) -> None:
    logits = np.array(values, np.float32)
    token, logprob = sample_token(logits, Sampling(temperature, top_p, 8), number)
    kept = plain(logits, temperature, top_p)
    if top_p == 1:
        kept.sort()  # everything is kept: no order is needed, and the vocabulary's is taken
    below = {one: math.fsum(share for _, share in kept[:place]) for place, (one, share) in enumerate(kept)}
    shares = dict(kept)
    near = 1e-5  # 32 bits: which token is the last one kept, or holds the number, is not known closer
    assert token in shares or plain(logits, temperature, top_p + near)[-1][0] == token
    if token in shares:
        assert below[token] - near <= number <= below[token] + shares[token] + near
    exact = np.asarray(values, np.float64)
    assert logprob == pytest.approx(float(exact[token]) - math.log(np.exp(exact).sum()), abs=1e-4)


def test_draws_follow_the_distribution() -> None:
    random = np.random.default_rng(5)
    logits = (3 * random.standard_normal(3000)).astype(np.float32)
    kept = plain(logits, 0.8, 0.9)
    drawn = [sample_token(logits, Sampling(0.8, 0.9, 8), number)[0] for number in random.random(20_000)]
    counts = np.bincount(drawn, minlength=len(logits))
    assert counts.sum() == sum(counts[token] for token, _ in kept)
    often = [(token, share) for token, share in kept if share * len(drawn) >= 5]
    observed = [counts[token] for token, _ in often]
    expected = [share * len(drawn) for _, share in often]
    observed.append(len(drawn) - sum(observed))
    expected.append(len(drawn) - sum(expected))
    assert chisquare(observed, expected).pvalue > 1e-3


def test_greedy_takes_the_first_of_the_most_likely() -> None:
    logits = np.array([0.5, 2.0, 2.0, -1.0], np.float32)
    assert sample_token(logits, Sampling(0.0, 0.5, 8), 0.99)[0] == 1


def test_ties_are_kept_in_the_order_of_their_numbers() -> None:
    logits = np.zeros(10, np.float32)
    drawn = [sample_token(logits, Sampling(1.0, 0.35, 8), number)[0] for number in (0.0, 0.3, 0.6, 0.99)]
    assert drawn == [0, 1, 2, 3]


@pytest.mark.parametrize("sampling", [Sampling(0.0, 1.0, 8), Sampling(0.8, 0.95, 8), Sampling(0.8, 1.0, 8)])
def test_hostile_numbers(sampling: Sampling) -> None:
    with np.errstate(invalid="ignore"):
        assert math.isnan(sample_token(np.full(4, np.nan, np.float32), sampling, 0.5)[1])
        assert math.isnan(sample_token(np.array([1, np.nan, 2], np.float32), sampling, 0.5)[1])
        assert math.isnan(sample_token(np.full(4, -np.inf, np.float32), sampling, 0.5)[1])
    one = np.array([-np.inf, 3.0, -np.inf], np.float32)
    assert sample_token(one, sampling, 1 - 2**-53) == (1, 0.0)
    far = np.array([1e30, -1e30, 0], np.float32)
    assert sample_token(far, sampling, 1 - 2**-53)[0] == 0


@pytest.mark.parametrize("top_p", [0.95, 1.0])
@pytest.mark.parametrize("temperature", [1e-9, 1e-45, 1e-50, 5e-324])
def test_a_temperature_near_0_takes_the_likeliest_token(temperature: float, top_p: float) -> None:
    logits = np.array([1.0, 3.0, 2.0, -1e4, -math.inf], np.float32)
    assert sample_token(logits, Sampling(temperature, top_p, 1), 0.7)[0] == 1
