"""Rank-score@k against brute force, exact rationals, identities and published data; ties, discarded samples, types."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.errors import InputError
from isobudget.importers.counts import group_counts, read_counts
from isobudget.statistics.pass_at_k import (
    SampleScores,
    pass_curve,
    rank_score_at_k,
    rank_score_curve,
    rank_score_curves,
)
from isobudget.statistics.prefixes import MajorityVote
from isobudget.statistics.rank_score import pad

quick = settings(deadline=None, max_examples=60)
samples = st.lists(st.tuples(st.booleans(), st.integers(-3, 3), st.booleans()), min_size=1, max_size=40)


def exact(passed: list[bool], scores: list[float], k: int) -> Fraction:
    """The paper's formula in rationals, each tie group replaced by its mean."""
    n = len(passed)
    ranked = sorted(zip(scores, passed, strict=True), key=lambda pair: -pair[0])
    places: list[Fraction] = []
    for _, group in groupby(ranked, key=lambda pair: pair[0]):
        held = [right for _, right in group]
        places += [Fraction(sum(held), len(held))] * len(held)
    return sum(
        (Fraction(math.comb(n - i, k - 1)) * places[i - 1] for i in range(1, n - k + 2)), Fraction(0)
    ) / math.comb(n, k)


def brute(passed: list[bool], scores: list[float], k: int) -> float:
    """Mean over all subsets of size k of the mean success of the best-scored in it."""
    outcomes = []
    for subset in combinations(range(len(passed)), k):
        best = max(scores[i] for i in subset)
        outcomes.append(np.mean([passed[i] for i in subset if scores[i] == best]))
    return float(np.mean(outcomes))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(-2, 2)), min_size=1, max_size=8))
def test_brute_force_over_all_subsets_with_ties(rows: list[tuple[bool, int]]) -> None:
    passed, scores = [p for p, _ in rows], [float(s) for _, s in rows]
    curve = rank_score_curve(passed, SampleScores(scores))
    assert curve == pytest.approx([brute(passed, scores, k) for k in range(1, len(rows) + 1)], abs=1e-14)


@quick
@given(samples)
def test_against_exact_rationals(rows: list[tuple[bool, int, bool]]) -> None:
    passed, scores = [r[0] for r in rows], [float(r[1]) for r in rows]
    curve = rank_score_curve(passed, SampleScores(scores))
    assert curve == pytest.approx([float(exact(passed, scores, k)) for k in range(1, len(rows) + 1)], abs=1e-14)


def test_large_n_against_exact_rationals() -> None:
    """Far beyond k = 230, where binomials no longer fit a float."""
    generator = np.random.default_rng(0)
    n = 2000
    passed = (generator.random(n) < 0.3).tolist()
    scores = generator.normal(size=n).round(2).tolist()
    curve = rank_score_curve(passed, SampleScores(scores), k_max=1000)
    for k in (1, 2, 64, 65, 229, 231, 500, 1000):
        assert curve[k - 1] == pytest.approx(float(exact(passed, scores, k)), abs=1e-13)


@quick
@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_one_tie_group_is_pass_at_1(passed: list[bool]) -> None:
    curve = rank_score_curve(passed, SampleScores(np.zeros(len(passed))))
    assert curve == pytest.approx(np.full(len(passed), np.mean(passed)), abs=1e-14)


@quick
@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_perfect_ranker_is_pass_at_k_and_the_worst_needs_all_to_pass(passed: list[bool]) -> None:
    right = np.array(passed, dtype=float)
    n, c = len(passed), int(right.sum())
    assert rank_score_curve(passed, SampleScores(right)) == pytest.approx(pass_curve(n, [c]), abs=1e-14)
    worst = 1 - pass_curve(n, [n - c])
    assert rank_score_curve(passed, SampleScores.lower_is_better(right)) == pytest.approx(worst, abs=1e-14)


@quick
@given(samples, st.randoms(use_true_random=False))
def test_order_and_monotone_rescaling_do_not_matter(rows: list[tuple[bool, int, bool]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = rank_score_curve([r[0] for r in rows], SampleScores([r[1] for r in rows]))
    other = rank_score_curve([r[0] for r in shuffled], SampleScores([math.exp(r[1]) for r in shuffled]))
    assert one == pytest.approx(other, abs=1e-13)


def test_at_k_is_the_curve() -> None:
    places = [1, 0, 1, 0.5, 0]
    curve = rank_score_curve(places, SampleScores([5, 4, 3, 2, 1]))
    assert [rank_score_at_k(places, k) for k in range(1, 6)] == pytest.approx(curve, abs=1e-15)
    assert math.isnan(rank_score_at_k(places, 6))
    assert math.isnan(rank_score_at_k([], 1))
    for bad in (0, -1):
        with pytest.raises(InputError):
            rank_score_at_k(places, bad)


@quick
@given(samples)
def test_discarded_samples_rank_last_or_are_dropped(rows: list[tuple[bool, int, bool]]) -> None:
    passed, aside = [r[0] for r in rows], [r[2] for r in rows]
    scores = [math.nan if r[2] else float(r[1]) for r in rows]
    last = [-100.0 if r[2] else float(r[1]) for r in rows]
    kept = [(p, s) for p, s, gone in zip(passed, last, aside, strict=True) if not gone]
    default = rank_score_curve(passed, SampleScores(scores), discarded=aside)
    assert default == pytest.approx([float(exact(passed, last, k)) for k in range(1, len(rows) + 1)], abs=1e-13)
    dropped = rank_score_curve(passed, SampleScores(scores), discarded=aside, drop=True)
    expected = [float(exact([p for p, _ in kept], [s for _, s in kept], k)) for k in range(1, len(kept) + 1)]
    assert dropped[: len(kept)] == pytest.approx(expected, abs=1e-13)
    assert np.isnan(dropped[len(kept) :]).all()


def test_infinite_scores_are_scores() -> None:
    curve = rank_score_curve([1, 0, 0], SampleScores([-math.inf, math.inf, math.nan]), discarded=[0, 0, 1])
    assert curve == pytest.approx([1 / 3, 1 / 3, 0])


@quick
@given(st.lists(samples, min_size=1, max_size=6), st.booleans())
def test_many_problems_of_unequal_n_are_each_by_itself(
    problems: list[list[tuple[bool, int, bool]]], drop: bool
) -> None:
    passed, n = pad([[r[0] for r in rows] for rows in problems])
    scores, _ = pad([[r[1] for r in rows] for rows in problems])
    aside, _ = pad([[r[2] for r in rows] for rows in problems])
    padding = np.arange(passed.shape[1]) >= n[:, None]
    passed[padding], aside[padding], scores[padding] = 1, 1, math.nan
    curves = rank_score_curves(passed, SampleScores(scores), n=n, discarded=aside, drop=drop)
    for curve, rows in zip(curves, problems, strict=True):
        scores_alone = SampleScores([r[1] for r in rows])
        alone = rank_score_curve([r[0] for r in rows], scores_alone, discarded=[r[2] for r in rows], drop=drop)
        assert curve[: len(rows)] == pytest.approx(alone, abs=1e-14, nan_ok=True)
        assert np.isnan(curve[len(rows) :]).all()


def test_k_max_beyond_n_is_nan() -> None:
    curve = rank_score_curve([1, 0], SampleScores([1, 2]), k_max=4)
    assert curve == pytest.approx([0.5, 0, math.nan, math.nan], nan_ok=True)


def test_a_selector_of_the_whole_set_cannot_be_rank_scored() -> None:
    for wrong in (MajorityVote(np.array([0, 0, 1])), np.array([0.1, 0.2, 0.3]), [1, 2, 3]):
        with pytest.raises(TypeError, match="prefix_curve"):
            rank_score_curve([1, 0, 1], wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="prefix_curve"):
            rank_score_curves([[1, 0, 1]], wrong)  # type: ignore[arg-type]


def test_bad_shapes_and_missing_scores() -> None:
    scores = SampleScores([[1.0, math.nan]])
    with pytest.raises(InputError, match="sample 1 of problem 0 has no score"):
        rank_score_curves([[1, 0]], scores)
    with pytest.raises(
        InputError, match=r"the same shape \(problems, n_max\), and n must have the shape \(problems,\)"
    ):
        rank_score_curves([[1, 0, 0]], scores)
    with pytest.raises(InputError, match="n must lie between"):
        rank_score_curves([[1, 0]], scores, n=[3])
    with pytest.raises(
        InputError, match=r"the same shape \(problems, n_max\), and n must have the shape \(problems,\)"
    ):
        rank_score_curves([[1, 0]], scores, n=[1, 1])


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("codellama-7b", [28.35, 32.29, 34.31, 36.52, 39.38]),
        ("codellama-13b", [35.25, 40.59, 43.30, 45.86, 47.62]),
        ("codellama-34b", [41.11, 45.73, 47.74, 49.55, 51.25]),
    ],
)
def test_cruxeval_in_list_order(shared_data: Path, model: str, published: list[float]) -> None:
    group = group_counts(read_counts(shared_data / "cruxeval" / "codellama_T0.8.jsonl.gz"))["cruxeval-i", model, ""]
    passed = np.array(group.passed)
    place = SampleScores.lower_is_better(np.tile(np.arange(10.0), (800, 1)))
    ours = 100 * rank_score_curves(passed, place).mean(axis=0)[[0, 1, 2, 4, 9]]
    assert ours == pytest.approx(published, abs=0.0051)
