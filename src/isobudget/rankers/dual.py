"""Generated tests: samples and tests score each other by dual execution agreement (CodeT).

Chen et al. 2022, "CodeT: Code Generation with Generated Tests", section 2.2: samples that pass the same tests form a
consensus set S with these tests. The score of S is the number of its samples times the number of tests that they pass:

    f(S) = |samples of S| x |tests that they pass|

A sample is taken from the set with the highest score.

Their released code also allows other powers of the first factor; here `power` is 1 by default. Samples that pass no
test score 0 and are chosen only if all drawn samples score 0. Nothing of a test is executed as code: a test is a call
with literal arguments and the literal value that it must return.

If no model has written tests, tests of the samples' majority take their place: the examples in the prompt with the
values stated there, and for every other input the value that most of the drawn samples return. Such tests add no
knowledge beyond the samples and the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isobudget.errors import InputError
from isobudget.grid import counted
from isobudget.rankers.agreement import FAILED, GroupSelector, Texts, by_outputs
from isobudget.rankers.base import Bools, Floats, Ints, Ranking
from isobudget.rankers.by_set import ScoreSelector, by_set
from isobudget.rankers.ranker import EXECUTION, Ranker, RankerInputs, WrittenTests


def pass_matrix(observed: Texts, expected: Sequence[tuple[int, str]]) -> Bools:
    """Which sample passes which test, shape (samples, tests).

    For each test, `expected` has the place of its input and the text that must be returned.
    """
    passes = np.zeros((len(observed), len(expected)), dtype=bool)
    for row, texts in zip(passes, observed, strict=True):
        if texts:
            row[:] = [texts[place] == text for place, text in expected]
    return passes


def dual_selector(passes: Bools, tie_break: Floats | None = None, power: float = 1.0) -> GroupSelector:
    """Consensus sets as groups: samples with equal rows of `passes`, weighed by how many tests they pass.

    Args:
        passes: shape (samples, tests); no two tests have the same input and the same value.
        tie_break: shape (n,), higher is better.
        power: exponent of the number of samples.
    """
    rows = [row.tobytes() for row in passes]
    grouped = GroupSelector.of(rows, [0] * len(rows), tie_break)
    weight = np.zeros(len(grouped.weight))
    weight[grouped.groups] = passes.sum(axis=1)
    return GroupSelector(grouped.groups, weight, grouped.tier, tie_break, power)


@dataclass(frozen=True, slots=True, eq=False)
class MajoritySelector(ScoreSelector):
    """Dual agreement with tests made from the majority of the drawn samples, without the samples not drawn.

    Attributes:
        observed: shape (samples, inputs): each output as an integer, equal for equal outputs of an input; -1 for a
            failed call.
        expected: shape (inputs,): the integer, as in `observed`, of the value that the prompt states for an input; -1
            if it states none, -2 if it states a value that no sample returns.
        tie_break: shape (n,), or None.
        power: exponent of the number of samples in the score.
    """

    observed: Ints
    expected: Ints
    tie_break: Floats | None = None
    power: float = 1.0

    @classmethod
    def of(
        cls, observed: Texts, stated: Sequence[str | None], tie_break: Floats | None = None, power: float = 1.0
    ) -> MajoritySelector:
        """Create from the samples' outputs and the values stated in the prompt."""
        numbers = np.full((len(observed), len(stated)), -1, dtype=np.int64)
        expected = np.full(len(stated), -1, dtype=np.int64)
        for place, value in enumerate(stated):
            texts = [row[place] if row else FAILED for row in observed]
            known = {text: at for at, text in enumerate(dict.fromkeys(t for t in texts if not t.startswith(FAILED)))}
            numbers[:, place] = [known.get(text, -1) for text in texts]
            expected[place] = -1 if value is None else known.get(value, -2)
        return cls(numbers, expected, tie_break, power)

    def scores(self, drawn: Ints) -> Floats:
        """The scores of `dual_selector` for the drawn samples and the tests made from them."""
        return self._dual(drawn).scores(np.arange(len(drawn)))

    def following(self, orders: Ints) -> Callable[[int], Floats]:
        """See `ScoreSelector`."""
        rows, places = np.arange(len(orders)), np.arange(self.observed.shape[1])
        votes = np.zeros((len(orders), len(places), max(int(self.observed.max(initial=0)) + 1, 1)))
        returned, drawn = self.observed >= 0, np.zeros(orders.shape, dtype=bool)

        def score(k: int) -> Floats:
            sample = orders[:, k]
            drawn[rows, sample] = True
            votes[rows[:, np.newaxis], places, self.observed[sample]] += returned[sample]
            likeliest = np.where(votes.max(axis=2, initial=0) > 0, votes.argmax(axis=2), -2)
            wanted = np.where(self.expected != -1, self.expected, likeliest)
            passes = (self.observed == wanted[:, np.newaxis, :]) & returned
            return np.take_along_axis(self._scores(passes, drawn), orders[:, : k + 1], axis=1)

        return score

    def _scores(self, passes: Bools, drawn: Bools) -> Floats:
        """The score of each sample's consensus set among those drawn, (orders, n), from (orders, n, tests)."""
        order = np.broadcast_to(np.arange(len(drawn))[:, np.newaxis], drawn.shape)
        packed = np.packbits(passes, axis=2).astype(np.int64)
        code = order.copy()
        for byte in np.moveaxis(packed, 2, 0):
            # one number for each pair of what came before and this byte, so that no number grows too large
            _, code = np.unique((code * 256 + byte).ravel(), return_inverse=True)
            code = code.reshape(drawn.shape)
        members = np.bincount(code.ravel(), weights=drawn.ravel().astype(np.float64))[code]
        scores: Floats = members**self.power * passes.sum(axis=2)
        return scores

    def confidence(self, drawn: Ints) -> float:
        """The best consensus set's share of the drawn samples."""
        return self._dual(drawn).confidence(np.arange(len(drawn)))

    def _dual(self, drawn: Ints) -> GroupSelector:
        outputs = self.observed[drawn]
        wanted = np.array([self._wanted(column, value) for column, value in zip(outputs.T, self.expected, strict=True)])
        passes = (outputs == wanted) & (outputs >= 0) if len(wanted) else np.zeros((len(drawn), 0), dtype=bool)
        return dual_selector(passes, power=self.power)

    @staticmethod
    def _wanted(outputs: Ints, stated: int) -> int:
        """The value that a test on this input expects: the stated one, else the most frequent output, if any."""
        if stated != -1:
            return int(stated)
        returned = outputs[outputs >= 0]
        return int(np.bincount(returned).argmax()) if len(returned) else -2


class DualAgreement(Ranker):
    """Dual agreement of samples and tests."""

    def rank(self, inputs: RankerInputs) -> Ranking:
        """Rank by the tests of a file or model, or, if neither was named, by tests of the samples' majority."""
        written = inputs.written_tests()
        return _by_majority(inputs) if written is None else _by_written(inputs, written)


def _by_written(inputs: RankerInputs, written: WrittenTests) -> Ranking:
    pool = inputs.pool
    arguments = {task_id: written.arguments(task_id) for task_id in pool.task_ids}
    if not any(arguments.values()):
        raise InputError(f"{written.source}: no test is a call with literal arguments and a literal expected value")
    ran = inputs.run(arguments)
    passes = {task: pass_matrix(ran.texts[task], written.expected(task, inputs.text_of)) for task in pool.task_ids}
    counts = [matrix.shape[1] for matrix in passes.values()]
    without = sum(not count for count in counts)
    notes = (
        f"{written.source}: {np.mean(counts):.1f} literal tests a problem, none for {counted(without, 'problem')}",
    )
    return by_set(
        pool,
        written.name,
        lambda task, tie_break: dual_selector(passes[task], tie_break, inputs.options.power),
        unknown=sum(len(passes[task]) for task in pool.task_ids if not passes[task].shape[1]),
        tie_break=inputs.own("mean"),
        cost=ran.cost if written.cost is None else ran.cost.plus(written.cost),
        notes=notes,
    )


def _by_majority(inputs: RankerInputs) -> Ranking:
    note = (
        "tests: no model wrote any. Expected values are those that the prompt's examples state, and for every other "
        "input the value that most of the drawn samples return"
    )

    def selector(task_id: str, texts: Texts, tie_break: Floats | None) -> MajoritySelector:
        return MajoritySelector.of(texts, inputs.stated(task_id), tie_break, inputs.options.power)

    return by_outputs(inputs, "tests of the samples' majority", selector, note)


RANKERS = (DualAgreement("tests", (*EXECUTION, "--model", "--tests", "--power")),)
