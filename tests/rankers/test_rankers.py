"""Rankers against brute force: prefixes, dual agreement, filters, AUC, calibration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.rankers.agreement import GroupSelector, VoteSelector, agreement_selector
from isobudget.rankers.base import (
    FREE,
    Amount,
    Candidate,
    Candidates,
    PerSample,
    Pool,
    RankerCost,
    Ranking,
    added,
    scored,
)
from isobudget.rankers.by_set import by_set
from isobudget.rankers.calibration import Chosen, calibrate, isotonic
from isobudget.rankers.dual import MajoritySelector, dual_selector, pass_matrix
from isobudget.rankers.filters import KeepFirst, behind_filter, kept_by
from isobudget.rankers.measure import _chosen, auc, auc_of_problem, auc_within, calibration, success
from isobudget.rankers.order import by_order
from isobudget.rankers.ranker import Scored
from isobudget.statistics.prefixes import MajorityVote, PrefixSelector, prefix_curve
from isobudget.statistics.rank_score import rank_score_at_k


def pool_of(passed: list[list[int]], **columns: list[list[float]]) -> Pool:
    problems = []
    for at, row in enumerate(passed):
        problem = Problem(f"t/{at}", "made", "def f(x):\n", "f", CheckFunction(""))
        samples = tuple(
            Candidate(
                i, f"text {i}", f"program {i}", bool(right), **{name: rows[at][i] for name, rows in columns.items()}
            )
            for i, right in enumerate(row)
        )
        problems.append(Candidates(problem, "def f(x):\n", "def f(x):\n", samples))
    return Pool("made", "m", tuple(problems))


def random_selectors(seed: int) -> list[PrefixSelector]:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, 9)
    tier, weight = rng.integers(0, 2, 4), rng.integers(0, 4, 4).astype(float)
    likely = rng.normal(size=9).round(1)
    likely[2] = np.nan
    plain = GroupSelector(groups, np.ones(4), np.zeros(4, dtype=np.int64))
    rich = GroupSelector(groups, weight, tier, likely, power=0.5)
    observed = [[str(value) for value in row] for row in rng.integers(0, 3, (9, 4))]
    votes = VoteSelector.of([*observed[:7], [], ["!E", "None", "!E", "1"]])
    likely_votes = VoteSelector.of(observed, likely)
    majority = MajoritySelector.of([*observed[:7], ["!E"] * 4, []], ["1", None, None, "7"])
    likely_majority = MajoritySelector.of(observed, [None] * 4, likely, power=0.5)
    untested = MajoritySelector.of([[]] * 9, [])
    return [
        plain,
        rich,
        votes,
        likely_votes,
        majority,
        likely_majority,
        untested,
        KeepFirst(votes, rng.random(9) < 0.5),
        KeepFirst(plain, rng.random(9) < 0.5),
        KeepFirst(rich, np.zeros(9, dtype=bool)),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_following_orders_gives_what_choosing_from_every_prefix_gives(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    right = rng.integers(0, 2, 9).astype(float)
    orders = np.stack([rng.permutation(9) for _ in range(7)])
    for selector in random_selectors(seed):
        slow = [[right[selector.choose(order[:k])].mean() for k in range(1, 10)] for order in orders]
        assert selector.success_of_prefixes(orders, right) == pytest.approx(np.array(slow))


def test_prefix_curves_are_the_same_both_ways_and_equal_majority_voting() -> None:
    answers = np.array([0, 1, 1, 2, 0, 1])
    right = np.array([0.0, 1, 1, 0, 0, 1])
    fast = GroupSelector.of(answers.tolist(), [0] * 6)
    one = prefix_curve([right], [fast], [1, 3, 6], orders=50)
    other = prefix_curve([right], [MajorityVote(answers)], [1, 3, 6], orders=50)
    assert one.success == pytest.approx(other.success)
    assert one.success[-1] == 1.0


def test_crashed_outputs_win_only_where_nothing_else_was_drawn() -> None:
    observed = [["!TypeError", "!TypeError"]] * 4 + [["1", "!TypeError"], [], []]
    selector = agreement_selector(observed)
    assert selector.choose(np.arange(7)).tolist() == [4]
    assert selector.choose(np.array([0, 1, 5, 6])).tolist() == [0, 1]
    assert selector.choose(np.array([5, 6])).tolist() == [5, 6]
    strength = selector.strength(7)
    assert strength[4] > strength[0] > strength[5]


def test_a_body_that_says_nothing_does_not_win_by_number() -> None:
    observed = [["None", "None"]] * 5 + [["None", "!E"]] * 2 + [["1", "None"], ["1", "None"], ["2", "3"]]
    assert agreement_selector(observed).choose(np.arange(10)).tolist() == [7, 8]
    assert agreement_selector(observed).choose(np.arange(7)).tolist() == [0, 1, 2, 3, 4]


def test_votes_equal_counting_pairs_and_inputs() -> None:
    rng = np.random.default_rng(5)
    for _ in range(30):
        observed = [[str(value) for value in row] for row in rng.choice(["1", "2", "None", "!E"], (6, 3))]
        drawn = rng.permutation(6)[:4]

        def agreed(one: int, other: int, rows: list[list[str]] = observed) -> int:
            pairs = zip(rows[one], rows[other], strict=True)
            return sum(a == b and a not in ("None", "!E") for a, b in pairs)

        votes = {int(one): sum(agreed(one, other) for other in drawn) for one in drawn}
        best = {one for one, count in votes.items() if count == max(votes.values())}
        assert set(VoteSelector.of(observed).choose(drawn).tolist()) == best
    pool = pool_of([[1, 0, 0]])
    ranked = by_set(pool, "votes", lambda *_: VoteSelector.of([["1", "2"], ["1", "3"], ["4", "2"]]))
    assert success(pool, ranked, orders=2).matrix[0, -1] == 1.0


def test_likelihood_breaks_ties_between_and_within_the_largest_groups() -> None:
    observed = [["a"], ["a"], ["b"], ["b"], ["c"]]
    likely = np.array([-3.0, -2.0, -1.0, np.nan, 5.0])
    assert agreement_selector(observed, likely).choose(np.arange(5)).tolist() == [2]
    assert agreement_selector(observed).choose(np.arange(5)).tolist() == [0, 1, 2, 3]


def brute_dual(passes: np.ndarray, power: float) -> set[int]:
    """Section 2.2 of CodeT, word by word: every sample's consensus set, its score, the best ones."""
    scores = {}
    for at, row in enumerate(passes):
        samples = [other for other in range(len(passes)) if (passes[other] == row).all()]
        tests = [test for test in range(passes.shape[1]) if row[test]]
        scores[at] = len(samples) ** power * len(tests)
    return {at for at, score in scores.items() if score == max(scores.values())}


def test_dual_agreement_equals_brute_force_on_all_small_cases() -> None:
    for bits in itertools.product([False, True], repeat=8):
        passes = np.array(bits).reshape(4, 2)
        for power in (1.0, 0.5):
            chosen = dual_selector(passes, power=power).choose(np.arange(4))
            assert set(chosen.tolist()) == brute_dual(passes, power)


@pytest.mark.parametrize("seed", range(5))
def test_dual_agreement_equals_brute_force_on_random_cases(seed: int) -> None:
    passes = np.random.default_rng(seed).random((8, 5)) < 0.5
    passes[3] = passes[5] = passes[1]
    assert set(dual_selector(passes).choose(np.arange(8)).tolist()) == brute_dual(passes, 1.0)


def test_tests_pass_by_the_text_that_they_expect() -> None:
    matrix = pass_matrix([["1", "2"], ["1", "!E"], []], [(0, "1"), (1, "2"), (1, "3")])
    assert matrix.tolist() == [[True, True, False], [True, False, False], [False] * 3]


def test_majority_tests_use_stated_values_and_otherwise_the_drawn_majority() -> None:
    observed = [["1", "a"], ["1", "b"], ["2", "b"], ["2", "b"], ["!E", "!E"]]
    free = MajoritySelector.of(observed, [None, None])
    # the values are tied on the first input: the earlier one counts, so that 1 x 2 tests are level with 2 x 1 test
    assert free.choose(np.arange(5)).tolist() == [1, 2, 3]
    stated = MajoritySelector.of(observed, ["1", None])
    assert stated.choose(np.arange(5)).tolist() == [1, 2, 3]
    # nothing undrawn is used: with 0 and 1 alone, "b" has no majority
    assert stated.choose(np.array([0, 1])).tolist() == [0]
    impossible = MajoritySelector.of(observed, ["7", None])
    assert set(impossible.choose(np.arange(5)).tolist()) == {1, 2, 3}


def test_majority_tests_equal_dual_agreement_with_the_tests_that_they_make() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        observed = [[str(value) for value in row] for row in rng.integers(0, 3, (7, 4))]
        drawn = rng.permutation(7)[:5]
        wanted = []
        for place in range(4):
            texts = [observed[at][place] for at in drawn]
            order = list(dict.fromkeys(row[place] for row in observed))
            wanted.append((place, max(order, key=lambda text: (texts.count(text), -order.index(text)))))
        passes = pass_matrix([observed[at] for at in drawn], wanted)
        assert set(MajoritySelector.of(observed, [None] * 4).choose(drawn).tolist()) == {
            int(drawn[at]) for at in brute_dual(passes, 1.0)
        }


def test_filters_keep_what_does_not_fail_and_then_what_agrees() -> None:
    texts = [["1", "2"], ["1", "!E"], ["1", "3"], []]
    assert kept_by(texts, ["1", "2"], must_match=False).tolist() == [True, False, True, False]
    assert kept_by(texts, ["1", "2"], must_match=True).tolist() == [True, False, False, False]
    assert kept_by([[], []], [], must_match=True).tolist() == [True, True]


def test_a_filter_in_front_puts_dropped_samples_behind_all_others() -> None:
    pool = pool_of([[0, 1, 1, 0]], mean_logprob=[[-1.0, -2.0, -3.0, -4.0]])
    kept = [np.array([False, True, True, False])]
    ranking = behind_filter(scored(pool, "own", pool.column("mean_logprob")), kept)
    assert success(pool, ranking).matrix[0, -1] == 1.0
    grouped = by_set(pool, "agreement", lambda *_: agreement_selector([["a"], ["b"], ["b"], ["a"]]))
    assert success(pool, behind_filter(grouped, kept)).matrix[0, -1] == 1.0


# scores ----------------------------------------------------------------------------------------------


def test_order_gives_rank_score_of_the_list_as_it_stands() -> None:
    passed = [[1, 0, 1, 0], [0, 1, 0, 0]]
    pool = pool_of(passed)
    matrix = success(pool, by_order(pool)).matrix
    for row, right in zip(matrix, passed, strict=True):
        assert row.tolist() == pytest.approx([rank_score_at_k(right, k) for k in range(1, 5)])


def test_means_sums_and_samples_without_tokens() -> None:
    logprobs = Scored("m", (np.array([-4.0, -3.0, np.nan]),), (np.array([8.0, 3.0, 0.0]),))
    assert logprobs.reduced("mean")[0][:2].tolist() == [-0.5, -1.0]
    assert logprobs.reduced("sum")[0][:2].tolist() == [-4.0, -3.0]
    pool = pool_of([[1, 0, 0]])
    ranking = scored(pool, "likelihood", logprobs.reduced("mean"))
    assert isinstance(ranking.result, PerSample)
    assert ranking.result.undefined == 1
    assert success(pool, ranking).matrix[0].tolist() == pytest.approx([1 / 3, 2 / 3, 1.0])
    backward = Scored("m", (np.array([-9.0, -1.0, -1.0]),), (np.array([1.0, 1.0, 1.0]),))
    both = scored(pool, "reviewer", added(logprobs.reduced("mean"), backward.reduced("mean"))).result
    assert isinstance(both, PerSample)
    assert both.scores[0][:2].tolist() == [-9.5, -2.0]
    assert both.undefined == 1


def test_a_pool_without_verdicts_cannot_be_measured() -> None:
    pool = pool_of([[1, 0]])
    sample = Candidate(0, "", "", None)
    bare = Pool("made", "m", (Candidates(pool.problems[0].problem, "", "", (sample,)),))
    with pytest.raises(InputError, match="no verdict"):
        success(bare, by_order(bare))


def test_costs_add_what_both_know() -> None:
    one = RankerCost({Unit.SECONDS: Amount(1.0, 2.0), Unit.FLOPS: Amount(0.0, 5.0)}, "scoring")
    other = RankerCost({Unit.SECONDS: Amount(0.0, 0.5)}, "running")
    both = one.plus(other)
    assert both.amounts == {Unit.SECONDS: Amount(1.0, 2.5)}
    assert both.source == "scoring and running"
    assert FREE.plus(one) is one
    assert one.plus(FREE) is one


# AUC -------------------------------------------------------------------------------------------------


def brute_auc(passed: list[int], scores: list[float]) -> float:
    values = [-math.inf if math.isnan(score) else score for score in scores]
    right = [value for value, ok in zip(values, passed, strict=True) if ok]
    wrong = [value for value, ok in zip(values, passed, strict=True) if not ok]
    if not right or not wrong:
        return math.nan
    wins = sum((a > b) + (a == b) / 2 for a in right for b in wrong)
    return wins / (len(right) * len(wrong))


def test_auc_equals_brute_force_with_ties_and_undefined_scores() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 9))
        passed = rng.integers(0, 2, n)
        scores = rng.integers(0, 3, n).astype(float)
        scores[rng.random(n) < 0.2] = np.nan
        found = auc_of_problem(passed, scores)
        assert found == pytest.approx(brute_auc(passed.tolist(), scores.tolist()), nan_ok=True)


def test_auc_is_a_mean_over_problems_that_have_both_kinds_with_an_interval() -> None:
    passed = [np.array([1.0, 0]), np.array([1.0, 0, 0]), np.array([1.0, 1])]
    scores = [np.array([2.0, 1]), np.array([1.0, 0, 2]), np.array([0.0, 1])]
    found = auc_within(passed, scores)
    assert (found.value, found.problems) == (0.75, 2)
    assert 0 <= found.low <= 0.75 <= found.high <= 1
    aside = [np.array([True, False]), np.array([False, False, True]), np.array([False, False])]
    assert auc_within(passed, scores, aside).value == pytest.approx((0 + 1) / 2)
    assert math.isnan(auc_within([passed[2]], [scores[2]]).value)


# calibration -----------------------------------------------------------------------------------------


def test_isotonic_steps_are_the_closest_rising_ones() -> None:
    signal, target = np.array([3.0, 1, 2, 4, 2]), np.array([0.2, 0.4, 0.0, 1.0, 0.6])
    ends, values = isotonic(signal, target, np.ones(5))
    assert np.all(np.diff(values) > 0)
    assert np.all(np.diff(ends) > 0)
    assert values.tolist() == pytest.approx([0.3, 1.0])  # 0.4, 0.3 (twice) and 0.2 pool to 0.3
    assert ends.tolist() == [3.0, 4.0]


def test_isotonic_steps_are_scikit_learns_with_ties_in_any_order() -> None:
    isotonic_regression = pytest.importorskip("sklearn.isotonic").IsotonicRegression
    rng = np.random.default_rng(5)
    for _ in range(200):
        signal, target, weight = rng.integers(0, 6, 12).astype(float), rng.random(12), rng.random(12) + 0.1
        ends, values = isotonic(signal, target, weight)
        expected = isotonic_regression().fit(signal, target, sample_weight=weight).predict(signal)
        steps = values[np.minimum(np.searchsorted(ends, signal), len(ends) - 1)]
        assert steps == pytest.approx(expected, abs=1e-12)


def test_perfect_and_useless_signals() -> None:
    rng = np.random.default_rng(1)
    right = rng.integers(0, 2, 60).astype(float)
    sure = [Chosen(np.array([one]), np.array([one]), np.ones(1)) for one in right]
    found = calibrate(sure, 4)
    assert found.brier == pytest.approx(0.0)
    assert found.ece == pytest.approx(0.0)
    noise = [Chosen(np.array([np.nan]), np.array([one]), np.ones(1)) for one in right]
    blind = calibrate(noise, 4)
    assert blind.brier == pytest.approx(blind.brier_reference)
    assert sum(row.weight for row in blind.bins) == pytest.approx(1.0)
    assert math.isnan(calibrate(sure[:1], 1).brier)


def test_no_problem_is_predicted_from_itself() -> None:
    # every problem has its own signal; were it fitted on itself, each would be predicted perfectly
    right = np.array([0.0, 1] * 10)
    problems = [Chosen(np.array([float(at)]), np.array([one]), np.ones(1)) for at, one in enumerate(right)]
    assert calibrate(problems, 1, folds=20).brier > 0.2


def test_chances_to_be_chosen_equal_all_draws() -> None:
    right, score = np.array([1.0, 0, 0, 1, 0]), np.array([2.0, 2, 1, np.nan, 5])
    for k in range(1, 6):
        weight = np.zeros(5)
        draws = list(itertools.combinations(range(5), k))
        for draw in draws:
            values = [-math.inf if math.isnan(score[at]) else score[at] for at in draw]
            best = [at for at, value in zip(draw, values, strict=True) if value == max(values)]
            for at in best:
                weight[at] += 1 / len(best) / len(draws)
        assert _chosen(right, score, k).weight == pytest.approx(weight)


def test_rankings_by_set_are_measured_too() -> None:
    rng = np.random.default_rng(2)
    passed = rng.integers(0, 2, (20, 6))
    pool = pool_of(passed.tolist())
    observed = {
        f"t/{at}": [["right"] if ok else [f"wrong {i}"] for i, ok in enumerate(row)] for at, row in enumerate(passed)
    }
    ranking: Ranking = by_set(pool, "agreement", lambda task, _: agreement_selector(observed[task]))
    found = success(pool, ranking, orders=50)
    assert found.matrix[:, 0] == pytest.approx(passed.mean(axis=1))
    assert found.monte_carlo is not None
    assert found.monte_carlo[0] == 0.0
    assert auc(pool, ranking, replicates=200).value > 0.9
    assert calibration(pool, ranking, 6).brier < 0.25
    passes = {f"t/{at}": row[:, np.newaxis] > 0 for at, row in enumerate(passed)}
    tested = by_set(pool, "tests", lambda task, _: dual_selector(passes[task]))
    assert success(pool, tested, orders=2).matrix[:, -1].tolist() == (passed.sum(axis=1) > 0).astype(float).tolist()
