"""The inputs and results of rankers, which choose one of several samples without the tests that decide.

There are two kinds, and they are measured in different ways. A ranker that gives each sample a score by itself
(`PerSample`) is measured by rank-score@k, which is exact. A ranker that looks at all drawn samples together (`BySet`)
has no such score; its curve comes from random prefixes, see `isobudget.statistics.prefixes`.

Sequences per problem, and arrays per sample, have the order of the pool.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from isobudget.costs.cost import Unit
from isobudget.errors import InputError
from isobudget.problems.problem import Problem
from isobudget.statistics.prefixes import SetSelector

if TYPE_CHECKING:
    from isobudget.backends.base import Prompt

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
#: the label of choosing a random sample, without a ranker
RANDOM = "random"
#: kinds of scores: log p(sample | prompt), log p(prompt | sample)
FORWARD, BACKWARD = "likelihood", "review"
#: log-probabilities of a text as their mean per token, or their sum
Reduce = Literal["mean", "sum"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sample to choose from.

    Attributes:
        index: its number among the samples of its problem, from 0.
        text: the model's output.
        program: the whole program.
        passed: whether it is right; None if it was not judged. Rankers must not look at it, except to learn from
            problems that they do not score.
        cut_off: whether it ended at the token limit.
        completion_tokens: tokens that the model produced, 0 if unknown.
        sum_logprob, mean_logprob: sum and mean of the tokens' log-probabilities under the model that wrote the sample,
            NaN if unknown.
        seconds: time of generating it, NaN if unknown.
        token_ids: the text as token ids of the model that wrote it, empty if unknown.
    """

    index: int
    text: str
    program: str
    passed: bool | None = None
    cut_off: bool = False
    completion_tokens: int = 0
    sum_logprob: float = math.nan
    mean_logprob: float = math.nan
    seconds: float = math.nan
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """The samples of one problem.

    Attributes:
        problem: the problem; its tests are not for rankers.
        prompt: as the model got it.
        head: the source that the programs begin with; empty if the model wrote whole programs.
        samples: in the order of their indices.
        prompt_tokens: tokens of the prompt under the writing model, 0 if unknown.
    """

    problem: Problem
    prompt: Prompt
    head: str
    samples: tuple[Candidate, ...]
    prompt_tokens: int = 0

    @property
    def passed(self) -> Floats:
        """1 for right samples, 0 for wrong ones; shape (n,).

        Raises:
            InputError: a sample was not judged.
        """
        if any(sample.passed is None for sample in self.samples):
            raise InputError(f"{self.problem.task_id}: a sample has no verdict; judge the samples first")
        return np.array([bool(sample.passed) for sample in self.samples], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Pool:
    """The samples of one benchmark by one model.

    Attributes:
        ordered: whether the samples are in their original order; False if they were made from counts.
    """

    benchmark: str
    model: str
    problems: tuple[Candidates, ...]
    ordered: bool = True

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of samples of each problem."""
        return np.array([len(one.samples) for one in self.problems], dtype=np.int64)

    @property
    def task_ids(self) -> tuple[str, ...]:
        """The problems' names."""
        return tuple(one.problem.task_id for one in self.problems)

    def key(self, candidates: Candidates, index: int) -> tuple[str, str, str, bool, int]:
        """The key of a sample in a run's tables; see `isobudget.records.rows.SampleKey`."""
        return (self.benchmark, self.model, candidates.problem.task_id, False, index)

    def column(self, name: str) -> list[Floats]:
        """A field of every sample, such as `mean_logprob`, as one array per problem."""
        return [np.array([getattr(one, name) for one in p.samples], dtype=np.float64) for p in self.problems]


@dataclass(frozen=True, slots=True)
class Amount:
    """The cost of a ranker in one unit, averaged over problems: per problem, and per sample."""

    per_problem: float
    per_sample: float


@dataclass(frozen=True, slots=True)
class RankerCost:
    """What ranking costs.

    Attributes:
        amounts: cost by unit; a missing unit means not known, which is not the same as 0.
        source: what is counted, in words.
    """

    amounts: Mapping[Unit, Amount]
    source: str

    def plus(self, other: RankerCost) -> RankerCost:
        """The sum of both, in the units that both have."""
        if self is FREE or other is FREE:
            return other if self is FREE else self
        pairs = {unit: (one, other.amounts[unit]) for unit, one in self.amounts.items() if unit in other.amounts}
        both = {
            unit: Amount(a.per_problem + b.per_problem, a.per_sample + b.per_sample) for unit, (a, b) in pairs.items()
        }
        return RankerCost(both, f"{self.source} and {other.source}")


#: costs nothing in any unit
FREE = RankerCost(dict.fromkeys(Unit, Amount(0.0, 0.0)), "free: the score is known once the sample is drawn")


@dataclass(frozen=True, slots=True, eq=False)
class PerSample:
    """Scores that samples have by themselves.

    Attributes:
        scores: per problem, shape (n,); higher is better. NaN ranks last.
        aside: per problem, shape (n,): samples that are set aside. Like samples with NaN, they rank after all others.
    """

    scores: tuple[Floats, ...]
    aside: tuple[Bools, ...]

    @property
    def undefined(self) -> int:
        """Samples whose score is NaN."""
        return int(sum(np.isnan(row).sum() for row in self.scores))


@dataclass(frozen=True, slots=True, eq=False)
class BySet:
    """Selectors that look at all drawn samples, one per problem.

    Attributes:
        selectors: one per problem; a sample is given by its place among the problem's samples.
        strength: per problem, shape (n,): the score of each sample when all n are drawn; AUC is computed from it.
        undefined: number of samples about which nothing is known; they are chosen only if nothing else was drawn.
    """

    selectors: tuple[SetSelector, ...]
    strength: tuple[Floats, ...]
    undefined: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The result of a ranker on a pool.

    Attributes:
        ranker: the ranker's name, with the scoring model if there is one.
        result: see `PerSample` and `BySet`.
        cost: cost of ranking itself.
        notes: what a reader should know.
    """

    ranker: str
    result: PerSample | BySet
    cost: RankerCost = FREE
    notes: tuple[str, ...] = ()


def scored(
    pool: Pool,
    name: str,
    scores: Sequence[Floats],
    *,
    cost: RankerCost = FREE,
    notes: tuple[str, ...] = (),
) -> Ranking:
    """The ranking by scores, shape (n,) for each problem; NaN ranks last.

    Samples that ended at the token limit are set aside. The paper discards them; here they rank last and still cost.

    Raises:
        InputError: a sample has no score.
    """
    if len(scores) != len(pool.problems) or any(len(v) != n for v, n in zip(scores, pool.sizes, strict=True)):
        raise InputError(f"{name}: {pool.model} has another number of samples than of scores; each needs one")
    aside = tuple(np.array([one.cut_off for one in p.samples], dtype=bool) for p in pool.problems)
    return Ranking(name, PerSample(tuple(scores), aside), cost, notes)


def added(one: Sequence[Floats], other: Sequence[Floats] | None) -> tuple[Floats, ...]:
    """Scores added sample by sample, NaN where either score is NaN; the first ones unchanged if `other` is None."""
    return tuple(one) if other is None else tuple(a + b for a, b in zip(one, other, strict=True))
