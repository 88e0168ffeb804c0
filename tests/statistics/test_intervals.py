"""Intervals: against an independent bootstrap, exact variances, simulated coverage, and verdicts that must come out."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isobudget.errors import InputError
from isobudget.statistics.intervals import (
    FEW,
    bootstrap_curve,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_weights,
    effective_problems,
    fixed_benchmark_interval,
    fixed_benchmark_variance,
    widened_tail,
)
from isobudget.statistics.pass_at_k import failure_curve, pass_at_k, pass_curve


def spread(problems: int, points: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).beta(0.8, 1.2, (problems, points))


def test_weights_draw_as_many_problems_as_there_are() -> None:
    weights = bootstrap_weights(37, 5000, seed=3)
    assert weights.shape == (5000, 37)
    assert np.all(weights.sum(axis=1) == 37)
    assert np.array_equal(weights, bootstrap_weights(37, 5000, seed=3))
    assert not np.array_equal(weights, bootstrap_weights(37, 5000, seed=4))
    counts = np.bincount(weights.ravel(), minlength=4)[:4] / weights.size
    assert counts == pytest.approx(stats.binom.pmf(range(4), 37, 1 / 37), abs=0.005)
    for problems, replicates in ((0, 10), (10, 0)):
        with pytest.raises(InputError):
            bootstrap_weights(problems, replicates)


def test_percentiles_are_those_of_a_plain_bootstrap_at_the_widened_level() -> None:
    values = spread(60)
    weights = bootstrap_weights(60, 10_000)
    low, high = bootstrap_mean(values, weights)
    means = weights @ values / 60
    tail = widened_tail(60, 0.95)
    assert low == pytest.approx(np.quantile(means, tail, axis=0), abs=3e-4)
    assert high == pytest.approx(np.quantile(means, 1 - tail, axis=0), abs=3e-4)
    curve_low, curve_high = bootstrap_curve(values, weights)
    assert np.array_equal(low, curve_low)
    assert np.array_equal(high, curve_high)


def test_more_points_than_a_block_are_each_by_themselves() -> None:
    values = spread(30, 600)
    weights = bootstrap_weights(30, 500)
    low, high = bootstrap_curve(values, weights)
    for at in (0, 255, 256, 599):
        one_low, one_high = bootstrap_curve(values[:, [at]], weights)
        assert (one_low[0], one_high[0]) == pytest.approx((low[at], high[at]), abs=1e-6)


@pytest.mark.parametrize("problems", [6, 10, 50, 164, 5000])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_widened_tail_follows_students_t(problems: int, level: float) -> None:
    t = stats.t.ppf((1 - level) / 2, problems - 1)
    expected = stats.norm.cdf(t * math.sqrt(problems / (problems - 1)))
    assert widened_tail(problems, level) == pytest.approx(expected, rel=0.03)
    assert widened_tail(problems, level) < (1 - level) / 2


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    with pytest.raises(InputError, match="level"):
        bootstrap_curve(spread(30), bootstrap_weights(30, 500), level)


def test_effective_problems() -> None:
    values = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]])
    assert effective_problems(values).tolist() == [4, 1, 0]
    assert effective_problems(-values / 3) == pytest.approx([4, 1, 0])


def test_a_saturated_curve_does_not_claim_certainty() -> None:
    """118 of 118 problems solved: the rule of three leaves about 3 % open."""
    low, high = bootstrap_curve(np.ones((118, 1)), bootstrap_weights(118, 2000))
    assert 0.96 < low[0] < 0.975
    assert high[0] == 1
    low, high = bootstrap_curve(np.zeros((118, 1)), bootstrap_weights(118, 2000))
    assert low[0] == 0
    assert 0.025 < high[0] < 0.04


def test_few_deciding_problems_stretch_and_many_do_not() -> None:
    weights = bootstrap_weights(100, 4000)
    few, many = np.zeros((2, 100, 1))
    few[: FEW - 1], many[: FEW + 1] = 1, 1
    for values, stretched in ((few, True), (many, False)):
        plain, ours = bootstrap_mean(values, weights), bootstrap_curve(values, weights)
        assert (ours[1][0] > plain[1][0]) == stretched
        assert ours[0][0] <= plain[0][0]


def test_a_difference_is_paired() -> None:
    """Two models that differ by the same on every problem differ for certain, however unlike the problems are."""
    weights = bootstrap_weights(80, 2000)
    small = 0.8 * spread(80)
    low, high = bootstrap_difference(small + 0.1, small, weights)
    assert low == pytest.approx([0.1] * 3, abs=1e-6)
    assert high == pytest.approx([0.1] * 3, abs=1e-6)


def test_models_alike_on_all_problems_are_not_known_to_be_equal() -> None:
    values = spread(80)
    low, high = bootstrap_difference(values, values, bootstrap_weights(80, 2000))
    assert np.all(low < -0.02)
    assert np.all(high > 0.02)
    assert low == pytest.approx(-high)


@pytest.mark.parametrize(("wins", "clear"), [(3, False), (4, False), (6, True), (12, True)])
def test_few_discordant_problems_as_by_mcnemar(wins: int, clear: bool) -> None:
    """All-or-nothing wins on a few problems and no loss: clear about where the exact sign test is."""
    one, other = np.zeros((2, 164, 1))
    one[:wins] = 1
    low, _ = bootstrap_difference(one, other, bootstrap_weights(164, 4000))
    assert (low[0] > 0) == clear
    assert (stats.binomtest(wins, wins).pvalue < 0.05) == clear


def test_nan_stays_in_its_column_and_one_problem_has_no_interval() -> None:
    values = spread(30)
    values[4, 1] = math.nan
    low, high = bootstrap_curve(values, bootstrap_weights(30, 500))
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, False]
    assert np.isnan(bootstrap_curve([[0.5]], bootstrap_weights(1, 500))).all()


def test_two_problems_get_the_widest_interval_there_is() -> None:
    low, high = bootstrap_curve([[0.2], [0.6]], bootstrap_weights(2, 10_000))
    assert low[0] <= 0.2
    assert high[0] >= 0.6


def test_bad_shapes_and_values() -> None:
    weights = bootstrap_weights(30, 500)
    with pytest.raises(InputError, match="fit the weights"):
        bootstrap_curve(spread(29), weights)
    with pytest.raises(InputError, match="same problems"):
        bootstrap_difference(spread(30), spread(30, 2), weights)
    with pytest.raises(InputError, match=r"success lies in \[0, 1\]"):
        bootstrap_curve(100 * spread(30), weights)
    with pytest.raises(InputError, match=r"success lies in \[0, 1\]"):
        bootstrap_difference(100 * spread(30), spread(30), weights)
    with pytest.raises(InputError, match="too few for level"):
        bootstrap_curve(spread(30), bootstrap_weights(30, 20))
    assert bootstrap_mean(100 * spread(30), weights)[0].min() > 1


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 60), st.data())
def test_fixed_variance_is_never_negative_and_nan_beyond_half(n: int, data: st.DataObject) -> None:
    c = data.draw(st.lists(st.integers(0, n), min_size=1, max_size=8))
    variance = fixed_benchmark_variance(n, c, np.arange(1, n + 1))
    assert np.array_equal(np.isnan(variance), np.arange(1, n + 1) > n // 2)
    r = failure_curve(n, c, n)
    half = n // 2
    assert np.all(r[:, :half] ** 2 >= r[:, 1 : 2 * half : 2] - 1e-15)
    assert np.all(variance[:half] >= 0)


def test_fixed_variance_is_unbiased() -> None:
    """Summed over every outcome of n samples of two problems, its mean is the true variance of mean pass@k."""
    n, k, chances = 8, 3, (0.3, 0.75)
    estimate = variance = 0.0
    truth = np.mean([1 - (1 - p) ** k for p in chances])
    for c in product(range(n + 1), repeat=2):
        weight = math.prod(float(stats.binom.pmf(x, n, p)) for x, p in zip(c, chances, strict=True))
        estimate += weight * float(fixed_benchmark_variance(n, list(c), k))
        variance += weight * (pass_at_k(n, np.array(c), k).mean() - truth) ** 2
    assert estimate == pytest.approx(variance, rel=1e-10)


def test_fixed_interval_surrounds_the_curve_and_stays_in_bounds() -> None:
    n, c, k = [40, 60, 50], [1, 30, 49], np.arange(1, 21)
    low, high = fixed_benchmark_interval(n, c, k)
    centre = pass_curve(n, c)[:20]
    assert np.all((low >= 0) & (low < centre) & (centre < high) & (high <= 1))
    half = stats.norm.ppf(0.975) * math.sqrt(float(fixed_benchmark_variance(n, c, 1)))
    assert high[0] - centre[0] == pytest.approx(half)
    with pytest.raises(InputError, match="1 or more"):
        fixed_benchmark_variance(n, c, 0)
    assert math.isnan(fixed_benchmark_variance(5, [], 1))


@pytest.mark.parametrize(("problems", "k"), [(50, 1), (164, 1), (164, 10)])
def test_coverage_over_problems(problems: int, k: int) -> None:
    """Nominal 95 % holds the true mean in 93 to 97 % of trials (2,000 of them: within 0.5 either way)."""
    a, b, n, trials = 0.4, 1.0, 100, 2000
    generator = np.random.default_rng(5)
    c = generator.binomial(n, generator.beta(a, b, (problems, trials)))
    values = pass_at_k(n, np.arange(n + 1), k)[c]
    truth = 1 - math.prod((b + j) / (a + b + j) for j in range(k))
    low, high = bootstrap_curve(values, bootstrap_weights(problems, 4000))
    held = np.mean((low <= truth) & (truth <= high))
    assert 0.93 <= held <= 0.97


def test_resampling_samples_would_be_biased_and_ours_is_not() -> None:
    """Why samples are never resampled with replacement: at large k pass@k of the resample is far too low."""
    generator = np.random.default_rng(0)
    n, k, chance = 100, 100, 0.01
    c = generator.binomial(n, chance, 4000)
    resampled = generator.binomial(n, c / n)
    truth = 1 - (1 - chance) ** k
    assert pass_at_k(n, c, k).mean() == pytest.approx(truth, abs=0.025)
    assert pass_at_k(n, resampled, k).mean() < truth - 0.15
