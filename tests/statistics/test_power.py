"""The power of a paired comparison: the split of the variance by brute force, and what is found by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from isobudget.errors import InputError
from isobudget.statistics.intervals import student_limit
from isobudget.statistics.pass_at_k import failure_curve
from isobudget.statistics.power import paired_power, sampling_variance

TRIALS = 2000


@pytest.mark.parametrize(("n", "k"), [(4, 1), (6, 2), (7, 3), (10, 5)])
def test_the_sampling_variance_is_unbiased(n: int, k: int) -> None:
    """Over all outcomes of n samples: the expected r_k^2 - r_2k is the variance of r_k."""
    for p in (0.05, 0.3, 0.8):
        chance = stats.binom.pmf(np.arange(n + 1), n, p)
        r = failure_curve(n, np.arange(n + 1), 2 * k)
        variance = chance @ r[:, k - 1] ** 2 - (chance @ r[:, k - 1]) ** 2
        assert chance @ sampling_variance(r[:, k - 1], r[:, 2 * k - 1]) == pytest.approx(variance, abs=1e-12)


def drawn(rng: np.random.Generator, problems: int, n: int, lift: float, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Differences of success and their sampling variances, each of shape (trials, problems), at one sample."""
    chance = rng.beta(1.5, 1.5, (trials, problems)) * 0.6
    other = np.clip(chance + lift + rng.choice([-0.1, 0.1], chance.shape), 0, 1)
    passed = [rng.binomial(n, one) for one in (other, chance)]
    noise = [(c / n) * (1 - c / n) / (n - 1) for c in passed]
    return (passed[0] - passed[1]) / n, noise[0] + noise[1]


def found(differences: np.ndarray) -> float:
    """Share of trials in which the paired t-test finds the first model better."""
    problems = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / math.sqrt(problems)
    return float((differences.mean(axis=1) / error > student_limit(problems, 0.95)).mean())


def test_the_detectable_difference_is_found_in_80_percent_of_cases() -> None:
    for problems, n in ((30, 5), (120, 10)):
        rng = np.random.default_rng(problems)
        lift = 0.1
        for _ in range(
            3
        ):  # the variances depend on the lift; what is drawn has it within rounding of chances to [0, 1]
            pilot = paired_power(*(one[0] for one in drawn(rng, 40_000, n, lift, 1)))
            wanted = pilot.error * math.sqrt(40_000 / problems) * (student_limit(problems, 0.95) + stats.norm.ppf(0.8))
            lift *= wanted / pilot.difference
        share = found(drawn(rng, problems, n, lift, TRIALS)[0])
        assert share == pytest.approx(0.8, abs=0.03)
        (trial, noise) = (one[0] for one in drawn(rng, problems, n, lift, 1))
        assert paired_power(trial, noise).detectable == pytest.approx(wanted, rel=0.3)


def test_the_split_is_that_of_the_truth() -> None:
    rng = np.random.default_rng(5)
    n = 6
    power = paired_power(*(one[0] for one in drawn(rng, 40_000, n, 0.1, 1)))
    chance = rng.beta(1.5, 1.5, 400_000) * 0.6
    other = np.clip(chance + 0.1 + rng.choice([-0.1, 0.1], chance.shape), 0, 1)
    assert power.between == pytest.approx((other - chance).var(), rel=0.15)
    assert power.within == pytest.approx(((chance * (1 - chance) + other * (1 - other)) / n).mean(), rel=0.02)
    assert power.between + power.within == pytest.approx(power.error**2 * 40_000)
    assert power.difference == pytest.approx((other - chance).mean(), abs=0.01)


def test_so_many_problems_or_samples_find_it() -> None:
    """What is said to be needed, by the truth's own variances, is: 80 % of trials find the difference."""
    rng, n, problems = np.random.default_rng(9), 4, 60
    truth = paired_power(*(one[0] for one in drawn(rng, 40_000, n, 0.06, 1)))
    at_hand = np.full(problems, truth.difference) + np.resize([1.0, -1.0], problems) * math.sqrt(
        (truth.between + truth.within) * (problems - 1) / problems
    )
    power = paired_power(at_hand, np.full(problems, truth.within))
    assert (power.between, power.within) == (pytest.approx(truth.between), pytest.approx(truth.within))
    assert found(drawn(rng, problems, n, 0.06, TRIALS)[0]) < 0.7
    assert found(drawn(rng, math.ceil(power.problems), n, 0.06, TRIALS)[0]) == pytest.approx(0.8, abs=0.04)
    assert 1 < power.samples < 100
    assert found(drawn(rng, problems, math.ceil(n * power.samples), 0.06, TRIALS)[0]) == pytest.approx(0.8, abs=0.04)


def test_where_no_samples_would_help() -> None:
    """All of the variance lies between problems: more samples change nothing, more problems do."""
    power = paired_power([1.0, -1.0, 1.0, -1.0, 1.0], np.zeros(5))
    assert (power.within, power.samples) == (0.0, math.inf)
    assert power.problems > 5
    level = paired_power([0.5, -0.5], [0.1, 0.1])
    assert (level.difference, level.problems, level.samples) == (0.0, math.inf, math.inf)
    unknown = paired_power([0.5, -0.4, 0.1], [math.nan, 0.1, 0.1])
    assert math.isnan(unknown.within)
    assert math.isnan(unknown.between)
    assert math.isnan(unknown.samples)
    assert unknown.problems > 3


def test_the_noise_is_never_more_than_there_is() -> None:
    power = paired_power([0.1, 0.2, 0.15], [5.0, 5.0, 5.0])
    assert power.within == pytest.approx(np.var([0.1, 0.2, 0.15], ddof=1))
    assert power.between == 0
    assert paired_power([0.1, 0.2, 0.15], [-1.0, 0.0, 0.0]).within == 0


def test_what_cannot_be_told() -> None:
    with pytest.raises(InputError, match="two problems or more"):
        paired_power([0.5], [0.0])
    with pytest.raises(InputError, match="a power lies between 0 and 1"):
        paired_power([0.5, 0.1], [0.0, 0.0], power=1.0)


@pytest.mark.parametrize("problems", [12, 30, 164])
def test_students_limit(problems: int) -> None:
    assert student_limit(problems, 0.95) == pytest.approx(stats.t.ppf(0.975, problems - 1), rel=2e-4)
