"""A learned verifier: how probable it is that a sample is right, judged by what it looks like, added to the likelihood.

As in LEVER (Ni et al. 2023), a classifier learns from samples with verdicts, and its log p(right) is added to the
log-likelihood; as in the paper's second ranker (section 4) nothing is executed. Here the classifier is a gradient
boosting of shallow trees on the features of `features`, each made comparable within its problem's samples as well.
Trees do not extrapolate: the best-scored of many samples is an extreme one, and a linear model is too sure of those.

It never learns from the problems that it scores: it is fitted on other problems (cross-fitted in folds by problem), or
on another pool, from which problems of the same name and benchmark are left out.

Needs scikit-learn: `pip install 'isobudget[verifier]'`.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isobudget.errors import InputError, MissingExtraError
from isobudget.rankers.base import FREE, Floats, PerSample, Pool, Ranking, Spending, cut_off
from isobudget.rankers.features import feature_table

FOLDS = 5
#: no probability is taken for certain
_LEAST = 1e-6

#: benchmark and task_id
Task = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Verifier:
    """log p(right | sample) of a cross-fitted classifier, plus the likelihood.

    Attributes:
        name: for labels.
        likelihood: per problem, shape (n,), what is added; None for the verifier alone.
        train: other pools to learn from; none: the pool itself, cross-fitted by problem.
        folds: of the cross-fit.
        spending: of the likelihood.
        features: per problem, shape (n, features), instead of those of `features`.
    """

    name: str = "verifier"
    likelihood: Sequence[Floats] | None = None
    train: tuple[Pool, ...] = ()
    folds: int = FOLDS
    spending: Spending = FREE
    features: Sequence[Floats] | None = None

    def rank(self, pool: Pool) -> Ranking:
        """Scores by a model that has seen none of the problem's samples.

        Raises:
            InputError: fewer than two problems to learn from, or all of their samples are right, or wrong.
            MissingExtraError: scikit-learn is not installed.
        """
        with _one_thread():
            found = self._by_others(pool) if self.train else self._cross_fitted(pool)
        probability = [np.log(np.clip(row, _LEAST, 1.0)) for row in found]
        parts = self.likelihood or [np.zeros(len(row)) for row in probability]
        scores = tuple(one + other for one, other in zip(probability, parts, strict=True))
        result = PerSample(scores, cut_off(pool), is_log_probability=self.likelihood is None)
        how = (
            f"learned from {len(self.train)} other pools"
            if self.train
            else f"cross-fitted by problem, {self.folds} folds"
        )
        return Ranking(self.name, result, self.spending, (f"verifier: {how}, never on the problems it scores",))

    def _cross_fitted(self, pool: Pool) -> list[Floats]:
        table = within_problems(self._table(pool))
        right = [one.passed for one in pool.problems]
        fold = group_folds(len(table), self.folds)
        found: list[Floats] = [np.zeros(0)] * len(table)
        for out in range(int(fold.max()) + 1):
            seen = [at for at in range(len(table)) if fold[at] != out]
            model = fit([table[at] for at in seen], [right[at] for at in seen])
            for at in np.flatnonzero(fold == out):
                found[at] = _probability(model, table[at])
        return found

    def _by_others(self, pool: Pool) -> list[Floats]:
        scored: set[Task] = {(pool.benchmark, task_id) for task_id in pool.task_ids}
        table, right = [], []
        for other in self.train:
            rows = zip(other.problems, within_problems(feature_table(other)), strict=True)
            for one, row in rows:
                if (other.benchmark, one.problem.task_id) not in scored:
                    table.append(row)
                    right.append(one.passed)
        if not table:
            raise InputError(
                "the runs to learn from (--train) have no other problems than the ranked ones, and a verifier does not "
                "learn from what it scores; leave --train out to cross-fit by problem"
            )
        model = fit(table, right)
        return [_probability(model, row) for row in within_problems(self._table(pool))]

    def _table(self, pool: Pool) -> Sequence[Floats]:
        return feature_table(pool) if self.features is None else self.features


@dataclass(frozen=True, slots=True)
class Classifier:
    """log p(right | prompt, sample) by a classifier that somebody else trained, plus the likelihood.

    Attributes:
        name: for labels.
        log_right: per problem, shape (n,); NaN for an empty sample.
        likelihood: per problem, shape (n,), what is added; None for the classifier alone.
        spending: of the classifier.
    """

    name: str
    log_right: Sequence[Floats]
    likelihood: Sequence[Floats] | None
    spending: Spending

    def rank(self, pool: Pool) -> Ranking:
        """NaN where either part is."""
        parts = self.likelihood or [np.zeros(len(row)) for row in self.log_right]
        scores = tuple(one + other for one, other in zip(self.log_right, parts, strict=True))
        result = PerSample(scores, cut_off(pool), is_log_probability=self.likelihood is None)
        note = f"{self.name}: what the classifier was trained on is not known here; it must not be these problems"
        return Ranking(self.name, result, self.spending, (note,))


def within_problems(table: Sequence[Floats]) -> list[Floats]:
    """The features, and beside them how far each lies from the mean of its problem's samples."""
    return [np.hstack([row, row - row.mean(axis=0)]) for row in table]


def group_folds(problems: int, folds: int) -> NDArray[np.int64]:
    """The fold of each problem: all samples of one problem are in one fold."""
    if problems < 2:
        raise InputError(
            "a verifier is cross-fitted by problem: that takes two problems or more; train it on another run"
        )
    return np.arange(problems) % min(folds, problems)


def fit(table: Sequence[Floats], right: Sequence[Floats]) -> Any:
    """Boosted trees, the same for the same data; problems count alike however many samples they have.

    Raises:
        InputError: nothing to tell apart.
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        raise MissingExtraError("A learned verifier", "verifier") from None
    target = np.concatenate(right) > 0 if right else np.zeros(0, dtype=bool)
    if not target.any() or target.all():
        raise InputError("the samples to learn from are all right, or all wrong, or none: a verifier learns from both")
    weight = np.concatenate([np.full(len(row), len(target) / len(right) / len(row)) for row in right])
    least = max(5, len(target) // 100)
    model = HistGradientBoostingClassifier(
        max_iter=60, max_depth=3, learning_rate=0.08, min_samples_leaf=least, early_stopping=False, random_state=0
    )
    return model.fit(np.vstack(table), target, sample_weight=weight)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine cost more than they bring on tables of this size."""
    try:
        limits: Any = importlib.import_module("threadpoolctl").threadpool_limits
    except ImportError:  # fit says what is missing
        yield
        return
    with limits(1):
        yield


def _probability(model: Any, rows: Floats) -> Floats:
    return np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64)
