"""The two guesses: fits against an independent optimiser, predictions where the truth is known, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import betaln
from scipy.stats import betabinom

from isobudget.errors import InputError
from isobudget.importers.counts import group_counts, read_counts
from isobudget.statistics.extrapolation import LABEL, BetaFit, extrapolate, fit_beta_binomial, posterior_failure
from isobudget.statistics.pass_at_k import pass_curve


@pytest.mark.parametrize(("a", "b", "n"), [(0.4, 1.3, 200), (0.05, 2.0, 50), (3.0, 0.7, 30), (8.0, 8.0, 400)])
def test_fit_is_the_maximum_likelihood(a: float, b: float, n: int) -> None:
    c = betabinom.rvs(n, a, b, size=300, random_state=1)
    fit = fit_beta_binomial(n, c)
    other = minimize(lambda x: -betabinom.logpmf(c, n, *np.exp(x)).sum(), [0, 0], method="Nelder-Mead")
    assert (fit.a, fit.b) == pytest.approx(np.exp(other.x), rel=2e-3)
    likelihood = np.sum(betaln(fit.a + c, fit.b + n - c) - betaln(fit.a, fit.b))
    assert fit.log_likelihood == pytest.approx(likelihood, rel=1e-9)


def test_fit_of_weighted_problems_with_unequal_n_is_that_of_repeated_ones() -> None:
    n, c = np.array([10, 40, 40, 25]), np.array([0, 3, 30, 24])
    weights = np.array([2, 1, 3, 1])
    repeated = fit_beta_binomial(np.repeat(n, weights), np.repeat(c, weights))
    weighted = fit_beta_binomial(n, c, weights)
    assert (weighted.a, weighted.b) == pytest.approx((repeated.a, repeated.b), rel=1e-6)


def test_a_degenerate_fit_stops_at_its_bounds() -> None:
    alike = fit_beta_binomial(10, [5] * 20)
    assert alike.a > 1e7
    assert alike.a == pytest.approx(alike.b)
    apart = fit_beta_binomial(10, [0] * 20 + [10] * 20)
    assert max(apart.a, apart.b) < 1e-7


def test_posterior_failure_against_the_beta_function() -> None:
    fit = BetaFit(0.3, 1.7, 0.0)
    r = posterior_failure([20, 20, 50], [0, 5, 5], fit, [1, 7, 1000])
    for row, (n, c) in zip(r, [(20, 0), (20, 5), (50, 5)], strict=True):
        for value, k in zip(row, [1, 7, 1000], strict=True):
            expected = np.exp(betaln(0.3 + c, 1.7 + n - c + k) - betaln(0.3 + c, 1.7 + n - c))
            assert value == pytest.approx(expected, rel=1e-9)


def test_beta_binomial_meets_the_truth_of_its_own_kind() -> None:
    a, b, problems, n, k = 0.3, 1.5, 600, 100, 1000
    c = betabinom.rvs(n, a, b, size=problems, random_state=3)
    truth = 1 - np.exp(betaln(a, b + k) - betaln(a, b))
    guess = extrapolate(n, c, [n, k], replicates=40).beta_binomial
    assert guess.low[1] < truth < guess.high[1]
    assert guess.success[1] == pytest.approx(truth, abs=0.04)
    assert guess.success[0] == pytest.approx(pass_curve(n, c)[-1], abs=0.02)


def test_power_law_meets_the_truth_of_its_own_kind() -> None:
    """Counts whose pass@k is nearly exp(-s k^-t): problems with chances that fall off as a power."""
    generator = np.random.default_rng(0)
    n, k = 200, 2000
    chance = generator.beta(0.15, 2.0, size=4000)
    c = generator.binomial(n, chance)
    truth = np.mean(1 - (1 - chance) ** k)
    guess = extrapolate(n, c, [k], replicates=20).power_law
    assert guess.success[0] == pytest.approx(truth, abs=0.06)
    assert guess.low[0] <= guess.success[0] <= guess.high[0]


def test_p3_from_a_tenth_of_its_samples(shared_data: Path) -> None:
    generator = np.random.default_rng(0)
    for group in group_counts(read_counts(shared_data / "p3" / "counts_n1000.jsonl.gz")).values():
        actual = pass_curve(group.n, group.c, 1000)[-1]
        c = generator.hypergeometric(group.c, group.n - group.c, 100)
        both = extrapolate(100, c, [1000], replicates=10)
        assert both.beta_binomial.success[0] == pytest.approx(actual, abs=0.05)
        assert both.power_law.success[0] == pytest.approx(actual, abs=0.07)


def test_it_carries_its_label_and_its_seed() -> None:
    c = [0, 1, 3, 8, 10, 0, 2]
    one, other = (extrapolate(10, c, [20, 40], replicates=15, seed=4) for _ in range(2))
    assert one.label == LABEL
    assert "guess" in one.label
    assert np.array_equal(one.beta_binomial.low, other.beta_binomial.low)
    assert np.all(np.diff(one.beta_binomial.success) > 0)
    assert np.all(np.diff(one.power_law.success) > 0)


def test_a_power_law_through_certainty_is_nan() -> None:
    guess = extrapolate(16, [16, 16, 15, 15], [32], replicates=10)
    assert np.isnan(guess.power_law.success).all()
    assert np.isnan(guess.power_law.low).all()
    assert np.isfinite(guess.beta_binomial.high).all()
    assert np.isfinite(guess.beta_binomial.success).all()


@pytest.mark.parametrize(
    ("n", "c", "k", "said"),
    [
        (10, [3], [20], "two problems"),
        (10, [0, 0], [20], "some samples that passed"),
        (10, [10, 10], [20], "some that failed"),
        (3, [1, 2], [20], "at least 4 samples"),
        (10, [1, 2], [0], "1 or more"),
        (10, [1, 20], [20], "0 <= c <= n"),
    ],
)
def test_what_it_refuses(n: int, c: list[int], k: list[int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        extrapolate(n, c, k, replicates=5)


def test_the_band_spans_both_models() -> None:
    c = np.random.default_rng(1).binomial(20, np.random.default_rng(2).beta(0.4, 1, 80))
    found = extrapolate(20, c, [40, 160], replicates=60)
    one, other = found.beta_binomial, found.power_law
    assert (one.low == other.low).all()
    assert (one.high == other.high).all()
    for guess in (one, other):
        assert (guess.low <= guess.success).all()
        assert (guess.success <= guess.high).all()


def test_the_band_holds_what_was_held_out(shared_data: Path) -> None:
    """Fitted to some of 1,000 samples, held against the rest: nine in ten, here of 24 cases."""
    rng, held = np.random.default_rng(0), []
    for group in group_counts(read_counts(shared_data / "p3" / "counts_n1000.jsonl.gz")).values():
        for n in (20, 100):
            for _ in range(2):
                c = rng.hypergeometric(group.c, group.n - group.c, n)
                truth = pass_curve(group.n - n, group.c - c, 8 * n)[[2 * n - 1, 8 * n - 1]]
                guess = extrapolate(n, c, [2 * n, 8 * n], replicates=100).beta_binomial
                held += list((guess.low <= truth) & (truth <= guess.high))
    assert len(held) == 24
    assert np.mean(held) >= 0.9


def test_the_same_counts_are_fitted_once() -> None:
    n, c = np.array([5, 5, 9]), np.array([1, 4, 2])
    once = fit_beta_binomial(n, c)
    assert fit_beta_binomial(n[::-1], c[::-1]) is once
    assert fit_beta_binomial(n, c, [1, 2, 1]) != once
    assert fit_beta_binomial(n, c[::-1]) != once
