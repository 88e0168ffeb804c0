"""A learned verifier: the probability that a sample is right, from features of its text, added to the likelihood.

As in LEVER (Ni et al. 2023), a classifier learns from samples with verdicts, and its log p(right) is added to the
log-likelihood. As in the paper's second ranker (section 4), nothing is executed. The classifier is gradient boosting
of shallow trees on the numbers of `features`, and on their differences from the mean of the problem's samples. Trees do
not extrapolate: the best-scored of many samples is an extreme one, of which a linear model would be too sure.

The verifier never learns from the problems that it scores. It is fitted on other problems (cross-fitted in folds by
problem), or on another pool, from which problems of the same name and benchmark are left out.

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
from isobudget.grid import counted
from isobudget.rankers.base import FORWARD, FREE, Floats, Pool, RankerCost, Ranking, added, scored
from isobudget.rankers.features import feature_table
from isobudget.rankers.ranker import Ranker, RankerInputs

FOLDS = 5
#: least probability, so that every logarithm is finite
_LEAST = 1e-6

#: benchmark and task_id
Task = tuple[str, str]


def log_probabilities(
    pool: Pool, train: Sequence[Pool] = (), folds: int = FOLDS, table: Sequence[Floats] | None = None
) -> list[Floats]:
    """log p(right) of every sample by a model that has seen no sample of the same problem.

    Args:
        pool: the samples to score.
        train: other pools to learn from. If empty, the pool itself is cross-fitted by problem, in `folds` folds.
        table: per problem, shape (n, features), instead of `feature_table`.

    Raises:
        InputError: there are too few problems to learn from, or all of their samples are right, or all are wrong.
        MissingExtraError: scikit-learn is not installed.
    """
    rows = within_problems(feature_table(pool) if table is None else table)
    with _one_thread():
        probabilities = _by_others(pool, rows, train) if train else _cross_fitted(pool, rows, folds)
    return [np.log(np.clip(row, _LEAST, 1.0)) for row in probabilities]


def _cross_fitted(pool: Pool, table: list[Floats], folds: int) -> list[Floats]:
    right = [one.passed for one in pool.problems]
    fold = group_folds(len(table), folds)
    probabilities: list[Floats] = [np.zeros(0)] * len(table)
    for out in range(int(fold.max()) + 1):
        seen = [at for at in range(len(table)) if fold[at] != out]
        model = fit([table[at] for at in seen], [right[at] for at in seen])
        for at in np.flatnonzero(fold == out):
            probabilities[at] = _probability(model, table[at])
    return probabilities


def _by_others(pool: Pool, table: list[Floats], train: Sequence[Pool]) -> list[Floats]:
    ranked = _tasks(pool)
    rows, right = [], []
    for other in train:
        for one, row in zip(other.problems, within_problems(feature_table(other)), strict=True):
            if (other.benchmark, one.problem.task_id) not in ranked:
                rows.append(row)
                right.append(one.passed)
    if not rows:
        raise InputError(
            "the runs to learn from (--train) have only problems that are ranked here, and a verifier must not "
            "learn from problems that it scores; leave out --train to cross-fit by problem"
        )
    model = fit(rows, right)
    return [_probability(model, row) for row in table]


def _tasks(pool: Pool) -> set[Task]:
    return {(pool.benchmark, task_id) for task_id in pool.task_ids}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier(Ranker):
    """log p(right | sample) by a classifier learned from other problems, plus the likelihood unless it is `alone`."""

    alone: bool

    def rank(self, inputs: RankerInputs) -> Ranking:
        """Rank by log p(right), plus the likelihood under the scoring model, or else the recorded one, if any."""
        label, likelihood, cost = self._likelihood(inputs)
        probabilities = log_probabilities(inputs.pool, inputs.train)
        scored_here = _tasks(inputs.pool)
        learned = sum(not _tasks(other) <= scored_here for other in inputs.train)
        others = f"learned from {counted(learned, 'other pool')}"
        how = others if inputs.train else f"cross-fitted by problem, {FOLDS} folds"
        return scored(
            inputs.pool,
            label,
            added(probabilities, likelihood),
            cost=cost,
            notes=(f"verifier: {how}, never on the problems it scores",),
        )

    def _likelihood(self, inputs: RankerInputs) -> tuple[str, Sequence[Floats] | None, RankerCost]:
        if self.alone:
            return self.name, None, FREE
        if inputs.scorer is not None:
            by = inputs.score(self.name, FORWARD)
            return f"verifier + likelihood by {by.name}", by.reduced("mean"), by.cost
        own = inputs.own("mean")
        return ("verifier, no likelihood known" if own is None else "verifier + own"), own, FREE


class Classifier(Ranker):
    """log p(right | prompt, sample) by a sequence classifier of the Hugging Face hub, plus the recorded likelihood."""

    def rank(self, inputs: RankerInputs) -> Ranking:
        """Rank by the sum of both parts; NaN where either is NaN."""
        by, own = inputs.classify(), inputs.own("mean")
        label = f"classifier {by.name}"
        note = f"{label}: its training data is unknown; it must not have been trained on these problems"
        scores = added(by.sums, own)
        return scored(inputs.pool, label, scores, cost=by.cost, notes=(note,))


def within_problems(table: Sequence[Floats]) -> list[Floats]:
    """The features, followed by each feature's difference from its mean over the problem's samples."""
    return [np.hstack([row, row - row.mean(axis=0)]) for row in table]


def group_folds(problems: int, folds: int) -> NDArray[np.int64]:
    """The fold of each problem: all samples of one problem are in one fold."""
    if problems < 2:
        raise InputError(
            "a verifier is cross-fitted by problem, which needs two problems or more; train it on another run (--train)"
        )
    return np.arange(problems) % min(folds, problems)


def fit(table: Sequence[Floats], right: Sequence[Floats]) -> Any:
    """Fit boosted trees, deterministically; every problem has equal weight, however many samples it has.

    Raises:
        InputError: there are no samples, or all are right, or all are wrong.
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        raise MissingExtraError("A learned verifier", "verifier") from None
    target = np.concatenate(right) > 0 if right else np.zeros(0, dtype=bool)
    if not target.any() or target.all():
        raise InputError(
            "the samples to learn from must include right and wrong ones; here all are the same, or there are none"
        )
    weight = np.concatenate([np.full(len(row), len(target) / len(right) / len(row)) for row in right])
    least = max(5, len(target) // 100)
    model = HistGradientBoostingClassifier(
        max_iter=60, max_depth=3, learning_rate=0.08, min_samples_leaf=least, early_stopping=False, random_state=0
    )
    return model.fit(np.vstack(table), target, sample_weight=weight)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Limit tree boosting to one thread: on a busy machine, waiting threads cost more than they gain here."""
    try:
        limits: Any = importlib.import_module("threadpoolctl").threadpool_limits
    except ImportError:  # fit says what is missing
        yield
        return
    with limits(1):
        yield


def _probability(model: Any, rows: Floats) -> Floats:
    return np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64)


RANKERS = (
    Verifier("verifier", ("--model", "--train"), alone=False),
    Verifier("verifier-alone", ("--train",), alone=True),
    Classifier("classifier", ("--model",)),
)
