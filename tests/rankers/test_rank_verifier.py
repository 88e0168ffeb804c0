"""The verifier: what it learns from, and that it never learns from what it scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isobudget.errors import InputError
from isobudget.problems.problem import CheckFunction, Problem
from isobudget.progress import SILENT
from isobudget.rankers import verifier as room
from isobudget.rankers.base import Candidate, Candidates, PerSample, Pool
from isobudget.rankers.features import NAMES, features
from isobudget.rankers.verifier import group_folds, log_probabilities
from isobudget.ranking.inputs import ComputedInputs
from isobudget.ranking.options import RankOptions

pytest.importorskip("sklearn")

RIGHT, WRONG = "    return x + 1\n", "    print(x\n"


def pool_of(problems: int, benchmark: str = "made", flip: bool = False) -> Pool:
    """Right samples compile and return; `flip` turns the verdicts around."""
    rng, found = np.random.default_rng(problems), []
    for at in range(problems):
        head = f'def f(x):\n    """Task {at}."""\n'
        rows = []
        for index in range(6):
            right = bool(rng.integers(0, 2)) if index > 1 else index == 0
            text = RIGHT if right else WRONG
            rows.append(Candidate(index, text, head + text, right != flip, mean_logprob=-1.0 - index))
        problem = Problem(f"t/{at}", benchmark, head, "f", CheckFunction(""))
        found.append(Candidates(problem, head, head, tuple(rows)))
    return Pool(benchmark, "m", tuple(found))


def test_features_are_finite_whatever_the_sample_is() -> None:
    pool = pool_of(1)
    hostile = ["", "\0", "(" * 3000, "é" * 50, "    return x\n" * 200, "def f(x): pass\ndef f(y): return y"]
    for text in [RIGHT, WRONG, *hostile]:
        found = features(pool.problems[0], Candidate(0, text, pool.problems[0].head + text))
        assert len(found) == len(NAMES)
        assert np.isfinite(found).all()


def test_it_learns_what_right_samples_look_like() -> None:
    pool = pool_of(20)
    for one, row in zip(pool.problems, log_probabilities(pool), strict=True):
        assert min(row[one.passed > 0]) > max(row[one.passed == 0])
        assert np.all(row <= 0)


def test_the_likelihood_is_added() -> None:
    pool = pool_of(8)
    inputs = ComputedInputs(pool, RankOptions(), (), None, None, SILENT)
    alone, both = (inputs.ranking(name).result for name in ("verifier-alone", "verifier"))
    assert isinstance(alone, PerSample)
    assert isinstance(both, PerSample)
    for one, other, own in zip(alone.scores, both.scores, pool.column("mean_logprob"), strict=True):
        assert other == pytest.approx(one + own)


def test_cross_fitting_never_sees_the_problem_that_it_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem carries its own number as a feature; no fit may have seen the numbers that it is asked about."""
    pool = pool_of(11)
    marks = [np.full((6, 1), float(at)) for at in range(11)]
    fits: list[tuple[object, set[float]]] = []
    asked: list[tuple[set[float], set[float]]] = []
    fit, probability = room.fit, room._probability

    def watched_fit(table: list[np.ndarray], right: list[np.ndarray]) -> object:
        model = fit(table, right)
        fits.append((model, {float(value) for row in table for value in row[:, 0]}))
        return model

    def watched_probability(model: object, rows: np.ndarray) -> np.ndarray:
        seen = next(numbers for known, numbers in fits if known is model)
        asked.append((seen, {float(value) for value in rows[:, 0]}))
        return probability(model, rows)

    monkeypatch.setattr(room, "fit", watched_fit)
    monkeypatch.setattr(room, "_probability", watched_probability)
    log_probabilities(pool, table=marks)
    assert set().union(*(numbers for _, numbers in asked)) == set(range(11))
    assert all(not seen & numbers for seen, numbers in asked)
    assert all(len(seen) >= 8 for seen, _ in asked)


def test_changing_the_verdicts_of_a_problem_does_not_change_its_own_scores() -> None:
    pool = pool_of(10)
    first = pool.problems[0]
    lied = replace(first, samples=tuple(replace(one, passed=not one.passed) for one in first.samples))
    other = Pool(pool.benchmark, pool.model, (lied, *pool.problems[1:]))
    before, after = log_probabilities(pool, folds=3), log_probabilities(other, folds=3)
    assert before[0] == pytest.approx(after[0])
    assert any(not np.allclose(a, b) for a, b in zip(before[1:], after[1:], strict=True))


def test_training_elsewhere_leaves_out_the_scored_problems_of_the_same_benchmark() -> None:
    pool = pool_of(6)
    lies = pool_of(6, flip=True)
    with pytest.raises(InputError, match="have only problems that are ranked"):
        log_probabilities(pool, (lies,))  # the same problems: nothing is left to learn from
    elsewhere = pool_of(12, benchmark="other")
    for one, row in zip(pool.problems, log_probabilities(pool, (elsewhere, lies)), strict=True):
        assert min(row[one.passed > 0]) > max(row[one.passed == 0])


def test_other_problems_of_the_same_benchmark_are_learned_from_and_counted() -> None:
    pool, more, same = pool_of(6), pool_of(12), pool_of(6, flip=True)
    inputs = ComputedInputs(pool, RankOptions(), (more, same), None, None, SILENT)
    ranking = inputs.ranking("verifier-alone")
    assert ranking.notes == ("verifier: learned from 1 other pool, never on the problems it scores",)
    assert isinstance(ranking.result, PerSample)
    for found, row in zip(ranking.result.scores, log_probabilities(pool, (more,)), strict=True):
        assert found == pytest.approx(row)


def test_what_cannot_be_learned_is_an_error() -> None:
    with pytest.raises(InputError, match="two problems"):
        log_probabilities(pool_of(1))
    with pytest.raises(InputError, match="must include right and wrong ones"):
        room.fit([np.zeros((2, 3))], [np.ones(2)])
    assert group_folds(7, 5).tolist() == [0, 1, 2, 3, 4, 0, 1]
