"""Stopping at the first pass: what is charged, against walks over all orders of the samples, and the curves of it."""

from __future__ import annotations

import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isobudget.analysis.compare_run import price_samples, run_comparison
from isobudget.analysis.load_samples import load_samples
from isobudget.analysis.prices import counts_token_use, price_model
from isobudget.analysis.run_costs import sample_amounts
from isobudget.costs.charges import NOTHING
from isobudget.costs.cost import SampleCost, Unit
from isobudget.costs.costs_file import read_costs
from isobudget.curves import FIRST_PASS, Bootstrap, Charged, compare, compare_counts, curve, curve_from_matrix
from isobudget.curves.stopping import parse_stop
from isobudget.errors import InputError
from isobudget.importers.counts import ModelCounts
from isobudget.report.tables.comparison import comparison_grids
from isobudget.report.tables.sentence import winner_sentence
from isobudget.statistics.pass_at_k import expected_cost, expected_draws_curve, failure_curve
from support.synthetic_run import synthetic_run

QUICK = Bootstrap(replicates=400)


def counts(model: str, n: int, c: list[int]) -> ModelCounts:
    tasks = tuple(f"t{i}" for i in range(len(c)))
    nothing = (None,) * len(c)
    return ModelCounts("bench", model, "", tasks, np.full(len(c), n), np.asarray(c), nothing, nothing)


def flops(per_sample: float, per_problem: float = 0.0) -> SampleCost:
    return SampleCost(Unit.FLOPS, per_sample, per_problem, "test")


def walked(prices: list[float], passed: list[bool], k: int) -> float:
    """Mean spending over all orders of the samples when drawing stops at the first pass, or after k."""
    total = 0.0
    orders = list(permutations(range(len(prices))))
    for order in orders:
        for at in order[:k]:
            total += prices[at]
            if passed[at]:
                break
    return total / len(orders)


@given(c=st.lists(st.integers(0, 9), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_at_one_price_it_is_the_expected_draws(c: list[int]) -> None:
    charged = Charged.first_pass(1 - failure_curve(9, c, 9))
    assert charged.samples[:-1] == pytest.approx(expected_draws_curve(9, c, 9).mean(axis=0), rel=1e-12)
    assert charged.samples[0] == 1
    more = charged.samples[-1] - charged.samples[-2]
    assert math.isinf(more) if min(c) > 0 else more == pytest.approx(np.mean(np.array(c) == 0))


def test_passing_and_failing_samples_of_different_price() -> None:
    prices = [[1.0, 4.0, 2.0, 5.0], [3.0, 3.0, 1.0, 1.0]]
    passed = [[True, False, False, True], [False, False, False, True]]
    pairs = [(np.array(row), np.array(was)) for row, was in zip(prices, passed, strict=True)]
    if_passed = [row[was].mean() for row, was in pairs]
    if_failed = [row[~was].mean() for row, was in pairs]
    c = [sum(row) for row in passed]
    charged = Charged.first_pass(1 - failure_curve(4, c, 4), if_passed, if_failed)
    for k in range(1, 5):
        by_hand = np.mean([walked(row, was, k) for row, was in zip(prices, passed, strict=True)])
        assert charged.samples[k - 1] == pytest.approx(by_hand)
        assert charged.samples[k - 1] == pytest.approx(np.mean(expected_cost(4, c, k, if_passed, if_failed)))


def test_success_is_unchanged_and_costs_less() -> None:
    model = counts("m", 20, [0, 3, 8, 20])
    fixed, stopping = curve(model, flops(2.0, 1.0), QUICK), curve(model, flops(2.0, 1.0), QUICK, stop=FIRST_PASS)
    assert (fixed.stop, stopping.stop) == ("fixed", "first-pass")
    assert np.array_equal(fixed.success, stopping.success)
    assert stopping.cost == pytest.approx(1 + 2 * expected_draws_curve(20, [0, 3, 8, 20], 20).mean(axis=0))
    assert np.all(stopping.cost[1:] < fixed.cost[1:])
    assert stopping.cost[0] == fixed.cost[0]


def test_a_budget_affords_the_most_samples_whose_expected_cost_it_covers() -> None:
    made = curve(counts("m", 10, [0, 4, 10]), flops(3.0, 1.0), QUICK, stop=FIRST_PASS)
    for k, cost in enumerate(made.cost.tolist(), start=1):
        assert made.at(cost).k == k
        assert made.at(cost * 0.999).k == k - 1
        assert made.budget_to_reach(float(made.success[k - 1])) == made.cost[made.k_to_reach(made.success[k - 1]) - 1]
    assert not made.at(made.cost[-1]).capped
    assert made.at(made.cost_of_more).capped


def test_a_model_that_has_solved_everything_has_nothing_left_to_draw() -> None:
    made = curve(counts("m", 4, [3, 4]), flops(1.0), QUICK, stop=FIRST_PASS)
    assert math.isinf(made.cost_of_more)
    point = made.at(1e9)
    assert (point.k, point.success, point.capped) == (4, 1.0, False)


def test_flips_count_the_samples_that_are_drawn() -> None:
    cheap, dear = counts("cheap", 30, [3, 9, 12, 1]), counts("dear", 8, [2, 6, 7, 5])
    prices = {"cheap": flops(1.0), "dear": flops(4.0)}
    found = compare_counts([cheap, dear], prices, bootstrap=QUICK, stop=FIRST_PASS)
    small, large = found.curves
    for flip in found.flips:
        assert flip.now == pytest.approx(4.0)
        if flip.k_cheap is None:
            continue
        draws = expected_draws_curve(30, cheap.c, flip.k_cheap).mean(axis=0)[-1]
        of_dear = expected_draws_curve(8, dear.c, flip.k_dear).mean(axis=0)[-1]
        assert flip.ratio == pytest.approx(draws / of_dear)
        assert flip.low <= flip.ratio * (1 + 1e-9)
        # at that ratio of prices both spend the same for the same success
        at_ratio = curve(dear, flops(flip.ratio), QUICK, stop=FIRST_PASS).cost[flip.k_dear - 1]
        assert at_ratio == pytest.approx(small.cost[flip.k_cheap - 1])
    assert large.stop == FIRST_PASS


def test_tables_and_sentence_say_that_budgets_are_expected() -> None:
    models = [counts("a", 6, [1, 2, 6]), counts("b", 6, [3, 3, 0])]
    found = compare_counts(models, {"a": flops(1.0), "b": flops(2.0)}, bootstrap=QUICK, stop=FIRST_PASS)
    assert "budgets are expected spending" in winner_sentence(found)
    titles = [grid.title for grid in comparison_grids(found)]
    assert "bench at equal expected budget, by flops" in titles
    fixed = compare_counts(models, {"a": flops(1.0), "b": flops(2.0)}, bootstrap=QUICK)
    assert "expected" not in winner_sentence(fixed)


def test_what_does_not_go_together() -> None:
    model = counts("m", 6, [1, 2])
    stopping = curve(model, flops(1.0), QUICK, stop=FIRST_PASS)
    other = curve_from_matrix("o", stopping.task_ids, stopping.matrix, flops(2.0), selection="tests", bootstrap=QUICK)
    with pytest.raises(InputError, match="stop: first-pass"):
        compare([stopping, other])
    with pytest.raises(InputError, match="only if tests choose"):
        curve_from_matrix(
            "m", stopping.task_ids, stopping.matrix, flops(1), selection="likelihood", charged=stopping.charged
        )
    with pytest.raises(InputError, match="unknown stopping rule 'soon'; it is fixed or first-pass"):
        parse_stop("soon")


@pytest.mark.parametrize("unit", [Unit.FLOPS, Unit.SECONDS, Unit.TOKENS])
def test_a_run_is_charged_by_its_own_samples(tmp_path: Path, unit: Unit) -> None:
    run = synthetic_run(tmp_path / "run", benchmarks={"b": 6})
    found = run_comparison(run, unit=unit, stop=FIRST_PASS, bootstrap=QUICK)
    for samples in load_samples(run, ["b"]).samples("b"):
        made, amounts = found.curve(samples.model), sample_amounts(run, samples, unit)
        means = [float(np.mean(one)) for one in amounts]
        assert np.mean(means) == pytest.approx(made.price.per_sample)
        for k in (1, 2, made.k_max):
            spent = [_expected(own, problem.passed, k) for own, problem in zip(amounts, samples.problems, strict=True)]
            assert made.cost[k - 1] == pytest.approx(made.price.per_problem + np.mean(spent))


def listed(model: str, passed: list[list[int]], tokens: list[list[int]]) -> ModelCounts:
    tasks = tuple(f"t{i}" for i in range(len(passed)))
    n, c = (np.array([kind(one) for one in passed]) for kind in (len, sum))
    verdicts = tuple(tuple(map(bool, one)) for one in passed)
    return ModelCounts("bench", model, "", tasks, n, c, verdicts, tuple(map(tuple, tokens)))


def test_counts_charge_passing_and_failing_samples_their_own_tokens() -> None:
    passed, tokens = [[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]], [[10] * 4, [1000] * 4, [20, 400, 300, 40]]
    counted = listed("m", passed, tokens)
    use = counts_token_use(counted)
    assert use is not None
    price = price_model(("m",), Unit.TOKENS, None, use)
    made = curve(counted, price, QUICK, stop=FIRST_PASS)
    for k in range(1, 5):
        spent = [
            walked(list(map(float, own)), list(map(bool, was)), k) for own, was in zip(tokens, passed, strict=True)
        ]
        assert made.cost[k - 1] == pytest.approx(np.mean(spent))
    flat = curve(counted, SampleCost(Unit.TOKENS, price.per_sample), QUICK, stop=FIRST_PASS)
    assert flat.cost[3] < 0.75 * made.cost[3]  # one price for all hides that failing samples are the long ones


@pytest.mark.parametrize("unit", list(Unit))
def test_a_costs_file_charges_a_run_s_samples_by_their_lengths(tmp_path: Path, unit: Unit) -> None:
    run = synthetic_run(tmp_path / "run", benchmarks={"b": 6})
    (tmp_path / "costs.toml").write_text(
        "[defaults]\nusd_per_million_input = 1\nusd_per_million_output = 4\njoules_per_token = 2\n"
        'profile = "p.toml"\nsource = "test"\n[models.small-135m]\n[models."large-1.5b"]\n'
    )
    (tmp_path / "p.toml").write_text(
        "[[slots]]\nslots = 4\nprompt_tokens_per_second = 100\ncompletion_tokens_per_second = 20\n"
    )
    costs = read_costs(tmp_path / "costs.toml")
    for samples in load_samples(run, ["b"]).samples("b"):
        price, amounts = price_samples(run, samples, unit, costs, NOTHING)
        assert amounts is not None
        assert np.mean([own.mean() for own in amounts]) == pytest.approx(price.per_sample)
        lengths = np.concatenate([one.completion_tokens for one in samples.problems])
        assert np.corrcoef(np.concatenate(amounts), lengths)[0, 1] == pytest.approx(1)


def _expected(own: np.ndarray, passed: np.ndarray, k: int) -> float:
    if_passed = own[passed].mean() if passed.any() else 0.0
    if_failed = own[~passed].mean() if not passed.all() else 0.0
    return float(expected_cost(len(own), int(passed.sum()), k, if_passed, if_failed))
